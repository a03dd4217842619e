package staffbun

import (
	"context"
	"database/sql"

	"github.com/renkei-go/renkei/foundation/identity"
	"github.com/renkei-go/renkei/foundation/sqldb"
	"github.com/renkei-go/renkei/staff"
)

const batchColumns = `p.id, p.user_id, p.email, p.name, p.active, p.created_at, p.updated_at, p.person_type, p.first_name, p.last_name, p.phone,
	p.date_of_birth, p.employee_reference, p.job_title, p.employment_start_date, p.employment_end_date, p.line_manager_id, p.photo,
	p.cost_centre, p.salary_grade, p.version, coalesce(m.name, ''), coalesce(m.employee_reference, '')`

// Batch implements staff.People. Rows are scanned by hand: bun's reflection costs more than the query.
func (s *Store) Batch(ctx context.Context, tenant identity.TenantID, after int64, inactive bool, today staff.Date, limit int) ([]staff.Record, error) {
	which := "p.tenant = ? AND p.id > ? AND p.erased_at IS NULL"
	if !inactive {
		which += " AND p.active"
	}
	rows, err := s.db.Reader(ctx).QueryContext(ctx, "SELECT "+batchColumns+` FROM staff_people AS p
		LEFT JOIN staff_people AS m ON m.id = p.line_manager_id AND m.tenant = p.tenant AND m.erased_at IS NULL
		WHERE `+which+" ORDER BY p.id LIMIT ?", string(tenant), after, limit)
	if err != nil {
		return nil, sqldb.Fault(err)
	}
	records, err := scanRecords(rows, limit)
	if err != nil || len(records) == 0 {
		return nil, sqldb.Fault(err)
	}
	return records, s.addUnits(ctx, tenant, records, today)
}

func scanRecords(rows *sql.Rows, limit int) ([]staff.Record, error) {
	defer func() { _ = rows.Close() }()
	records := make([]staff.Record, 0, limit)
	var created, updated sqldb.Time
	for rows.Next() {
		records = append(records, staff.Record{})
		r := &records[len(records)-1]
		err := rows.Scan(&r.ID, &r.UserID, &r.Email, &r.Name, &r.Active, &created, &updated, &r.Type, &r.FirstName, &r.LastName, &r.Phone,
			&r.DateOfBirth, &r.EmployeeReference, &r.JobTitle, &r.EmploymentStart, &r.EmploymentEnd, &r.LineManagerID, &r.Photo,
			&r.CostCentre, &r.SalaryGrade, &r.Version, &r.ManagerName, &r.ManagerReference)
		if err != nil {
			return nil, err
		}
		r.CreatedAt, r.UpdatedAt = created.Time, updated.Time
	}
	return records, rows.Err()
}

// addUnits adds the assignments of records, which are in the order of ids, in one range of the index.
func (s *Store) addUnits(ctx context.Context, tenant identity.TenantID, records []staff.Record, today staff.Date) error {
	rows, err := s.db.Reader(ctx).QueryContext(ctx, `SELECT a.id, a.person_id, a.unit_id, u.name, u.code, a.role, a.is_primary, a.start_date, a.end_date
		FROM staff_assignments AS a JOIN staff_units AS u ON u.id = a.unit_id
		WHERE a.tenant = ? AND a.person_id BETWEEN ? AND ? AND (a.end_date = '' OR a.end_date >= ?)
		ORDER BY a.person_id, a.is_primary DESC, a.start_date, a.id`, string(tenant), records[0].ID, records[len(records)-1].ID, string(today))
	if err != nil {
		return sqldb.Fault(err)
	}
	defer func() { _ = rows.Close() }()
	i := 0
	for rows.Next() {
		var a staff.Assignment
		if err := rows.Scan(&a.ID, &a.PersonID, &a.UnitID, &a.UnitName, &a.UnitCode, &a.Role, &a.Primary, &a.StartDate, &a.EndDate); err != nil {
			return sqldb.Fault(err)
		}
		for i < len(records) && records[i].ID < a.PersonID {
			i++
		}
		if i < len(records) && records[i].ID == a.PersonID {
			records[i].Units = append(records[i].Units, a)
		}
	}
	return sqldb.Fault(rows.Err())
}
