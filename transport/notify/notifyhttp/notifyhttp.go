package notifyhttp

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/renkei-go/renkei/foundation/fault"
	"github.com/renkei-go/renkei/foundation/identity"
	"github.com/renkei-go/renkei/foundation/page"
	"github.com/renkei-go/renkei/foundation/web"
	"github.com/renkei-go/renkei/transport/delivery"
	"github.com/renkei-go/renkei/transport/notify"
)

// Service is what is served; notify.Service is one.
type Service interface {
	Get(ctx context.Context, tenant identity.TenantID, id string) (notify.Record, error)
	List(ctx context.Context, tenant identity.TenantID, f notify.Filter, p page.Request) (page.Page[notify.Record], error)
	Resend(ctx context.Context, by identity.Principal, id, key string) (notify.Notice, error)
	Settings(ctx context.Context, by identity.Principal) (notify.Settings, error)
	SetSettings(ctx context.Context, by identity.Principal, set notify.Settings) (notify.Settings, error)
	ChannelNames() []string
}

// ErrAdminOnly is returned to who is not an admin.
var ErrAdminOnly = fault.New(fault.Forbidden, "admin_only", "only an administrator may do this")

// admin is the role that sees everything.
const admin = "admin"

// Notice is a notice on the wire.
type Notice struct {
	ID           string     `json:"id"`
	Template     string     `json:"template"`
	Recipient    string     `json:"recipient"`
	Channel      string     `json:"channel,omitempty" doc:"The one in use, or the last."`
	State        string     `json:"state" enum:"pending,sent,suppressed,obsolete,dead"`
	SubjectID    string     `json:"subject_id,omitempty"`
	CreatedAt    time.Time  `json:"created_at"`
	SentAt       *time.Time `json:"sent_at,omitempty" doc:"When the channel accepted it."`
	NextRetryAt  *time.Time `json:"next_retry_at,omitempty"`
	SuppressedBy string     `json:"suppressed_by,omitempty" doc:"The notice that was sent instead."`
	DigestID     string     `json:"digest_id,omitempty" doc:"The notice in whose message it went."`
	ResendOf     string     `json:"resend_of,omitempty"`
	Error        string     `json:"error,omitempty"`
	Attempts     []Attempt  `json:"attempts" nullable:"false"`
}

// Attempt is one try of a channel on the wire.
type Attempt struct {
	Channel    string    `json:"channel"`
	Number     int       `json:"number"`
	At         time.Time `json:"at"`
	DurationMS int64     `json:"duration_ms"`
	Result     string    `json:"result" enum:"sent,failed,dead,suppressed,obsolete"`
	Error      string    `json:"error,omitempty"`
}

type listInput struct {
	web.PageParams
	Recipient string `query:"recipient" doc:"Person id; for others than administrators their own."`
	Template  string `query:"template"`
	SubjectID string `query:"subject_id"`
	State     string `query:"state" enum:"pending,sent,suppressed,obsolete,dead"`
}

type listOutput struct{ Body web.List[Notice] }

type resendInput struct {
	ID  string `path:"id"`
	Key string `header:"Idempotency-Key" hidden:"true"`
}

type resendOutput struct{ Body Notice }

// Register adds the operations to api, on which web.Use was called.
func Register(api huma.API, s Service) {
	registerSettings(api, s)
	web.Handle(api, huma.Operation{
		OperationID: "list-notices", Method: http.MethodGet, Path: "/notices", Summary: "List notices, newest first", Tags: []string{"notices"},
	}, func(ctx context.Context, by identity.Principal, in *listInput) (*listOutput, error) {
		f := notify.Filter{Recipient: in.Recipient, Template: in.Template, SubjectID: in.SubjectID, State: notify.State(in.State)}
		if !by.HasRole(admin) {
			if f.Recipient != "" && f.Recipient != by.User() {
				return &listOutput{}, nil // as if there were none
			}
			f.Recipient = by.User()
		}
		cut, err := s.List(ctx, by.Tenant, f, in.Page())
		if err != nil {
			return nil, err
		}
		return &listOutput{web.ListOf(cut, view)}, nil
	})
	web.Handle(api, huma.Operation{
		OperationID: "resend-notice", Method: http.MethodPost, Path: "/notices/{id}/resend", Summary: "Send a finished notice again",
		Tags: []string{"notices"}, DefaultStatus: http.StatusCreated, Errors: []int{http.StatusForbidden, http.StatusNotFound, http.StatusConflict},
	}, func(ctx context.Context, by identity.Principal, in *resendInput) (*resendOutput, error) {
		if !by.HasRole(admin) {
			r, err := s.Get(ctx, by.Tenant, in.ID)
			if err != nil {
				return nil, err
			}
			if r.Recipient != by.User() {
				return nil, notify.ErrUnknown // hidden, the same as absent
			}
			return nil, ErrAdminOnly
		}
		n, err := s.Resend(ctx, by, in.ID, in.Key)
		if err != nil {
			return nil, err
		}
		return &resendOutput{view(notify.Record{Notice: n})}, nil
	})
}

func view(r notify.Record) Notice {
	_, subjectID, _ := strings.Cut(r.Subject, "/")
	out := Notice{
		ID: r.ID, Template: r.Template, Recipient: r.Recipient, Channel: r.Channel, State: string(r.State), SubjectID: subjectID,
		CreatedAt: r.CreatedAt, SentAt: optional(r.SentAt), NextRetryAt: optional(r.NextRetry), SuppressedBy: r.SuppressedBy,
		ResendOf: r.ResendOf, Error: r.LastError, Attempts: make([]Attempt, len(r.Attempts)),
	}
	if r.DigestID != r.ID {
		out.DigestID = r.DigestID
	}
	for i, a := range r.Attempts {
		out.Attempts[i] = Attempt{
			Channel: a.Channel, Number: a.Number, At: a.StartedAt, DurationMS: a.Duration.Milliseconds(), Result: result(a.State), Error: a.Error,
		}
	}
	return out
}

// result says in the words of notices what an attempt led to.
func result(s delivery.State) string {
	switch s {
	case delivery.Succeeded:
		return "sent"
	case delivery.Dead:
		return "dead"
	case delivery.Suppressed:
		return "suppressed"
	case delivery.Cancelled:
		return "obsolete"
	default:
		return "failed"
	}
}

func optional(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}
