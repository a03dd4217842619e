package staff

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"strconv"
	"strings"

	"github.com/renkei-go/renkei/foundation/audit"
	"github.com/renkei-go/renkei/foundation/check"
	"github.com/renkei-go/renkei/foundation/fault"
	"github.com/renkei-go/renkei/foundation/identity"
	"github.com/renkei-go/renkei/foundation/page"
)

// What can be wrong with a change.
var (
	ErrUnknownPerson      = fault.New(fault.NotFound, "unknown_person", "there is no such person")
	ErrDuplicateReference = fault.New(fault.Conflict, "duplicate_employee_reference", "the employee reference is another person's") // detail existing_person_id
	ErrDuplicateUser      = fault.New(fault.Conflict, "duplicate_user_id", "the user id is another person's")
	ErrVersion            = fault.New(fault.Precondition, "version_mismatch", "it was changed meanwhile")
)

// AnyVersion asks for a change whatever the present version is.
const AnyVersion int64 = 0

// Edit is what Update changes of a person; nil leaves a field as it is, and an empty text removes it.
type Edit struct {
	UserID            *string   `json:"user_id,omitempty"` // can be given once and not changed
	Type              *string   `json:"person_type,omitempty"`
	FirstName         *string   `json:"first_name,omitempty"`
	LastName          *string   `json:"last_name,omitempty"`
	Name              *string   `json:"name,omitempty"`
	Email             *string   `json:"email,omitempty"`
	Phone             *string   `json:"phone,omitempty"`
	DateOfBirth       *Date     `json:"date_of_birth,omitempty"`
	EmployeeReference *string   `json:"employee_reference,omitempty"`
	JobTitle          *string   `json:"job_title,omitempty"`
	EmploymentStart   *Date     `json:"employment_start_date,omitempty"`
	EmploymentEnd     *Date     `json:"employment_end_date,omitempty"`
	LineManagerID     *int64    `json:"line_manager_id,omitempty"` // 0: nobody
	Active            *bool     `json:"is_active,omitempty"`
	Photo             *string   `json:"photo_approval_status,omitempty"`
	CostCentre        *string   `json:"cost_centre,omitempty"`
	SalaryGrade       *string   `json:"salary_grade,omitempty"`
	Roles             *[]string `json:"roles,omitempty"`  // for RoleAdmin only
	Groups            *[]string `json:"groups,omitempty"` // for RoleAdmin only
}

// apply returns the person as edited. A display name that was made of the first and last name follows them.
func (e Edit) apply(p Person) Person {
	derived := p.Name == strings.TrimSpace(p.FirstName+" "+p.LastName)
	give(&p.UserID, e.UserID)
	give(&p.Type, e.Type)
	give(&p.FirstName, e.FirstName)
	give(&p.LastName, e.LastName)
	if derived && e.Name == nil {
		p.Name = ""
	}
	give(&p.Name, e.Name)
	give(&p.Email, e.Email)
	give(&p.Phone, e.Phone)
	give(&p.DateOfBirth, e.DateOfBirth)
	give(&p.EmployeeReference, e.EmployeeReference)
	give(&p.JobTitle, e.JobTitle)
	give(&p.EmploymentStart, e.EmploymentStart)
	give(&p.EmploymentEnd, e.EmploymentEnd)
	give(&p.LineManagerID, e.LineManagerID)
	give(&p.Active, e.Active)
	give(&p.Photo, e.Photo)
	give(&p.CostCentre, e.CostCentre)
	give(&p.SalaryGrade, e.SalaryGrade)
	give(&p.Roles, e.Roles)
	give(&p.Groups, e.Groups)
	return p
}

// hidden returns the fields that the edit gives and that groups do not let see; directory fields only an administrator sees.
func (e Edit) hidden(groups Groups, admin bool) []string {
	var names []string
	given := reflect.ValueOf(e)
	for i := range given.NumField() {
		name, _, _ := strings.Cut(given.Type().Field(i).Tag.Get("json"), ",")
		g, shown := GroupOf(name)
		if !given.Field(i).IsNil() && (shown && !groups.Has(g) || !shown && !admin) {
			names = append(names, name)
		}
	}
	return names
}

func give[T any](to, from *T) {
	if from != nil {
		*to = *from
	}
}

// Create adds a person, active unless the edit says otherwise. It returns ErrReadForbidden, ErrForbidden,
// ErrFieldForbidden, ErrDuplicateReference, ErrDuplicateUser, or a fault like check.ErrInput.
func (s *Service) Create(ctx context.Context, by identity.Principal, e Edit) (View, error) {
	if err := Allow(by, ScopeWrite); err != nil {
		return View{}, err
	}
	p := e.apply(Person{Active: true})
	if err := mayEdit(by, Person{}, p, e); err != nil {
		return View{}, err
	}
	err := s.cfg.Store.Do(ctx, func(ctx context.Context) error {
		if err := s.cfg.Store.Lock(ctx, by.Tenant); err != nil {
			return err
		}
		stored, err := s.create(ctx, by, p, ActionCreate)
		p = stored
		return err
	})
	return View{by.Tenant, p, GroupsOf(by)}, err
}

// create adds a person, under the Lock.
func (s *Service) create(ctx context.Context, by identity.Principal, p Person, action string) (Person, error) {
	if err := nameless(&p.FirstName, &p.LastName); err != nil {
		return p, err
	}
	p, err := s.ready(ctx, by.Tenant, p, true)
	if err != nil {
		return p, err
	}
	p.Version, p.CreatedAt = 1, s.now()
	p.UpdatedAt = p.CreatedAt
	if p.ID, err = s.cfg.Store.Insert(ctx, by.Tenant, p); err != nil {
		return p, err
	}
	if err := s.emit(ctx, by.Tenant, p.UserID, changesOf(Person{}, p, false)...); err != nil {
		return p, err
	}
	return p, s.cfg.Audit.Record(ctx, audit.By(by, action, KindPerson, personID(p.ID)))
}

// nameless complains of names that are given and empty.
func nameless(first, last *string) error {
	bad := check.ErrInput
	if first != nil && strings.TrimSpace(*first) == "" {
		bad = bad.WithField("first_name", "is required")
	}
	if last != nil && strings.TrimSpace(*last) == "" {
		bad = bad.WithField("last_name", "is required")
	}
	if len(bad.Fields) > 0 {
		return bad
	}
	return nil
}

// ready checks a person against itself and the others, the line manager if that is new, and brings it into the form to
// store.
func (s *Service) ready(ctx context.Context, tenant identity.TenantID, p Person, newManager bool) (Person, error) {
	p = p.named()
	if err := p.validate(); err != nil {
		return p, err
	}
	p = p.complete()
	if newManager {
		p.ManagerID = ""
	}
	if newManager && p.LineManagerID != 0 {
		found, err := s.cfg.Store.ByID(ctx, tenant, []int64{p.LineManagerID})
		if err != nil {
			return p, err
		}
		if len(found) == 0 || p.LineManagerID == p.ID || !found[0].ErasedAt.IsZero() {
			return p, fault.InvalidField("line_manager_id", "must be somebody else of the organisation")
		}
		p.ManagerID = found[0].UserID
	}
	return p, s.free(ctx, tenant, p)
}

// free says whether the employee reference and the user id are nobody else's.
func (s *Service) free(ctx context.Context, tenant identity.TenantID, p Person) error {
	if p.EmployeeReference != "" {
		found, err := s.cfg.Store.ByReference(ctx, tenant, []string{p.EmployeeReference})
		if err != nil {
			return err
		}
		if len(found) > 0 && found[0].ID != p.ID {
			return ErrDuplicateReference.With("existing_person_id", found[0].ID)
		}
	}
	if p.UserID != "" {
		found, err := s.cfg.Store.ByUserID(ctx, tenant, []string{p.UserID})
		if err != nil {
			return err
		}
		if len(found) > 0 && found[0].ID != p.ID {
			return ErrDuplicateUser
		}
	}
	return nil
}

// mayEdit says whether by may make the one person of the other by the edit: roles and groups grant rights, so only an
// administrator gives them, and a key writes only what it reads. A value that is the present one is refused like another,
// lest whoever may not read it find it out by trying.
func mayEdit(by identity.Principal, old, p Person, e Edit) error {
	groups, admin := GroupsOf(by), mayChange(by)
	for _, name := range append(e.hidden(groups, admin), changed(old, p)...) {
		g, shown := GroupOf(name)
		if (!shown || name == "user_id") && !admin {
			return ErrForbidden
		}
		if shown && !groups.Has(g) {
			return ErrFieldForbidden.With("field", name)
		}
	}
	return nil
}

// Update changes a person of whom the caller has seen the version (or AnyVersion) and returns them. A change to the
// present values changes nothing. It returns what Create does, identity's unknown_person as ErrUnknownPerson,
// ErrVersion, ErrTooManyDeactivations, ErrLastAdmin or
// ErrAdminEmail.
func (s *Service) Update(ctx context.Context, by identity.Principal, id, version int64, e Edit) (View, error) {
	if err := Allow(by, ScopeWrite); err != nil {
		return View{}, err
	}
	var p Person
	err := s.cfg.Store.Do(ctx, func(ctx context.Context) (err error) {
		if err := s.cfg.Store.Lock(ctx, by.Tenant); err != nil {
			return err
		}
		old, err := s.person(ctx, by.Tenant, id)
		if err != nil {
			return err
		}
		if version != AnyVersion && version != old.Version {
			return ErrVersion
		}
		p = e.apply(old)
		if old.UserID != "" && p.UserID != old.UserID {
			return fault.InvalidField("user_id", "cannot be changed")
		}
		if err := mayEdit(by, old, p, e); err != nil {
			return err
		}
		if err := s.guardEmail(ctx, by, old, p); err != nil {
			return err
		}
		// Whoever has one name only, because Upsert gave no more, can be changed all the same.
		if err := nameless(e.FirstName, e.LastName); err != nil {
			return err
		}
		if p, err = s.ready(ctx, by.Tenant, p, e.LineManagerID != nil && p.LineManagerID != old.LineManagerID); err != nil {
			return err
		}
		if old.Active && !p.Active {
			if err := s.guard(ctx, by, old); err != nil {
				return err
			}
		}
		p, err = s.update(ctx, by, old, p, ActionUpdate)
		return err
	})
	if stopped := s.Stopped(ctx, by, err); stopped != nil {
		return View{}, errors.Join(err, stopped)
	}
	return View{by.Tenant, p, GroupsOf(by)}, err
}

// update stores a changed person, under the Lock.
func (s *Service) update(ctx context.Context, by identity.Principal, old, p Person, action string) (Person, error) {
	fields := changed(old, p)
	if len(fields) == 0 {
		return old, nil
	}
	p.Version, p.UpdatedAt = old.Version+1, s.now()
	if err := s.cfg.Store.Update(ctx, by.Tenant, p); err != nil {
		return p, err
	}
	if err := s.emit(ctx, by.Tenant, p.UserID, changesOf(old, p, true)...); err != nil {
		return p, err
	}
	entry := audit.By(by, action, KindPerson, personID(p.ID))
	entry.Metadata["fields"] = fields
	return p, s.cfg.Audit.Record(ctx, entry)
}

// person returns somebody who is not erased, with units, or ErrUnknownPerson.
func (s *Service) person(ctx context.Context, tenant identity.TenantID, id int64) (Person, error) {
	found, err := s.peopleByID(ctx, tenant, []int64{id})
	if err != nil {
		return Person{}, err
	}
	if len(found) == 0 || !found[0].ErasedAt.IsZero() {
		return Person{}, ErrUnknownPerson
	}
	return found[0], nil
}

// peopleByID returns people with their units, also the erased.
func (s *Service) peopleByID(ctx context.Context, tenant identity.TenantID, ids []int64) ([]Person, error) {
	if ids = distinct(ids); len(ids) == 0 {
		return nil, nil
	}
	found, err := s.cfg.Store.ByID(ctx, tenant, ids)
	if err != nil {
		return nil, err
	}
	return found, s.fillUnits(ctx, tenant, found)
}

func (s *Service) fillUnits(ctx context.Context, tenant identity.TenantID, people []Person) error {
	if len(people) == 0 {
		return nil
	}
	ids := make([]int64, len(people))
	at := make(map[int64]int, len(people))
	for i, p := range people {
		ids[i], at[p.ID] = p.ID, i
	}
	all, err := s.cfg.Store.Assignments(ctx, tenant, ids, s.today())
	for _, a := range all {
		p := &people[at[a.PersonID]]
		p.Units = append(p.Units, a)
	}
	return err
}

// Get returns a person as by may see them, or ErrReadForbidden or ErrUnknownPerson.
func (s *Service) Get(ctx context.Context, by identity.Principal, id int64) (View, error) {
	groups, err := Readable(by)
	if err != nil {
		return View{}, err
	}
	p, err := s.person(ctx, by.Tenant, id)
	return View{by.Tenant, p, groups}, err
}

// Filter selects people.
type Filter struct {
	Search   string // part of a name, employee reference or address that by may read; empty: all
	UnitID   int64  // who is or will be in the unit; 0: all
	Inactive bool   // those too
}

// Found is a cut of the people and how many there are.
type Found struct {
	Items []View
	Total int64
}

// Page returns page number n, from 1, of size people by last and first name, and the exact total. Far pages take longer
// than near ones; List does not. It returns ErrReadForbidden.
func (s *Service) Page(ctx context.Context, by identity.Principal, f Filter, n, size int) (Found, error) {
	groups, q, err := s.query(by, f)
	if err != nil {
		return Found{}, err
	}
	total, err := s.cfg.Store.Count(ctx, by.Tenant, q)
	if err != nil {
		return Found{}, err
	}
	if q.Limit = size; int64(n-1) > total/int64(size) {
		return Found{Total: total}, nil
	}
	q.Offset = (n - 1) * size
	items, err := s.selected(ctx, by.Tenant, groups, q)
	return Found{items, total}, err
}

// List returns people by last and first name. It returns ErrReadForbidden or page.ErrBadCursor.
func (s *Service) List(ctx context.Context, by identity.Principal, f Filter, p page.Request) (page.Page[View], error) {
	groups, q, err := s.query(by, f)
	if err != nil {
		return page.Page[View]{}, err
	}
	var after Place
	if ok, err := page.Decode(peopleScope, p.Cursor, &after); err != nil {
		return page.Page[View]{}, err
	} else if ok {
		q.After = &after
	}
	q.Limit = p.Size() + 1
	items, err := s.selected(ctx, by.Tenant, groups, q)
	if err != nil {
		return page.Page[View]{}, err
	}
	return page.Of(peopleScope, items, p.Size(), func(v View) any { return Place{v.Person.SortKey(), v.Person.ID} }), nil
}

const peopleScope = "staff.people"

func (s *Service) query(by identity.Principal, f Filter) (Groups, Query, error) {
	groups, err := Readable(by)
	if err != nil {
		return nil, Query{}, err
	}
	q := Query{Search: f.Search, UnitID: f.UnitID, Inactive: f.Inactive, Today: s.today()}
	if !check.IsText(f.Search, false) || len(f.Search) > 200 {
		return nil, q, fault.InvalidField("search", "must be one line of at most 200 bytes")
	}
	q.Hidden.Reference = !groups.Has(Work)
	q.Hidden.Email = !groups.Has(Contact)
	if f.UnitID != 0 && !groups.Has(Work) {
		return nil, q, ErrFieldForbidden.With("field", FieldUnits)
	}
	return groups, q, nil
}

func (s *Service) selected(ctx context.Context, tenant identity.TenantID, groups Groups, q Query) ([]View, error) {
	people, err := s.cfg.Store.Select(ctx, tenant, q)
	if err != nil {
		return nil, err
	}
	if groups.Has(Work) {
		if err := s.fillUnits(ctx, tenant, people); err != nil {
			return nil, err
		}
	}
	views := make([]View, len(people))
	for i, p := range people {
		views[i] = View{tenant, p, groups}
	}
	return views, nil
}

func personID(id int64) string { return strconv.FormatInt(id, 10) }

func subject(kind string, id int64) string { return fmt.Sprintf("%s/%d", kind, id) }
