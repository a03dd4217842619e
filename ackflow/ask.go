package ackflow

import (
	"context"
	"slices"
	"time"

	"github.com/renkei-go/renkei/foundation/fault"
	"github.com/renkei-go/renkei/foundation/identity"
)

// DefaultRemindHours is the time between reminders when a request or template names none.
const DefaultRemindHours = 24

// MostHours bounds every number of hours: a year.
const MostHours = 8784

// NewMessage is a message to be written.
type NewMessage struct {
	RoomID string `json:"roomId" validate:"required,single_line,maxrunes=200"`
	Body   string `json:"body" validate:"required,text=multiline,maxrunes=20000"`
}

// Terms say who is asked, and what happens when they do not answer. They are common to requests and templates.
type Terms struct {
	RequiredUserIDs  []string `json:"requiredUserIds" validate:"max=500,dive,required,single_line,maxrunes=200"`
	RequiredGroupIDs []string `json:"requiredGroupIds" validate:"max=20,dive,required,single_line,maxrunes=200"`
	RequiredRoles    []string `json:"requiredRoles" validate:"max=20,dive,required,single_line,maxrunes=200"`
	// RemindIntervalHours is the time between reminders, from DueAt on; 0: DefaultRemindHours.
	RemindIntervalHours int `json:"remindIntervalHours" validate:"gte=0,lte=8784"`
	// EscalationAfterHours is when, after DueAt, those below are told, once; nil: never.
	EscalationAfterHours *int     `json:"escalationAfterHours" validate:"omitempty,gte=0,lte=8784"`
	EscalationUserIDs    []string `json:"escalationUserIds" validate:"max=50,dive,required,single_line,maxrunes=200"`
	EscalationGroupIDs   []string `json:"escalationGroupIds" validate:"max=20,dive,required,single_line,maxrunes=200"`
	EscalationRoles      []string `json:"escalationRoles" validate:"max=20,dive,required,single_line,maxrunes=200"`
}

func (t Terms) required() Audience {
	return Audience{t.RequiredUserIDs, t.RequiredGroupIDs, t.RequiredRoles}
}

func (t Terms) escalation() Escalation {
	return Escalation{AfterHours: t.EscalationAfterHours, To: Audience{t.EscalationUserIDs, t.EscalationGroupIDs, t.EscalationRoles}}
}

func (t Terms) remind() int {
	if t.RemindIntervalHours == 0 {
		return DefaultRemindHours
	}
	return t.RemindIntervalHours
}

// NewRequest asks for acknowledgement of a message that is there, or of a new one: exactly one of the two is given.
type NewRequest struct {
	MessageID string      `json:"messageId" validate:"single_line,maxrunes=200"`
	Message   *NewMessage `json:"message"`
	Terms
	DueAt time.Time `json:"dueAt"` // zero: no hurry
}

var (
	earliest = time.Date(1970, 1, 1, 0, 0, 0, 0, time.UTC)
	latest   = time.Date(2200, 1, 1, 0, 0, 0, 0, time.UTC)
)

func (n NewRequest) validate() error {
	err := valid(n)
	bad := fault.As(err)
	if bad == nil {
		bad = ErrInput
	}
	switch {
	case n.MessageID == "" && n.Message == nil:
		bad = bad.WithField("messageId", "is required, or message")
	case n.MessageID != "" && n.Message != nil:
		bad = bad.WithField("message", "is not allowed beside messageId")
	}
	if !n.DueAt.IsZero() && (n.DueAt.Before(earliest) || !n.DueAt.Before(latest)) {
		bad = bad.WithField("dueAt", "must be a time in the years 1970 to 2199")
	}
	if len(bad.Fields) > 0 {
		return bad
	}
	return nil
}

// plan is a request about to be made: what Ask makes, and what Preview shows.
type plan struct {
	request   Request
	asked     []Asked
	escalates []Asked // at present; empty with an escalation: the managers of those who are missing
}

// plan decides everything about a request but its message.
func (s *Service) plan(ctx context.Context, tenant identity.TenantID, t Terms, dueAt, now time.Time) (plan, error) {
	asked, err := s.required(ctx, tenant, t.required())
	if err != nil {
		return plan{}, err
	}
	e := t.escalation()
	escalates, err := s.escalatees(ctx, tenant, e.To)
	if err != nil {
		return plan{}, err
	}
	r := Request{
		Tenant: tenant, Named: t.required(), DueAt: dueAt.UTC().Truncate(time.Microsecond), RemindHour: t.remind(), Escalation: e,
		CreatedAt: now, Required: len(asked), Missing: len(asked),
	}
	if !r.DueAt.IsZero() {
		r.RemindAt = r.DueAt
		if e.AfterHours != nil {
			r.EscalateAt = r.DueAt.Add(time.Duration(*e.AfterHours) * time.Hour)
		}
	}
	if r.EscalateAt.IsZero() {
		escalates = nil
	}
	return plan{r, asked, escalates}, nil
}

// Preview is what Ask would do.
type Preview struct {
	Asked      []Asked
	DueAt      time.Time // zero: no hurry
	RemindAt   time.Time // the first reminder to those who are missing then; zero: none
	RemindHour int       // hours between reminders
	EscalateAt time.Time // zero: never
	Escalates  []Asked   // who would be told then, as things stand; empty with EscalateAt: the managers of those missing
}

// Preview is the dry run of Ask: it decides the same by the same rules, returns the same faults, and changes nothing.
func (s *Service) Preview(ctx context.Context, by identity.Principal, n NewRequest) (Preview, error) {
	if err := n.validate(); err != nil {
		return Preview{}, err
	}
	now, err := s.now(ctx)
	if err != nil {
		return Preview{}, err
	}
	if n.MessageID != "" {
		if _, err := s.askable(ctx, by, n.MessageID, s.readMessage); err != nil {
			return Preview{}, err
		}
	}
	p, err := s.plan(ctx, by.Tenant, n.Terms, n.DueAt, now)
	if err != nil {
		return Preview{}, err
	}
	if n.MessageID != "" {
		if _, err := s.store.RequestOf(ctx, by.Tenant, n.MessageID); !isGone(err) {
			if err == nil {
				err = ErrDuplicateRequest
			}
			return Preview{}, err
		}
	}
	r := p.request
	return Preview{
		Asked: p.asked, DueAt: r.DueAt, RemindAt: r.RemindAt, RemindHour: r.RemindHour, EscalateAt: r.EscalateAt, Escalates: p.escalates,
	}, nil
}

// Ask asks people to acknowledge a message. Anybody signed in may. It returns ErrInput, ErrRequiredUsers,
// ErrEscalationUsers, ErrNotFound for a message that is not there or not the caller's to ask about, ErrMessageDeleted,
// or ErrDuplicateRequest.
func (s *Service) Ask(ctx context.Context, by identity.Principal, n NewRequest) (Detail, error) {
	if err := n.validate(); err != nil {
		return Detail{}, err
	}
	var out Detail
	err := s.store.Do(ctx, func(ctx context.Context) error {
		now, err := s.now(ctx)
		if err != nil {
			return err
		}
		var m Message
		if n.MessageID != "" {
			if m, err = s.askable(ctx, by, n.MessageID, s.lockMessage); err != nil {
				return err
			}
		}
		p, err := s.plan(ctx, by.Tenant, n.Terms, n.DueAt, now)
		if err != nil {
			return err
		}
		if n.Message != nil {
			if m, err = s.write(ctx, by, *n.Message, now); err != nil {
				return err
			}
		}
		out, err = s.ask(ctx, by, p, m, now)
		return err
	})
	if err != nil {
		return Detail{}, err
	}
	return out, nil
}

// ask stores a planned request on a message.
func (s *Service) ask(ctx context.Context, by identity.Principal, p plan, m Message, now time.Time) (Detail, error) {
	r := p.request
	if r.ID == "" {
		r.ID = s.cfg.NewID()
	}
	r.MessageID, r.Room, r.Revision, r.CreatedBy = m.ID, m.Room, m.Revision, by.User()
	people := ids(p.asked)
	if err := s.store.InsertRequest(ctx, r, people); err != nil {
		return Detail{}, err
	}
	others := slices.DeleteFunc(slices.Clone(people), func(id string) bool { return id == r.CreatedBy })
	f := fact{
		action: "chat_ack_request_created", event: EventRequested, request: r, users: people,
		more:    map[string]any{"requiredUserIds": people, "roomId": r.Room},
		notices: s.noticesTo(r, m, TemplateRequested, others),
	}
	if r.TemplateID != "" {
		f.more["templateId"] = r.TemplateID
	}
	if err := s.tell(ctx, by, now, f); err != nil {
		return Detail{}, err
	}
	d := Detail{Request: r, State: r.State(now), Message: &m, People: make([]Person, 0, len(people)), Links: []Link{}}
	for _, id := range people {
		d.People = append(d.People, Person{UserID: id})
	}
	return d, nil
}
