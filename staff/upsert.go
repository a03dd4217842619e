package staff

import (
	"context"
	"fmt"
	"strings"

	"github.com/renkei-go/renkei/foundation/audit"
	"github.com/renkei-go/renkei/foundation/check"
	"github.com/renkei-go/renkei/foundation/fault"
	"github.com/renkei-go/renkei/foundation/identity"
)

// Upsert stores people by their UserID, all or none, and returns them as they are now, in the order given. ID, Units and
// the times of the input are ignored; who has no first and last name gets them from Name. Who is already stored as given
// does not change. It returns ErrForbidden, or a fault like check.ErrInput with locations such as "people[2].email".
func (s *Service) Upsert(ctx context.Context, by identity.Principal, people ...Person) ([]Person, error) {
	if !mayChange(by) {
		return nil, ErrForbidden
	}
	ready := make([]Person, len(people))
	for i, p := range people {
		ready[i] = p.named()
	}
	if err := validate(ready); err != nil {
		return nil, err
	}
	var stored []Person
	err := s.cfg.Store.Do(ctx, func(ctx context.Context) (err error) {
		if len(ready) == 0 {
			return nil
		}
		if err := s.cfg.Store.Lock(ctx, by.Tenant); err != nil {
			return err
		}
		stored, err = s.upsert(ctx, by, ready)
		return err
	})
	if err != nil {
		return nil, err
	}
	return stored, nil
}

func (s *Service) upsert(ctx context.Context, by identity.Principal, people []Person) ([]Person, error) {
	ids := make([]string, len(people))
	for i, p := range people {
		ids[i] = p.UserID
	}
	found, err := s.cfg.Store.ByUserID(ctx, by.Tenant, ids)
	if err != nil {
		return nil, err
	}
	before := map[string]Person{}
	for _, p := range found {
		before[p.UserID] = p
	}
	now := s.now()
	var write []Person
	var entries []audit.Entry
	for _, p := range people {
		p = p.complete()
		p.ID, p.Version, p.CreatedAt, p.UpdatedAt = 0, 1, now, now
		old, exists := before[p.UserID]
		if exists {
			p.Version, p.LineManagerID = old.Version+1, old.LineManagerID // which follows from ManagerID
			if len(changed(old, p)) == 0 {
				continue
			}
		}
		write = append(write, p)
		entries = append(entries, audit.By(by, ActionUpsert, KindPerson, p.UserID))
	}
	if len(write) == 0 {
		return inOrder(ids, found), nil
	}
	stored, err := s.cfg.Store.Upsert(ctx, by.Tenant, write)
	if err != nil {
		return nil, err
	}
	for _, p := range stored {
		old, exists := before[p.UserID]
		before[p.UserID] = p
		if err := s.emit(ctx, by.Tenant, p.UserID, changesOf(old, p, exists)...); err != nil {
			return nil, err
		}
	}
	all := make([]Person, 0, len(before))
	for _, p := range before {
		all = append(all, p)
	}
	return inOrder(ids, all), s.cfg.Audit.Record(ctx, entries...)
}

// changesOf says what happened between two states of a person.
func changesOf(old, p Person, existed bool) []Change {
	c := Change{Event: EventCreated, Kind: KindPerson, ID: p.ID, Time: p.UpdatedAt}
	if !existed {
		return []Change{c}
	}
	c.Fields = changed(old, p)
	var out []Change
	rest := c.Fields
	special := func(event, field string) {
		e := c
		e.Event, e.Fields = event, []string{field}
		out = append(out, e)
		rest = without(rest, field)
	}
	if old.Active && !p.Active {
		special(EventDeactivated, "is_active")
	}
	if old.Photo != PhotoApproved && p.Photo == PhotoApproved {
		special(EventPhotoApproved, "photo_approval_status")
	}
	if len(rest) > 0 {
		c.Event, c.Fields = EventUpdated, rest
		out = append([]Change{c}, out...)
	}
	return out
}

func without(list []string, item string) []string {
	out := []string{}
	for _, s := range list {
		if s != item {
			out = append(out, s)
		}
	}
	return out
}

func inOrder(ids []string, people []Person) []Person {
	byID := map[string]Person{}
	for _, p := range people {
		byID[p.UserID] = p
	}
	out := make([]Person, len(ids))
	for i, id := range ids {
		out[i] = byID[id]
	}
	return out
}

func validate(people []Person) error {
	bad := check.ErrInput
	seen := map[string]bool{}
	for i, p := range people {
		at := fmt.Sprintf("people[%d]", i)
		err := p.validate()
		if err != nil && fault.As(err) == nil {
			return err
		}
		for _, f := range fault.FieldsOf(err) {
			bad = bad.WithField(at+"."+f.Location, f.Message)
		}
		if p.UserID == "" {
			bad = bad.WithField(at+".user_id", "is required")
		}
		if seen[p.UserID] {
			bad = bad.WithField(at+".user_id", "must be there once")
		}
		seen[p.UserID] = true
		if p.ManagerID != "" && p.ManagerID == p.UserID {
			bad = bad.WithField(at+".manager_id", "must be somebody else")
		}
	}
	if len(bad.Fields) == 0 {
		return nil
	}
	return bad
}

// validate checks a person by itself. It returns a fault like check.ErrInput.
func (p Person) validate() error {
	err := check.Struct(p)
	if err != nil && fault.As(err) == nil {
		return err
	}
	bad := check.ErrInput
	for _, f := range fault.FieldsOf(err) {
		bad = bad.WithField(f.Location, f.Message)
	}
	if strings.HasPrefix(p.UserID, keyActor) || strings.HasPrefix(p.UserID, "system:") {
		bad = bad.WithField("user_id", "must not begin like that of a machine")
	}
	for _, d := range []struct {
		name string
		date Date
	}{{"date_of_birth", p.DateOfBirth}, {"employment_start_date", p.EmploymentStart}, {"employment_end_date", p.EmploymentEnd}} {
		if !d.date.Valid() {
			bad = bad.WithField(d.name, "must be a date such as 2024-02-01")
		}
	}
	if p.EmploymentEnd != "" && p.EmploymentEnd < p.EmploymentStart {
		bad = bad.WithField("employment_end_date", "must not be before employment_start_date")
	}
	if len(bad.Fields) == 0 {
		return nil
	}
	return bad
}
