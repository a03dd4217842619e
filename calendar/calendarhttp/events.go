package calendarhttp

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/renkei-go/renkei/calendar"
	"github.com/renkei-go/renkei/calendar/ical"
	"github.com/renkei-go/renkei/foundation/identity"
	"github.com/renkei-go/renkei/foundation/page"
	"github.com/renkei-go/renkei/foundation/web"
)

var tags = []string{"calendar"}

type eventID struct {
	ID string `path:"id" maxLength:"200"`
}

type createInput struct{ Body NewEvent }

type createdOutput struct {
	Location string `header:"Location"`
	ETag     string `header:"ETag"`
	Body     Event
}

type eventOutput struct {
	ETag string `header:"ETag"`
	Body Event
}

// answer gives an entity tag to what is seen in full only: a version tells of changes.
func answer(v calendar.View) *eventOutput {
	out := &eventOutput{Body: eventOf(v)}
	if v.Full {
		out.ETag = web.ETag(v.Version)
	}
	return out
}

type listInput struct {
	Owner    string    `query:"owner" maxLength:"200" doc:"Whose calendar; default the caller's, unless resource is given."`
	Resource string    `query:"resource" maxLength:"200" doc:"What the events hold."`
	Status   string    `query:"status" enum:"PENDING,CONFIRMED,CANCELLED" doc:"Default: all but CANCELLED."`
	From     time.Time `query:"from" doc:"What ends after this."`
	To       time.Time `query:"to" doc:"What begins before this."`
	web.PageParams
}

type listOutput struct{ Body Events }

type patchInput struct {
	ID string `path:"id" maxLength:"200"`
	web.Precondition
	Body EventPatch
}

type cancelInput struct {
	ID string `path:"id" maxLength:"200"`
	web.Precondition
}

type rsvpInput struct {
	ID   string `path:"id" maxLength:"200"`
	Body RSVP
}

type icsOutput struct {
	ContentType string `header:"Content-Type"`
	Disposition string `header:"Content-Disposition"`
	ETag        string `header:"ETag"`
	Body        []byte
}

type busyInput struct {
	Users []string  `query:"users" required:"true" maxItems:"100" doc:"User ids, separated by commas."`
	From  time.Time `query:"from" required:"true"`
	To    time.Time `query:"to" required:"true"`
}

type busyOutput struct{ Body web.List[UserBusy] }

// Register adds the operations to an API that web.Use has prepared.
func Register(api huma.API, s *calendar.Service) {
	registerEvents(api, s)
	registerReading(api, s)
	registerResources(api, s)
}

func registerEvents(api huma.API, s *calendar.Service) {
	web.Handle(api, huma.Operation{
		OperationID: "create-event", Method: http.MethodPost, Path: "/events", Tags: tags,
		Summary: "Book an event", DefaultStatus: http.StatusCreated, Errors: []int{http.StatusConflict},
	}, func(ctx context.Context, by identity.Principal, in *createInput) (*createdOutput, error) {
		v, err := s.Create(ctx, by, in.Body.event())
		if err != nil {
			return nil, err
		}
		return &createdOutput{Location: "/events/" + v.ID, ETag: web.ETag(v.Version), Body: eventOf(v)}, nil
	})
	web.Handle(api, huma.Operation{
		OperationID: "update-event", Method: http.MethodPatch, Path: "/events/{id}", Tags: tags,
		Summary: "Change an event", Errors: []int{http.StatusConflict, http.StatusPreconditionFailed, http.StatusPreconditionRequired},
	}, func(ctx context.Context, by identity.Principal, in *patchInput) (*eventOutput, error) {
		version, err := in.Version()
		if err != nil {
			return nil, err
		}
		v, err := s.Update(ctx, by, in.ID, version, in.Body.patch())
		if err != nil {
			return nil, err
		}
		return answer(v), nil
	})
	web.Handle(api, huma.Operation{
		OperationID: "cancel-event", Method: http.MethodDelete, Path: "/events/{id}", Tags: tags,
		Summary: "Cancel an event", DefaultStatus: http.StatusNoContent,
		Errors: []int{http.StatusConflict, http.StatusPreconditionFailed, http.StatusPreconditionRequired},
	}, func(ctx context.Context, by identity.Principal, in *cancelInput) (*struct{}, error) {
		version, err := in.Version()
		if err != nil {
			return nil, err
		}
		return nil, s.Cancel(ctx, by, in.ID, version)
	})
	web.Handle(api, huma.Operation{
		OperationID: "rsvp", Method: http.MethodPost, Path: "/events/{id}/rsvp", Tags: tags,
		Summary: "Answer an invitation", DefaultStatus: http.StatusOK, Errors: []int{http.StatusConflict},
	}, func(ctx context.Context, by identity.Principal, in *rsvpInput) (*eventOutput, error) {
		v, err := s.Respond(ctx, by, in.ID, calendar.Response{Partstat: calendar.Partstat(in.Body.Partstat), Comment: in.Body.Comment})
		if err != nil {
			return nil, err
		}
		return answer(v), nil
	})
}

func registerReading(api huma.API, s *calendar.Service) {
	web.Handle(api, huma.Operation{
		OperationID: "list-events", Method: http.MethodGet, Path: "/events", Tags: tags,
		Summary: "Events of a calendar or a resource, as the caller may see them",
	}, func(ctx context.Context, by identity.Principal, in *listInput) (*listOutput, error) {
		p, err := s.List(ctx, by, calendar.Filter{
			OwnerID: in.Owner, ResourceID: in.Resource, Status: calendar.Status(in.Status), From: in.From, To: in.To,
		}, in.Page())
		if err != nil {
			return nil, err
		}
		return &listOutput{Body: eventsOf(p)}, nil
	})
	web.Handle(api, huma.Operation{
		OperationID: "get-event", Method: http.MethodGet, Path: "/events/{id}", Tags: tags, Summary: "An event",
	}, func(ctx context.Context, by identity.Principal, in *eventID) (*eventOutput, error) {
		v, err := s.Get(ctx, by, in.ID)
		if err != nil {
			return nil, err
		}
		return answer(v), nil
	})
	web.Handle(api, huma.Operation{
		OperationID: "get-event-ics", Method: http.MethodGet, Path: "/events/{id}/event.ics", Tags: tags, Summary: "An event as iCalendar",
		Responses: map[string]*huma.Response{"200": {
			Description: "OK", Content: map[string]*huma.MediaType{"text/calendar": {Schema: &huma.Schema{Type: huma.TypeString}}},
		}},
	}, func(ctx context.Context, by identity.Principal, in *eventID) (*icsOutput, error) {
		v, err := s.Get(ctx, by, in.ID)
		if err != nil {
			return nil, err
		}
		body, err := ical.Write(ical.Calendar{Events: []ical.VEvent{component(v)}})
		if err != nil {
			return nil, err
		}
		return &icsOutput{
			ContentType: "text/calendar; charset=utf-8", Disposition: `attachment; filename="event.ics"`, ETag: web.ETag(v.Version), Body: body,
		}, nil
	})
	web.Handle(api, huma.Operation{
		OperationID: "get-freebusy", Method: http.MethodGet, Path: "/freebusy", Tags: tags,
		Summary: "When people are busy, as far as the caller may know",
	}, func(ctx context.Context, by identity.Principal, in *busyInput) (*busyOutput, error) {
		busy, err := s.FreeBusy(ctx, by, in.Users, in.From, in.To)
		if err != nil {
			return nil, err
		}
		return &busyOutput{Body: web.ListOf(page.Page[calendar.Busy]{Items: busy}, func(b calendar.Busy) UserBusy {
			return UserBusy{UserID: b.UserID, Busy: spans(b.Busy)}
		})}, nil
	})
}

// statuses are the statuses as STATUS (RFC 5545 §3.8.1.11).
var statuses = map[calendar.Status]string{calendar.Pending: "TENTATIVE", calendar.Confirmed: "CONFIRMED", calendar.Cancelled: "CANCELLED"}

// component is an event that is seen in full.
func component(v calendar.View) ical.VEvent {
	e := ical.VEvent{
		UID: v.UID, Sequence: v.Sequence, DTStamp: v.UpdatedAt, Start: v.Start, End: v.End, TimeZone: v.TimeZone, AllDay: v.AllDay,
		RRule: v.Recurrence, Summary: v.Title, Location: v.Location, Description: v.Description,
		Status: statuses[v.Status], Class: v.Visibility.Class(), Created: v.CreatedAt, LastModified: v.UpdatedAt,
	}
	if v.OrganizerEmail != "" {
		e.Organizer = &ical.Organizer{Email: v.OrganizerEmail, Name: v.OrganizerName}
	}
	for _, a := range v.Attendees {
		e.Attendees = append(e.Attendees, ical.Attendee{Email: a.Email, Name: a.Name, Partstat: string(a.Partstat)})
	}
	return e
}
