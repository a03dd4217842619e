package staff

import (
	"context"
	"slices"

	"github.com/renkei-go/renkei/foundation/audit"
	"github.com/renkei-go/renkei/foundation/check"
	"github.com/renkei-go/renkei/foundation/fault"
	"github.com/renkei-go/renkei/foundation/identity"
	"github.com/renkei-go/renkei/foundation/page"
)

// What can be wrong with units.
var (
	ErrUnknownUnit       = fault.New(fault.NotFound, "unknown_unit", "there is no such organisational unit")
	ErrUnitInUse         = fault.New(fault.Conflict, "unit_in_use", "the unit has, or had, people or has units inside")
	ErrDuplicateUnit     = fault.New(fault.Conflict, "duplicate_unit", "there is a unit of this name at this place")
	ErrUnknownAssignment = fault.New(fault.NotFound, "unknown_assignment", "the person has no such assignment")
	ErrDuplicateAssign   = fault.New(fault.Conflict, "duplicate_assignment", "the person is in the unit at that time already")
)

// UnitEdit is what ChangeUnit changes; nil leaves a field as it is.
type UnitEdit struct {
	Name        *string `json:"name,omitempty"`
	Code        *string `json:"code,omitempty"`
	Description *string `json:"description,omitempty"`
	ParentID    *int64  `json:"parent_unit_id,omitempty"` // 0: none
}

func (e UnitEdit) apply(u Unit) Unit {
	give(&u.Name, e.Name)
	give(&u.Code, e.Code)
	give(&u.Description, e.Description)
	give(&u.ParentID, e.ParentID)
	return u
}

// CreateUnit adds a unit. It returns ErrReadForbidden, ErrFieldForbidden, ErrDuplicateUnit, or a fault like
// check.ErrInput.
func (s *Service) CreateUnit(ctx context.Context, by identity.Principal, e UnitEdit) (Unit, error) {
	u := e.apply(Unit{})
	err := s.changeUnits(ctx, by, func(ctx context.Context) (err error) {
		if err := s.placeUnit(ctx, by.Tenant, u); err != nil {
			return err
		}
		u.Version, u.CreatedAt = 1, s.now()
		u.UpdatedAt = u.CreatedAt
		if u.ID, err = s.cfg.Store.InsertUnit(ctx, by.Tenant, u); err != nil {
			return err
		}
		return s.unitChanged(ctx, by, Change{Event: EventUnitCreated, ID: u.ID})
	})
	return u, err
}

// ChangeUnit changes a unit of which the caller has seen the version (or AnyVersion). A new name or code is a change of
// everybody in it too. It returns what CreateUnit does, ErrUnknownUnit or ErrVersion.
func (s *Service) ChangeUnit(ctx context.Context, by identity.Principal, id, version int64, e UnitEdit) (Unit, error) {
	var u Unit
	err := s.changeUnits(ctx, by, func(ctx context.Context) error {
		old, err := s.unit(ctx, by.Tenant, id)
		if err != nil {
			return err
		}
		if version != AnyVersion && version != old.Version {
			return ErrVersion
		}
		if u = e.apply(old); u == old {
			return nil
		}
		if err := s.placeUnit(ctx, by.Tenant, u); err != nil {
			return err
		}
		u.Version, u.UpdatedAt = old.Version+1, s.now()
		if err := s.cfg.Store.UpdateUnit(ctx, by.Tenant, u); err != nil {
			return err
		}
		if err := s.unitChanged(ctx, by, Change{Event: EventUnitUpdated, ID: id}); err != nil || (u.Name == old.Name && u.Code == old.Code) {
			return err
		}
		return s.touchMembers(ctx, by.Tenant, id)
	})
	return u, err
}

// DeleteUnit removes a unit that nobody is or was in. It returns ErrReadForbidden, ErrUnknownUnit or ErrUnitInUse.
func (s *Service) DeleteUnit(ctx context.Context, by identity.Principal, id int64) error {
	return s.changeUnits(ctx, by, func(ctx context.Context) error {
		if err := s.cfg.Store.DeleteUnit(ctx, by.Tenant, id); err != nil {
			return err
		}
		return s.unitChanged(ctx, by, Change{Event: EventUnitDeleted, ID: id, Deleted: true})
	})
}

func (s *Service) changeUnits(ctx context.Context, by identity.Principal, fn func(ctx context.Context) error) error {
	if err := Allow(by, ScopeWrite); err != nil {
		return err
	}
	if !GroupsOf(by).Has(Work) {
		return ErrFieldForbidden.With("field", FieldUnits)
	}
	return s.cfg.Store.Do(ctx, func(ctx context.Context) error {
		if err := s.cfg.Store.Lock(ctx, by.Tenant); err != nil {
			return err
		}
		return fn(ctx)
	})
}

func (s *Service) unitChanged(ctx context.Context, by identity.Principal, c Change) error {
	c.Kind = KindUnit
	if err := s.emit(ctx, by.Tenant, "", c); err != nil {
		return err
	}
	return s.cfg.Audit.Record(ctx, audit.By(by, ActionUnit, KindUnit, personID(c.ID)))
}

// placeUnit checks a unit against itself and the others.
func (s *Service) placeUnit(ctx context.Context, tenant identity.TenantID, u Unit) error {
	if err := check.Struct(u); err != nil {
		return err
	}
	same, err := s.cfg.Store.UnitsByName(ctx, tenant, u.Name)
	if err != nil {
		return err
	}
	if slices.ContainsFunc(same, func(o Unit) bool { return o.ID != u.ID && o.ParentID == u.ParentID }) {
		return ErrDuplicateUnit
	}
	for parent, depth := u.ParentID, 0; parent != 0; depth++ {
		found, err := s.cfg.Store.UnitsByID(ctx, tenant, []int64{parent})
		if err != nil {
			return err
		}
		if len(found) == 0 || parent == u.ID || depth > 30 {
			return fault.InvalidField("parent_unit_id", "must be a unit that is not inside this one, at most 30 levels deep")
		}
		parent = found[0].ParentID
	}
	return nil
}

// touchMembers makes a changed unit a change of everybody in it.
func (s *Service) touchMembers(ctx context.Context, tenant identity.TenantID, unit int64) error {
	for after := int64(0); ; {
		ids, err := s.cfg.Store.Members(ctx, tenant, unit, s.today(), after, page.MaxLimit)
		if err != nil || len(ids) == 0 {
			return err
		}
		people, err := s.cfg.Store.ByID(ctx, tenant, ids)
		if err != nil {
			return err
		}
		for _, p := range people {
			if err := s.touch(ctx, tenant, p, Change{Event: EventUpdated}); err != nil {
				return err
			}
		}
		after = ids[len(ids)-1]
	}
}

// touch makes a change of somebody's units a version of the person.
func (s *Service) touch(ctx context.Context, tenant identity.TenantID, p Person, c Change) error {
	p.Version, p.UpdatedAt = p.Version+1, s.now()
	if err := s.cfg.Store.Update(ctx, tenant, p); err != nil {
		return err
	}
	c.Kind, c.ID, c.Time, c.Fields = KindPerson, p.ID, p.UpdatedAt, []string{FieldUnits}
	return s.emit(ctx, tenant, p.UserID, c)
}

func (s *Service) unit(ctx context.Context, tenant identity.TenantID, id int64) (Unit, error) {
	found, err := s.cfg.Store.UnitsByID(ctx, tenant, []int64{id})
	if err != nil {
		return Unit{}, err
	}
	if len(found) == 0 {
		return Unit{}, ErrUnknownUnit
	}
	return found[0], nil
}

// Unit returns a unit, or ErrReadForbidden or ErrUnknownUnit.
func (s *Service) Unit(ctx context.Context, by identity.Principal, id int64) (Unit, error) {
	if err := s.readUnits(by); err != nil {
		return Unit{}, err
	}
	return s.unit(ctx, by.Tenant, id)
}

func (s *Service) readUnits(by identity.Principal) error {
	groups, err := Readable(by)
	if err == nil && !groups.Has(Work) {
		err = ErrFieldForbidden.With("field", FieldUnits)
	}
	return err
}

// Units returns the units by ID. It returns ErrReadForbidden or page.ErrBadCursor.
func (s *Service) Units(ctx context.Context, by identity.Principal, p page.Request) (page.Page[Unit], error) {
	if err := s.readUnits(by); err != nil {
		return page.Page[Unit]{}, err
	}
	return byID(p, "staff.units", func(u Unit) int64 { return u.ID }, func(after int64, limit int) ([]Unit, error) {
		return s.cfg.Store.Units(ctx, by.Tenant, after, limit)
	})
}

// byID is a page of a listing by ID.
func byID[T any](p page.Request, scope string, id func(T) int64, list func(after int64, limit int) ([]T, error)) (page.Page[T], error) {
	var after int64
	if _, err := page.Decode(scope, p.Cursor, &after); err != nil {
		return page.Page[T]{}, err
	}
	items, err := list(after, p.Size()+1)
	if err != nil {
		return page.Page[T]{}, err
	}
	return page.Of(scope, items, p.Size(), func(item T) any { return id(item) }), nil
}

// NewAssignment is a place in a unit to give.
type NewAssignment struct {
	UnitID    int64
	Role      string // default DefaultRole
	Primary   bool   // takes it from the one that is, when it begins; the first assignment of a person is it anyway
	StartDate Date   // default today
	EndDate   Date   // the last day; empty: open
}

// Assign puts a person into a unit for some time. If that begins later, EventAssigned comes then. It returns
// ErrReadForbidden, ErrFieldForbidden, ErrUnknownPerson, ErrUnknownUnit, ErrDuplicateAssign, or a fault like
// check.ErrInput.
func (s *Service) Assign(ctx context.Context, by identity.Principal, person int64, n NewAssignment) (Assignment, error) {
	var a Assignment
	err := s.changeUnits(ctx, by, func(ctx context.Context) error {
		p, err := s.person(ctx, by.Tenant, person)
		if err != nil {
			return err
		}
		if _, err := s.unit(ctx, by.Tenant, n.UnitID); err != nil {
			return err
		}
		a, err = s.assign(ctx, by, p, n)
		return err
	})
	return a, err
}

// assign is Assign under the Lock, for a person as they are and a unit that exists.
func (s *Service) assign(ctx context.Context, by identity.Principal, p Person, n NewAssignment) (Assignment, error) {
	a := Assignment{PersonID: p.ID, UnitID: n.UnitID, Role: n.Role, Primary: n.Primary || len(p.Units) == 0, StartDate: n.StartDate, EndDate: n.EndDate}
	if a.Role == "" {
		a.Role = DefaultRole
	}
	if a.StartDate == "" {
		a.StartDate = s.today()
	}
	bad := check.ErrInput
	if err := check.Struct(a); err != nil {
		return a, err
	}
	if !a.StartDate.Valid() {
		bad = bad.WithField("start_date", "must be a date such as 2024-02-01")
	}
	if !a.EndDate.Valid() || a.EndDate != "" && a.EndDate < a.StartDate {
		bad = bad.WithField("end_date", "must be a date, not before start_date")
	}
	if len(bad.Fields) > 0 {
		return a, bad
	}
	others := p.Units
	if a.StartDate < s.today() { // history is there once, too
		all, err := s.cfg.Store.Assignments(ctx, by.Tenant, []int64{p.ID}, "")
		if err != nil {
			return a, err
		}
		others = all
	}
	for _, o := range others {
		if o.UnitID == a.UnitID && (o.EndDate == "" || o.EndDate >= a.StartDate) && (a.EndDate == "" || a.EndDate >= o.StartDate) {
			return a, ErrDuplicateAssign
		}
	}
	switch today := s.today(); {
	case a.Ended(today):
		a.Told, a.Primary = ToldRemoved, false // history that is written down later
	case a.Current(today):
		a.Told = ToldAssigned
	}
	if a.Primary {
		if err := s.demote(ctx, by.Tenant, p.Units, a); err != nil {
			return a, err
		}
	}
	var err error
	if a.ID, err = s.cfg.Store.InsertAssignment(ctx, by.Tenant, a); err != nil {
		return a, err
	}
	c := Change{Event: EventUpdated}
	if a.Told == ToldAssigned {
		c = Change{Event: EventAssigned, UnitID: a.UnitID}
	}
	if err := s.touch(ctx, by.Tenant, p, c); err != nil {
		return a, err
	}
	entry := audit.By(by, ActionAssign, KindPerson, personID(p.ID))
	entry.Metadata["unit"] = a.UnitID
	return s.named(ctx, by.Tenant, a), s.cfg.Audit.Record(ctx, entry)
}

// named adds the unit's names where they can be had.
func (s *Service) named(ctx context.Context, tenant identity.TenantID, a Assignment) Assignment {
	if u, err := s.unit(ctx, tenant, a.UnitID); err == nil {
		a.UnitName, a.UnitCode = u.Name, u.Code
	}
	return a
}

// demote takes the primary place from all others that hold today, or, for one that is to come, from the others to come: it
// takes the place of today's when it begins.
func (s *Service) demote(ctx context.Context, tenant identity.TenantID, all []Assignment, to Assignment) error {
	today := s.today()
	for _, a := range all {
		if a.Primary && a.ID != to.ID && a.Current(today) == to.Current(today) {
			a.Primary = false
			if err := s.cfg.Store.UpdateAssignment(ctx, tenant, a); err != nil {
				return err
			}
		}
	}
	return nil
}

// Unassign ends an assignment. Its last day is the one given, or yesterday when that is empty, so that the person is out
// now. It returns ErrReadForbidden, ErrFieldForbidden,
// ErrUnknownPerson, ErrUnknownAssignment or a fault like check.ErrInput.
func (s *Service) Unassign(ctx context.Context, by identity.Principal, person, assignment int64, last Date) error {
	return s.changeUnits(ctx, by, func(ctx context.Context) error {
		p, err := s.person(ctx, by.Tenant, person)
		if err != nil {
			return err
		}
		i := slices.IndexFunc(p.Units, func(a Assignment) bool { return a.ID == assignment })
		if i < 0 {
			return ErrUnknownAssignment
		}
		a, today := p.Units[i], s.today()
		begun := a.Told == ToldAssigned
		if last == "" {
			last = DateOf(s.cfg.Now().In(s.cfg.Location).AddDate(0, 0, -1))
			a.StartDate = min(a.StartDate, last)
		}
		if !last.Valid() || last < a.StartDate {
			return fault.InvalidField("end_date", "must be a date, not before start_date")
		}
		a.EndDate = last
		c := Change{Event: EventUpdated}
		if a.Ended(today) {
			a.Told, a.Primary = ToldRemoved, false
			if begun {
				c = Change{Event: EventRemoved, UnitID: a.UnitID}
			}
		}
		if err := s.cfg.Store.UpdateAssignment(ctx, by.Tenant, a); err != nil {
			return err
		}
		if err := s.touch(ctx, by.Tenant, p, c); err != nil {
			return err
		}
		entry := audit.By(by, ActionUnassign, KindPerson, personID(p.ID))
		entry.Metadata["unit"] = a.UnitID
		return s.cfg.Audit.Record(ctx, entry)
	})
}

// Assignments returns all of a person's assignments, also past ones. It returns ErrReadForbidden, ErrFieldForbidden or
// ErrUnknownPerson.
func (s *Service) Assignments(ctx context.Context, by identity.Principal, person int64) ([]Assignment, error) {
	if err := s.readUnits(by); err != nil {
		return nil, err
	}
	if _, err := s.person(ctx, by.Tenant, person); err != nil {
		return nil, err
	}
	return s.cfg.Store.Assignments(ctx, by.Tenant, []int64{person}, "")
}

// sweepAssignments publishes the events of assignments whose first day has come or whose last day is over.
func (s *Service) sweepAssignments(ctx context.Context, limit int) (int, error) {
	today := s.today()
	due, err := s.cfg.Store.Untold(ctx, today, limit)
	if err != nil {
		return 0, err
	}
	for i, d := range due {
		if err := s.tell(ctx, d.Tenant, d.Item, today); err != nil {
			return i, err
		}
	}
	return len(due), nil
}

func (s *Service) tell(ctx context.Context, tenant identity.TenantID, seen Assignment, today Date) error {
	return s.cfg.Store.Do(ctx, func(ctx context.Context) error {
		if err := s.cfg.Store.Lock(ctx, tenant); err != nil {
			return err
		}
		// Another node may have told it since.
		all, err := s.cfg.Store.Assignments(ctx, tenant, []int64{seen.PersonID}, "")
		if err != nil {
			return err
		}
		i := slices.IndexFunc(all, func(a Assignment) bool { return a.ID == seen.ID })
		if i < 0 || all[i].Told != seen.Told {
			return nil
		}
		people, err := s.cfg.Store.ByID(ctx, tenant, []int64{seen.PersonID})
		if err != nil {
			return err
		}
		a, event := all[i], EventAssigned
		if a.Told == ToldAssigned || a.Ended(today) {
			event, a.Told, a.Primary = EventRemoved, ToldRemoved, false
		} else {
			a.Told = ToldAssigned
			if a.Primary {
				if err := s.demote(ctx, tenant, all, a); err != nil {
					return err
				}
			}
		}
		if err := s.cfg.Store.UpdateAssignment(ctx, tenant, a); err != nil || len(people) == 0 {
			return err
		}
		return s.touch(ctx, tenant, people[0], Change{Event: event, UnitID: a.UnitID})
	})
}

func distinct(ids []int64) []int64 {
	out := slices.Clone(ids)
	slices.Sort(out)
	return slices.Compact(out)
}
