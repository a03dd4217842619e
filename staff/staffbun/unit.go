package staffbun

import (
	"context"
	"slices"

	"github.com/uptrace/bun"

	"github.com/renkei-go/renkei/foundation/fault"
	"github.com/renkei-go/renkei/foundation/identity"
	"github.com/renkei-go/renkei/foundation/sqldb"
	"github.com/renkei-go/renkei/staff"
)

type unitRow struct {
	bun.BaseModel `bun:"table:staff_units,alias:u"`

	ID          int64      `bun:"id,pk,autoincrement"`
	Tenant      string     `bun:"tenant"`
	Name        string     `bun:"name"`
	Code        string     `bun:"code"`
	Description string     `bun:"description"`
	ParentID    int64      `bun:"parent_id"`
	Version     int64      `bun:"version"`
	CreatedAt   sqldb.Time `bun:"created_at"`
	UpdatedAt   sqldb.Time `bun:"updated_at"`
}

func unitRowOf(tenant identity.TenantID, u staff.Unit) unitRow {
	return unitRow{
		ID: u.ID, Tenant: string(tenant), Name: u.Name, Code: u.Code, Description: u.Description, ParentID: u.ParentID, Version: u.Version,
		CreatedAt: sqldb.At(u.CreatedAt), UpdatedAt: sqldb.At(u.UpdatedAt),
	}
}

func unitsOf(rows []unitRow) []staff.Unit {
	out := make([]staff.Unit, len(rows))
	for i, r := range rows {
		out[i] = staff.Unit{
			ID: r.ID, Name: r.Name, Code: r.Code, Description: r.Description, ParentID: r.ParentID, Version: r.Version,
			CreatedAt: r.CreatedAt.Time, UpdatedAt: r.UpdatedAt.Time,
		}
	}
	return out
}

// InsertUnit implements staff.Units.
func (s *Store) InsertUnit(ctx context.Context, tenant identity.TenantID, u staff.Unit) (int64, error) {
	r := unitRowOf(tenant, u)
	r.ID = 0
	_, err := s.db.IDB(ctx).NewInsert().Model(&r).Returning("id").Exec(ctx)
	return r.ID, unitFault(err)
}

func unitFault(err error) error {
	if err = sqldb.Fault(err); fault.CodeOf(err) == fault.Conflict {
		return staff.ErrDuplicateUnit.Because(err)
	}
	return err
}

// UpdateUnit implements staff.Units.
func (s *Store) UpdateUnit(ctx context.Context, tenant identity.TenantID, u staff.Unit) error {
	r := unitRowOf(tenant, u)
	result, err := s.db.IDB(ctx).NewUpdate().Model(&r).Column("name", "code", "description", "parent_id", "version", "updated_at").
		Where("tenant = ?", string(tenant)).Where("id = ?", u.ID).Exec(ctx)
	return affected(result, unitFault(err), staff.ErrUnknownUnit)
}

// DeleteUnit implements staff.Units.
func (s *Store) DeleteUnit(ctx context.Context, tenant identity.TenantID, id int64) error {
	return s.db.Do(ctx, func(ctx context.Context) error {
		used, err := s.db.IDB(ctx).NewSelect().Model((*assignmentRow)(nil)).Where("tenant = ?", string(tenant)).Where("unit_id = ?", id).Exists(ctx)
		if err != nil {
			return err
		}
		parent, err := s.db.IDB(ctx).NewSelect().Model((*unitRow)(nil)).Where("tenant = ?", string(tenant)).Where("parent_id = ?", id).Exists(ctx)
		if err != nil {
			return err
		}
		if used || parent {
			return staff.ErrUnitInUse
		}
		result, err := s.db.IDB(ctx).NewDelete().Model((*unitRow)(nil)).Where("tenant = ?", string(tenant)).Where("id = ?", id).Exec(ctx)
		return affected(result, err, staff.ErrUnknownUnit)
	})
}

// UnitsByID implements staff.Units.
func (s *Store) UnitsByID(ctx context.Context, tenant identity.TenantID, ids []int64) ([]staff.Unit, error) {
	var found []staff.Unit
	for some := range slices.Chunk(ids, batch) {
		var rows []unitRow
		err := s.db.Reader(ctx).NewSelect().Model(&rows).Where("tenant = ?", string(tenant)).Where("id IN (?)", bun.List(some)).Scan(ctx)
		if err != nil {
			return nil, sqldb.Fault(err)
		}
		found = append(found, unitsOf(rows)...)
	}
	return found, nil
}

// UnitsByName implements staff.Units.
func (s *Store) UnitsByName(ctx context.Context, tenant identity.TenantID, name string) ([]staff.Unit, error) {
	var rows []unitRow
	err := s.db.Reader(ctx).NewSelect().Model(&rows).Where("tenant = ?", string(tenant)).Where("name = ?", name).Order("id").Scan(ctx)
	return unitsOf(rows), sqldb.Fault(err)
}

// Units implements staff.Units.
func (s *Store) Units(ctx context.Context, tenant identity.TenantID, after int64, limit int) ([]staff.Unit, error) {
	var rows []unitRow
	err := s.db.Reader(ctx).NewSelect().Model(&rows).Where("tenant = ?", string(tenant)).Where("id > ?", after).Order("id").Limit(int64(limit)).Scan(ctx)
	return unitsOf(rows), sqldb.Fault(err)
}

type assignmentRow struct {
	bun.BaseModel `bun:"table:staff_assignments,alias:a"`

	ID        int64  `bun:"id,pk,autoincrement"`
	Tenant    string `bun:"tenant"`
	PersonID  int64  `bun:"person_id"`
	UnitID    int64  `bun:"unit_id"`
	Role      string `bun:"role"`
	Primary   bool   `bun:"is_primary"`
	StartDate string `bun:"start_date"`
	EndDate   string `bun:"end_date"`
	Told      int    `bun:"told"`

	UnitName string `bun:"unit_name,scanonly"`
	UnitCode string `bun:"unit_code,scanonly"`
}

func assignmentRowOf(tenant identity.TenantID, a staff.Assignment) assignmentRow {
	return assignmentRow{
		ID: a.ID, Tenant: string(tenant), PersonID: a.PersonID, UnitID: a.UnitID, Role: a.Role, Primary: a.Primary,
		StartDate: string(a.StartDate), EndDate: string(a.EndDate), Told: int(a.Told),
	}
}

func (r assignmentRow) assignment() staff.Assignment {
	return staff.Assignment{
		ID: r.ID, PersonID: r.PersonID, UnitID: r.UnitID, UnitName: r.UnitName, UnitCode: r.UnitCode, Role: r.Role, Primary: r.Primary,
		StartDate: staff.Date(r.StartDate), EndDate: staff.Date(r.EndDate), Told: staff.Told(r.Told),
	}
}

// InsertAssignment implements staff.Units.
func (s *Store) InsertAssignment(ctx context.Context, tenant identity.TenantID, a staff.Assignment) (int64, error) {
	r := assignmentRowOf(tenant, a)
	r.ID = 0
	_, err := s.db.IDB(ctx).NewInsert().Model(&r).Returning("id").Exec(ctx)
	return r.ID, sqldb.Fault(err)
}

// UpdateAssignment implements staff.Units.
func (s *Store) UpdateAssignment(ctx context.Context, tenant identity.TenantID, a staff.Assignment) error {
	r := assignmentRowOf(tenant, a)
	result, err := s.db.IDB(ctx).NewUpdate().Model(&r).Column("role", "is_primary", "start_date", "end_date", "told").
		Where("tenant = ?", string(tenant)).Where("id = ?", a.ID).Exec(ctx)
	return affected(result, err, staff.ErrUnknownAssignment)
}

// Assignments implements staff.Units.
func (s *Store) Assignments(ctx context.Context, tenant identity.TenantID, people []int64, notBefore staff.Date) ([]staff.Assignment, error) {
	var out []staff.Assignment
	for some := range slices.Chunk(people, batch) {
		var rows []assignmentRow
		q := s.assignments(ctx, &rows, tenant, notBefore).Where("a.person_id IN (?)", bun.List(some)).OrderExpr("a.is_primary DESC, a.start_date, a.id")
		if err := q.Scan(ctx); err != nil {
			return nil, sqldb.Fault(err)
		}
		for _, r := range rows {
			out = append(out, r.assignment())
		}
	}
	return out, nil
}

func (s *Store) assignments(ctx context.Context, rows *[]assignmentRow, tenant identity.TenantID, notBefore staff.Date) *bun.SelectQuery {
	q := s.db.Reader(ctx).NewSelect().Model(rows).ColumnExpr("a.*, u.name AS unit_name, u.code AS unit_code").
		Join("JOIN staff_units AS u ON u.id = a.unit_id").Where("a.tenant = ?", string(tenant))
	if notBefore != "" {
		q = q.Where("a.end_date = '' OR a.end_date >= ?", string(notBefore))
	}
	return q
}

// Members implements staff.Units.
func (s *Store) Members(ctx context.Context, tenant identity.TenantID, unit int64, today staff.Date, after int64, limit int) ([]int64, error) {
	var ids []int64
	err := s.db.Reader(ctx).NewSelect().Model((*assignmentRow)(nil)).ColumnExpr("DISTINCT person_id").
		Where("tenant = ?", string(tenant)).Where("unit_id = ?", unit).Where("person_id > ?", after).
		Where("end_date = '' OR end_date >= ?", string(today)).Order("person_id").Limit(int64(limit)).Scan(ctx, &ids)
	return ids, sqldb.Fault(err)
}

// Untold implements staff.Units.
func (s *Store) Untold(ctx context.Context, today staff.Date, limit int) ([]staff.Owned[staff.Assignment], error) {
	var out []staff.Owned[staff.Assignment]
	for _, due := range []string{"told = 0 AND start_date <= ?", "told = 1 AND end_date <> '' AND end_date < ?"} {
		var rows []assignmentRow
		err := s.db.Reader(ctx).NewSelect().Model(&rows).Where(due, string(today)).Order("id").Limit(int64(limit - len(out))).Scan(ctx)
		if err != nil {
			return nil, sqldb.Fault(err)
		}
		for _, r := range rows {
			out = append(out, staff.Owned[staff.Assignment]{Tenant: identity.TenantID(r.Tenant), Item: r.assignment()})
		}
		if len(out) >= limit {
			break
		}
	}
	return out, nil
}
