package webhookhttp

import (
	"encoding/json"
	"slices"
	"time"

	"github.com/renkei-go/renkei/transport/delivery"
	"github.com/renkei-go/renkei/transport/webhook"
)

// Subscription is a subscription on the wire.
type Subscription struct {
	ID             string     `json:"id"`
	Number         int64      `json:"number" doc:"Rises by one; for clients that know numbers only."`
	URL            string     `json:"url"`
	Events         []string   `json:"events" nullable:"false" example:"person.*"`
	Description    string     `json:"description,omitempty"`
	Owner          string     `json:"owner,omitempty"`
	HeaderNames    []string   `json:"header_names" nullable:"false" doc:"Headers sent along; their values are not shown."`
	Secret         string     `json:"secret,omitempty" doc:"Shown once: when it is made."`
	RateLimit      *RateLimit `json:"rate_limit,omitempty"`
	State          string     `json:"state" enum:"active,paused,disabled"`
	DisabledReason string     `json:"disabled_reason,omitempty" example:"gone"`
	Failures       int        `json:"failures" doc:"Attempts that failed in a row."`
	LastError      string     `json:"last_error,omitempty"`
	LastSuccessAt  *time.Time `json:"last_success_at,omitempty"`
	LastFailureAt  *time.Time `json:"last_failure_at,omitempty"`
	SecretUntil    *time.Time `json:"old_secret_until,omitempty" doc:"Until when the secret before the present one signs too."`
	CreatedBy      string     `json:"created_by"`
	CreatedAt      time.Time  `json:"created_at"`
	UpdatedAt      time.Time  `json:"updated_at"`
}

// RateLimit is how much a receiver wants at most.
type RateLimit struct {
	PerSecond float64 `json:"per_second" minimum:"0" maximum:"100000" doc:"Of all servers together; 0: no limit."`
	Burst     int     `json:"burst,omitempty" minimum:"0" maximum:"100000" doc:"At once after a pause; default: per_second, rounded up."`
}

// limit reads what a request asks for; nil: nothing.
func (r *RateLimit) limit() *delivery.Limit {
	switch {
	case r == nil:
		return nil
	case r.PerSecond == 0:
		return &delivery.Limit{}
	}
	return &delivery.Limit{PerSecond: r.PerSecond, Burst: r.Burst}
}

func viewLimit(l delivery.Limit) *RateLimit {
	if l == (delivery.Limit{}) {
		return nil
	}
	return &RateLimit{l.PerSecond, l.Burst}
}

func view(s webhook.Subscription) Subscription {
	names := make([]string, 0, len(s.Headers))
	for name := range s.Headers {
		names = append(names, name)
	}
	slices.Sort(names)
	return Subscription{
		ID: s.ID, Number: s.Number, URL: s.URL, Events: s.Events, Description: s.Description, Owner: s.Owner, HeaderNames: names,
		Secret: s.Secret.Reveal(), RateLimit: viewLimit(s.Limit), State: string(s.State), DisabledReason: s.DisabledReason, Failures: s.Failures, LastError: s.LastError,
		LastSuccessAt: optional(s.LastSuccessAt), LastFailureAt: optional(s.LastFailureAt), SecretUntil: optional(s.SecretUntil),
		CreatedBy: s.CreatedBy, CreatedAt: s.CreatedAt, UpdatedAt: s.UpdatedAt,
	}
}

// Delivery is a delivery on the wire.
type Delivery struct {
	ID            string          `json:"id"`
	EventID       string          `json:"event_id" doc:"The webhook-id that the receiver sees."`
	Event         string          `json:"event" example:"person.updated"`
	State         string          `json:"state" enum:"pending,leased,succeeded,dead,suppressed,cancelled,forgotten"`
	Attempts      []Attempt       `json:"attempts" nullable:"false"`
	Error         string          `json:"error,omitempty"`
	Body          json.RawMessage `json:"body" doc:"What is sent; null when it is forgotten, because somebody was erased."`
	CreatedAt     time.Time       `json:"created_at"`
	FinishedAt    *time.Time      `json:"finished_at,omitempty"`
	NextAttemptAt *time.Time      `json:"next_attempt_at,omitempty"`
	ResendOf      string          `json:"resend_of,omitempty"`
	ResentBy      string          `json:"resent_by,omitempty"`
}

// Attempt is one POST on the wire.
type Attempt struct {
	Number     int       `json:"number"`
	At         time.Time `json:"at"`
	DurationMS int64     `json:"duration_ms"`
	Result     string    `json:"result" enum:"succeeded,failed,dead,cancelled,forgotten"`
	Status     int       `json:"status,omitempty" doc:"Of the answer."`
	Response   string    `json:"response,omitempty" doc:"The head of the answer, at most 1 KiB, secrets removed."`
	Error      string    `json:"error,omitempty"`
}

func viewDelivery(r delivery.Record) Delivery {
	var body struct {
		Event string `json:"event"`
	}
	_ = r.Decode(&body) // ours; should it be another's, the event stays empty
	out := Delivery{
		ID: r.ID, EventID: r.EventID, Event: body.Event, State: string(r.State), Attempts: make([]Attempt, len(r.History)), Error: r.LastError,
		Body: r.Payload, CreatedAt: r.CreatedAt, FinishedAt: optional(r.FinishedAt), ResendOf: r.ResendOf, ResentBy: r.ResentBy,
	}
	if r.State == delivery.Pending {
		out.NextAttemptAt = optional(r.NextAttemptAt)
	}
	for i, a := range r.History {
		out.Attempts[i] = Attempt{
			Number: a.Number, At: a.StartedAt, DurationMS: a.Duration.Milliseconds(), Result: result(a.State), Status: a.Status,
			Response: a.Response, Error: a.Error,
		}
	}
	return out
}

func result(s delivery.State) string {
	if s == delivery.Pending {
		return "failed"
	}
	return string(s)
}

func optional(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}
