package staffhttp

import (
	"context"
	"net/http"
	"strconv"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/renkei-go/renkei/foundation/identity"
	"github.com/renkei-go/renkei/foundation/page"
	"github.com/renkei-go/renkei/foundation/web"
	"github.com/renkei-go/renkei/staff"
)

type unitIn struct {
	ID int64 `path:"id" minimum:"1"`
}

type unitOut struct {
	ETag string `header:"ETag"`
	Body staff.Unit
}

type createdUnit struct {
	Location string `header:"Location"`
	ETag     string `header:"ETag"`
	Body     staff.Unit
}

type newUnitIn struct{ Body staff.UnitEdit }

type patchUnitIn struct {
	web.Precondition
	ID   int64 `path:"id" minimum:"1"`
	Body staff.UnitEdit
}

type unitsIn struct{ web.PageParams }

type unitsOut struct{ Body web.List[staff.Unit] }

func shownUnit(u staff.Unit, err error) (*unitOut, error) {
	if err != nil {
		return nil, err
	}
	return &unitOut{web.ETag(u.Version), u}, nil
}

// Assignment is an assignment on the wire.
type Assignment struct {
	ID        int64   `json:"id"`
	PersonID  int64   `json:"person_id"`
	UnitID    int64   `json:"organisational_unit_id"`
	UnitName  string  `json:"unit_name"`
	UnitCode  *string `json:"unit_code"`
	Role      string  `json:"role_in_unit"`
	Primary   bool    `json:"is_primary"`
	StartDate string  `json:"start_date" format:"date"`
	EndDate   *string `json:"end_date" format:"date" doc:"The last day; null: open."`
	Current   bool    `json:"is_current"`
}

func (h *handlers) viewAssignment(a staff.Assignment) Assignment {
	text := func(s string) *string {
		if s == "" {
			return nil
		}
		return &s
	}
	return Assignment{
		a.ID, a.PersonID, a.UnitID, a.UnitName, text(a.UnitCode), a.Role, a.Primary, string(a.StartDate), text(string(a.EndDate)),
		a.Current(h.cfg.Staff.Today()),
	}
}

type assignIn struct {
	ID   int64 `path:"id" minimum:"1"`
	Body struct {
		UnitID    int64  `json:"organisational_unit_id" minimum:"1"`
		Role      string `json:"role_in_unit,omitempty" maxLength:"100" doc:"Default: member."`
		Primary   bool   `json:"is_primary,omitempty"`
		StartDate string `json:"start_date,omitempty" format:"date" doc:"Default: today."`
		EndDate   string `json:"end_date,omitempty" format:"date" doc:"The last day; default: open."`
	}
}

type assignmentOut struct{ Body Assignment }

type assignmentsOut struct{ Body web.List[Assignment] }

type unassignIn struct {
	ID           int64  `path:"id" minimum:"1"`
	AssignmentID int64  `path:"assignment_id" minimum:"1"`
	EndDate      string `query:"end_date" format:"date" doc:"The last day; default: yesterday, which ends it now."`
}

func (h *handlers) units(api huma.API) {
	s := h.cfg.Staff
	web.Handle(api, operation(http.MethodGet, "/api/staff/units", "List organisational units", http.StatusOK),
		func(ctx context.Context, by identity.Principal, in *unitsIn) (*unitsOut, error) {
			cut, err := s.Units(ctx, by, in.Page())
			if err != nil {
				return nil, err
			}
			return &unitsOut{web.ListOf(cut, func(u staff.Unit) staff.Unit { return u })}, nil
		})
	web.Handle(api, operation(http.MethodPost, "/api/staff/units", "Add an organisational unit", http.StatusCreated, http.StatusConflict),
		func(ctx context.Context, by identity.Principal, in *newUnitIn) (*createdUnit, error) {
			u, err := s.CreateUnit(ctx, by, in.Body)
			if err != nil {
				return nil, err
			}
			return &createdUnit{"/api/staff/units/" + strconv.FormatInt(u.ID, 10), web.ETag(u.Version), u}, nil
		})
	web.Handle(api, operation(http.MethodGet, "/api/staff/units/{id}", "Get an organisational unit", http.StatusOK, http.StatusNotFound),
		func(ctx context.Context, by identity.Principal, in *unitIn) (*unitOut, error) {
			return shownUnit(s.Unit(ctx, by, in.ID))
		})
	web.Handle(api, operation(http.MethodPatch, "/api/staff/units/{id}", "Change an organisational unit", http.StatusOK,
		http.StatusNotFound, http.StatusConflict, http.StatusPreconditionFailed, http.StatusPreconditionRequired),
		func(ctx context.Context, by identity.Principal, in *patchUnitIn) (*unitOut, error) {
			version, err := in.Version()
			if err != nil {
				return nil, err
			}
			return shownUnit(s.ChangeUnit(ctx, by, in.ID, version, in.Body))
		})
	web.Handle(api, operation(http.MethodDelete, "/api/staff/units/{id}", "Remove an organisational unit that nobody was in", http.StatusNoContent,
		http.StatusNotFound, http.StatusConflict),
		func(ctx context.Context, by identity.Principal, in *unitIn) (*struct{}, error) {
			return nil, s.DeleteUnit(ctx, by, in.ID)
		})
	h.assignments(api)
}

func (h *handlers) assignments(api huma.API) {
	s := h.cfg.Staff
	const path = "/api/staff/people/{id}/units"
	web.Handle(api, operation(http.MethodGet, path, "List a person's assignments, also past ones", http.StatusOK, http.StatusNotFound),
		func(ctx context.Context, by identity.Principal, in *personIn) (*assignmentsOut, error) {
			all, err := s.Assignments(ctx, by, in.ID)
			if err != nil {
				return nil, err
			}
			return &assignmentsOut{web.ListOf(page.Page[staff.Assignment]{Items: all}, h.viewAssignment)}, nil
		})
	web.Handle(api, operation(http.MethodPost, path, "Assign a person to a unit", http.StatusCreated, http.StatusNotFound, http.StatusConflict),
		func(ctx context.Context, by identity.Principal, in *assignIn) (*assignmentOut, error) {
			b := in.Body
			a, err := s.Assign(ctx, by, in.ID, staff.NewAssignment{
				UnitID: b.UnitID, Role: b.Role, Primary: b.Primary, StartDate: staff.Date(b.StartDate), EndDate: staff.Date(b.EndDate),
			})
			if err != nil {
				return nil, err
			}
			return &assignmentOut{h.viewAssignment(a)}, nil
		})
	web.Handle(api, operation(http.MethodDelete, path+"/{assignment_id}", "End an assignment", http.StatusNoContent, http.StatusNotFound),
		func(ctx context.Context, by identity.Principal, in *unassignIn) (*struct{}, error) {
			return nil, s.Unassign(ctx, by, in.ID, in.AssignmentID, staff.Date(in.EndDate))
		})
}

// Change is a line of the change log on the wire.
type Change struct {
	Seq     int64     `json:"seq"`
	Time    time.Time `json:"time"`
	Event   string    `json:"event" example:"person.updated"`
	Kind    string    `json:"kind" enum:"person,unit"`
	ID      int64     `json:"id" doc:"Of the person or unit."`
	UnitID  int64     `json:"organisational_unit_id,omitempty"`
	Fields  []string  `json:"changed_fields,omitempty" doc:"Those that the caller may read; absent: all."`
	Deleted bool      `json:"deleted" doc:"A tombstone: it exists no more."`
	Data    any       `json:"data" doc:"The person or unit as it is now; null for a tombstone."`
}

// Changes is a cut of the change log on the wire.
type Changes struct {
	Items      []Change `json:"items" nullable:"false"`
	NextCursor string   `json:"next_cursor,omitempty" doc:"Absent when nothing more has happened."`
	Cursor     string   `json:"cursor" doc:"Where to go on, now or later."`
}

type changesIn struct{ web.PageParams }

type changesOut struct{ Body Changes }

func (h *handlers) changes(api huma.API) {
	op := operation(http.MethodGet, "/api/staff/changes", "Read what changed after a cursor, oldest first", http.StatusOK, http.StatusGone)
	op.Description = `Without a cursor from the beginning of what is kept, at least 90 days; "now" gives the present end. 410 cursor_expired: read everything anew.`
	web.Handle(api, op, func(ctx context.Context, by identity.Principal, in *changesIn) (*changesOut, error) {
		feed, err := h.cfg.Staff.Changes(ctx, by, in.Page())
		h.pulled(ctx, by, "changes", int64(len(feed.Items)), err)
		if err != nil {
			return nil, err
		}
		out := &changesOut{Changes{Items: make([]Change, len(feed.Items)), Cursor: feed.Cursor}}
		if feed.More {
			out.Body.NextCursor = feed.Cursor
		}
		for i, c := range feed.Items {
			shown := Change{c.Number, c.Time, c.Event, c.Kind, c.ID, c.UnitID, c.Fields, c.Deleted, nil}
			switch {
			case c.Person != nil:
				shown.Data = c.Person
			case c.Unit != nil:
				shown.Data = c.Unit
			}
			out.Body.Items[i] = shown
		}
		return out, nil
	})
}
