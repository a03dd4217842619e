package staffbun

import (
	"context"
	"slices"
	"strings"

	"github.com/uptrace/bun"

	"github.com/renkei-go/renkei/foundation/identity"
	"github.com/renkei-go/renkei/foundation/sqldb"
	"github.com/renkei-go/renkei/staff"
)

type personRow struct {
	bun.BaseModel `bun:"table:staff_people,alias:p"`

	ID        int64      `bun:"id,pk,autoincrement"`
	Tenant    string     `bun:"tenant"`
	UserID    string     `bun:"user_id"`
	Email     string     `bun:"email"`
	Name      string     `bun:"name"`
	ManagerID string     `bun:"manager_id"`
	Roles     []string   `bun:"roles"`
	Groups    []string   `bun:"member_of"`
	Channels  []string   `bun:"channels"`
	TimeZone  string     `bun:"time_zone"`
	Locale    string     `bun:"locale"`
	Active    bool       `bun:"active"`
	OnLeave   bool       `bun:"on_leave"`
	CreatedAt sqldb.Time `bun:"created_at"`
	UpdatedAt sqldb.Time `bun:"updated_at"`

	Type              string     `bun:"person_type"`
	FirstName         string     `bun:"first_name"`
	LastName          string     `bun:"last_name"`
	SortKey           string     `bun:"sort_key"`
	Phone             string     `bun:"phone"`
	DateOfBirth       string     `bun:"date_of_birth"`
	EmployeeReference string     `bun:"employee_reference"`
	JobTitle          string     `bun:"job_title"`
	EmploymentStart   string     `bun:"employment_start_date"`
	EmploymentEnd     string     `bun:"employment_end_date"`
	LineManagerID     int64      `bun:"line_manager_id"`
	Photo             string     `bun:"photo"`
	CostCentre        string     `bun:"cost_centre"`
	SalaryGrade       string     `bun:"salary_grade"`
	Version           int64      `bun:"version"`
	ErasedAt          sqldb.Time `bun:"erased_at,nullzero"`
}

// replaced are the columns that Upsert writes over, apart from line_manager_id, which follows from manager_id.
var replaced = []string{
	"email", "name", "manager_id", "roles", "member_of", "channels", "time_zone", "locale", "active", "on_leave", "updated_at", "person_type",
	"first_name", "last_name", "sort_key", "phone", "date_of_birth", "employee_reference", "job_title", "employment_start_date",
	"employment_end_date", "photo", "cost_centre", "salary_grade", "version", "erased_at",
}

// holderRow makes Holders one look-up in an index; the lists in personRow are what is shown.
type holderRow struct {
	bun.BaseModel `bun:"table:staff_holders"`

	Tenant string `bun:"tenant,pk"`
	Name   string `bun:"name,pk"`
	UserID string `bun:"user_id,pk"`
}

func rowOf(tenant identity.TenantID, p staff.Person) personRow {
	list := func(l []string) []string { return append([]string{}, l...) } // nil would become JSON null
	return personRow{
		ID: p.ID, Tenant: string(tenant), UserID: p.UserID, Email: p.Email, Name: p.Name, ManagerID: p.ManagerID, Roles: list(p.Roles),
		Groups: list(p.Groups), Channels: list(p.Channels), TimeZone: p.TimeZone, Locale: p.Locale, Active: p.Active,
		OnLeave: p.OnLeave, CreatedAt: sqldb.At(p.CreatedAt), UpdatedAt: sqldb.At(p.UpdatedAt), Type: p.Type, FirstName: p.FirstName,
		LastName: p.LastName, SortKey: p.SortKey(), Phone: p.Phone, DateOfBirth: string(p.DateOfBirth), EmployeeReference: p.EmployeeReference,
		JobTitle: p.JobTitle, EmploymentStart: string(p.EmploymentStart), EmploymentEnd: string(p.EmploymentEnd), LineManagerID: p.LineManagerID,
		Photo: p.Photo, CostCentre: p.CostCentre, SalaryGrade: p.SalaryGrade, Version: p.Version, ErasedAt: sqldb.At(p.ErasedAt),
	}
}

func (r personRow) person() staff.Person {
	return staff.Person{
		ID: r.ID, UserID: r.UserID, Email: r.Email, Name: r.Name, ManagerID: r.ManagerID, Roles: r.Roles, Groups: r.Groups,
		Channels: r.Channels, TimeZone: r.TimeZone, Locale: r.Locale, Active: r.Active, OnLeave: r.OnLeave,
		CreatedAt: r.CreatedAt.Time, UpdatedAt: r.UpdatedAt.Time, Type: r.Type, FirstName: r.FirstName, LastName: r.LastName, Phone: r.Phone,
		DateOfBirth: staff.Date(r.DateOfBirth), EmployeeReference: r.EmployeeReference, JobTitle: r.JobTitle,
		EmploymentStart: staff.Date(r.EmploymentStart), EmploymentEnd: staff.Date(r.EmploymentEnd), LineManagerID: r.LineManagerID,
		Photo: r.Photo, CostCentre: r.CostCentre, SalaryGrade: r.SalaryGrade, Version: r.Version, ErasedAt: r.ErasedAt.Time,
	}
}

// Upsert implements staff.People.
func (s *Store) Upsert(ctx context.Context, tenant identity.TenantID, people []staff.Person) ([]staff.Person, error) {
	var stored []staff.Person
	err := s.db.Do(ctx, func(ctx context.Context) error {
		stored = make([]staff.Person, 0, len(people))
		// Two that name the same people in another order would wait for each other.
		if err := s.Lock(ctx, tenant); err != nil {
			return err
		}
		for some := range slices.Chunk(people, batch) {
			ids := make([]string, len(some))
			for i, p := range some {
				ids[i] = p.UserID
			}
			err := s.counted(ctx, tenant, "user_id", bun.List(ids), func(ctx context.Context) error { return s.upsert(ctx, tenant, some, ids) })
			if err != nil {
				return err
			}
		}
		for some := range slices.Chunk(people, batch) {
			now, err := s.linked(ctx, tenant, some)
			if err != nil {
				return err
			}
			stored = append(stored, now...)
		}
		return nil
	})
	return stored, err
}

func (s *Store) upsert(ctx context.Context, tenant identity.TenantID, people []staff.Person, ids []string) error {
	var rows []personRow
	for _, p := range people {
		r := rowOf(tenant, p)
		r.ID, r.LineManagerID = 0, 0
		rows = append(rows, r)
	}
	q := s.db.IDB(ctx).NewInsert().Model(&rows).On("CONFLICT (tenant, user_id) WHERE user_id <> '' DO UPDATE")
	for _, column := range replaced {
		q = q.Set("? = EXCLUDED.?", bun.Ident(column), bun.Ident(column))
	}
	if _, err := q.Returning("NULL").Exec(ctx); err != nil {
		return err
	}
	return s.hold(ctx, tenant, ids, people)
}

// hold brings the holders in step with people, who had the user ids.
func (s *Store) hold(ctx context.Context, tenant identity.TenantID, ids []string, people []staff.Person) error {
	_, err := s.db.IDB(ctx).NewDelete().Model((*holderRow)(nil)).
		Where("tenant = ?", string(tenant)).Where("user_id IN (?)", bun.List(ids)).Exec(ctx)
	if err != nil {
		return sqldb.Fault(err)
	}
	var holders []holderRow
	for _, p := range people {
		for _, name := range p.Holds() {
			if p.UserID != "" {
				holders = append(holders, holderRow{Tenant: string(tenant), Name: name, UserID: p.UserID})
			}
		}
	}
	if len(holders) == 0 {
		return nil
	}
	_, err = s.db.IDB(ctx).NewInsert().Model(&holders).Exec(ctx)
	return sqldb.Fault(err)
}

// linked finds the line managers of people by their user ids, and the people as line managers of others, and returns
// the people as they are now.
func (s *Store) linked(ctx context.Context, tenant identity.TenantID, people []staff.Person) ([]staff.Person, error) {
	ids := make([]string, len(people))
	for i, p := range people {
		ids[i] = p.UserID
	}
	_, err := s.db.IDB(ctx).NewRaw(`UPDATE staff_people SET line_manager_id = coalesce(
		(SELECT m.id FROM staff_people AS m WHERE m.tenant = staff_people.tenant AND m.user_id = staff_people.manager_id AND m.user_id <> ''), 0)
		WHERE tenant = ? AND (user_id IN (?) OR (line_manager_id = 0 AND manager_id IN (?)))`,
		string(tenant), bun.List(ids), bun.List(ids)).Exec(ctx)
	if err != nil {
		return nil, sqldb.Fault(err)
	}
	// Read again rather than RETURNING: neither engine promises the order of its rows.
	found, err := s.ByUserID(ctx, tenant, ids)
	if err != nil {
		return nil, err
	}
	byID := map[string]staff.Person{}
	for _, p := range found {
		byID[p.UserID] = p
	}
	out := make([]staff.Person, len(people))
	for i, p := range people {
		out[i] = byID[p.UserID]
	}
	return out, nil
}

// Insert implements staff.People.
func (s *Store) Insert(ctx context.Context, tenant identity.TenantID, p staff.Person) (int64, error) {
	r := rowOf(tenant, p)
	r.ID = 0
	err := s.db.Do(ctx, func(ctx context.Context) error {
		if _, err := s.db.IDB(ctx).NewInsert().Model(&r).Returning("id").Exec(ctx); err != nil {
			return err
		}
		people, active, err := s.census(ctx, tenant, "id", r.ID)
		if err != nil {
			return err
		}
		if _, err := s.advance(ctx, tenant, 0, people, active); err != nil {
			return err
		}
		if err := s.hold(ctx, tenant, []string{p.UserID}, []staff.Person{p}); err != nil {
			return err
		}
		return s.rename(ctx, tenant, r.ID, p.UserID)
	})
	return r.ID, err
}

// rename keeps manager_id of those whom a person leads in step with the person's user id.
func (s *Store) rename(ctx context.Context, tenant identity.TenantID, id int64, userID string) error {
	_, err := s.db.IDB(ctx).NewRaw("UPDATE staff_people SET manager_id = ? WHERE tenant = ? AND line_manager_id = ?", userID, string(tenant), id).Exec(ctx)
	if err == nil && userID != "" {
		_, err = s.db.IDB(ctx).NewRaw("UPDATE staff_people SET line_manager_id = ? WHERE tenant = ? AND manager_id = ? AND line_manager_id = 0", id, string(tenant), userID).Exec(ctx)
	}
	return sqldb.Fault(err)
}

// Update implements staff.People.
func (s *Store) Update(ctx context.Context, tenant identity.TenantID, p staff.Person) error {
	r := rowOf(tenant, p)
	return s.db.Do(ctx, func(ctx context.Context) error {
		var was personRow
		err := s.db.IDB(ctx).NewSelect().Model(&was).Column("user_id", "roles", "member_of").Where("tenant = ?", string(tenant)).Where("id = ?", p.ID).Scan(ctx)
		if err != nil {
			return orUnknown(err, staff.ErrUnknownPerson)
		}
		err = s.counted(ctx, tenant, "id", p.ID, func(ctx context.Context) error {
			_, err := s.db.IDB(ctx).NewUpdate().Model(&r).Column(replaced...).Column("user_id", "line_manager_id").
				Where("tenant = ?", string(tenant)).Where("id = ?", p.ID).Exec(ctx)
			return err
		})
		if err != nil {
			return err
		}
		if was.UserID != p.UserID {
			if err := s.rename(ctx, tenant, p.ID, p.UserID); err != nil {
				return err
			}
		}
		if was.UserID == p.UserID && slices.Equal(was.person().Holds(), p.Holds()) {
			return nil
		}
		return s.hold(ctx, tenant, []string{was.UserID, p.UserID}, []staff.Person{p})
	})
}

// ByID implements staff.People.
func (s *Store) ByID(ctx context.Context, tenant identity.TenantID, ids []int64) ([]staff.Person, error) {
	return in(ctx, s, tenant, "id", ids)
}

// ByUserID implements staff.People.
func (s *Store) ByUserID(ctx context.Context, tenant identity.TenantID, ids []string) ([]staff.Person, error) {
	return in(ctx, s, tenant, "user_id", named(ids))
}

// ByReference implements staff.People.
func (s *Store) ByReference(ctx context.Context, tenant identity.TenantID, references []string) ([]staff.Person, error) {
	return in(ctx, s, tenant, "employee_reference", named(references))
}

// ByEmail implements staff.People.
func (s *Store) ByEmail(ctx context.Context, tenant identity.TenantID, emails []string) ([]staff.Person, error) {
	return in(ctx, s, tenant, "email", named(emails))
}

// named leaves out the empty text, which stands for none.
func named(values []string) []string {
	return slices.DeleteFunc(slices.Clone(values), func(v string) bool { return v == "" })
}

func in[T any](ctx context.Context, s *Store, tenant identity.TenantID, column bun.Ident, values []T) ([]staff.Person, error) {
	var found []staff.Person
	for some := range slices.Chunk(values, batch) {
		var rows []personRow
		q := s.db.Reader(ctx).NewSelect().Model(&rows).Where("tenant = ?", string(tenant)).Where("? IN (?)", column, bun.List(some))
		if column == "user_id" || column == "employee_reference" {
			q = q.Where("? <> ''", column) // what the partial index asks for
		}
		if err := q.Scan(ctx); err != nil {
			return nil, sqldb.Fault(err)
		}
		found = append(found, people(rows)...)
	}
	return found, nil
}

// Holders implements staff.People.
func (s *Store) Holders(ctx context.Context, tenant identity.TenantID, name string) ([]staff.Person, error) {
	var rows []personRow
	err := s.db.Reader(ctx).NewSelect().Model(&rows).
		Join("JOIN staff_holders AS h ON h.tenant = p.tenant AND h.user_id = p.user_id").
		Where("h.tenant = ?", string(tenant)).Where("h.name = ?", name).Where("p.user_id <> ''").Where("p.active").Scan(ctx)
	return people(rows), sqldb.Fault(err)
}

func people(rows []personRow) []staff.Person {
	out := make([]staff.Person, len(rows))
	for i, r := range rows {
		out[i] = r.person()
	}
	return out
}

// where makes a query one of the people p whom Query selects. Those of a unit are found from the unit: SQLite would else
// look at everybody in the order of the list, and takes the order of a CROSS JOIN as it is written.
func (s *Store) where(q *bun.SelectQuery, tenant identity.TenantID, f staff.Query) *bun.SelectQuery {
	if f.UnitID == 0 {
		q = q.TableExpr("staff_people AS p")
	} else {
		q = q.TableExpr("(SELECT DISTINCT person_id FROM staff_assignments WHERE tenant = ? AND unit_id = ? AND (end_date = '' OR end_date >= ?)) AS a CROSS JOIN staff_people AS p",
			string(tenant), f.UnitID, string(f.Today)).Where("p.id = a.person_id")
	}
	q = q.Where("p.tenant = ?", string(tenant)).Where("p.erased_at IS NULL")
	if !f.Inactive {
		q = q.Where("p.active")
	}
	if f.Search == "" {
		return q
	}
	like := "%" + strings.NewReplacer(`\`, `\\`, "%", `\%`, "_", `\_`).Replace(strings.ToLower(f.Search)) + "%"
	return q.WhereGroup(" AND ", func(q *bun.SelectQuery) *bun.SelectQuery {
		columns := []bun.Ident{"first_name", "last_name", "name"}
		if !f.Hidden.Reference {
			columns = append(columns, "employee_reference")
		}
		if !f.Hidden.Email {
			columns = append(columns, "email")
		}
		q = q.WhereOr(`p.sort_key LIKE ? ESCAPE '\'`, like) // lower case beyond ASCII, which SQLite's lower() is not
		for _, c := range columns {
			q = q.WhereOr(`lower(p.?) LIKE ? ESCAPE '\'`, c, like)
		}
		return q
	})
}

// Select implements staff.People. The ids are found in the index alone; only then are the rows read.
func (s *Store) Select(ctx context.Context, tenant identity.TenantID, f staff.Query) ([]staff.Person, error) {
	ids := s.where(s.db.Reader(ctx).NewSelect().Column("p.id"), tenant, f).
		OrderExpr("p.sort_key, p.id").Limit(int64(f.Limit))
	if f.Offset > 0 {
		ids = ids.Offset(int64(f.Offset))
	}
	if f.After != nil {
		ids = ids.Where("(p.sort_key, p.id) > (?, ?)", f.After.Key, f.After.ID)
	}
	var rows []personRow
	err := s.db.Reader(ctx).NewSelect().Model(&rows).Where("p.tenant = ?", string(tenant)).Where("p.id IN (?)", ids).OrderExpr("p.sort_key, p.id").Scan(ctx)
	return people(rows), sqldb.Fault(err)
}

// Count implements staff.People.
func (s *Store) Count(ctx context.Context, tenant identity.TenantID, f staff.Query) (int64, error) {
	if f.Search == "" && f.UnitID == 0 {
		h, err := s.head(ctx, tenant)
		if f.Inactive {
			return h.People, err
		}
		return h.Active, err
	}
	var n int64
	err := s.where(s.db.Reader(ctx).NewSelect().ColumnExpr("count(*)"), tenant, f).Scan(ctx, &n)
	return n, sqldb.Fault(err)
}
