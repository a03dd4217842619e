package delivery

import (
	"context"
	"encoding/json"
	"time"

	"github.com/renkei-go/renkei/foundation/fault"
	"github.com/renkei-go/renkei/foundation/identity"
)

// State is where a delivery stands.
type State string

// The states. The last five are final.
const (
	Pending    State = "pending"    // waits for NextAttemptAt
	Leased     State = "leased"     // an engine has it until NextAttemptAt
	Succeeded  State = "succeeded"  // the destination accepted it
	Dead       State = "dead"       // it failed for good, or too often
	Suppressed State = "suppressed" // its sender found that it would repeat another
	Cancelled  State = "cancelled"  // somebody, or its sender, found it obsolete
	Forgotten  State = "forgotten"  // it was one of the others, and what it held was erased
)

// Final says whether the state never changes again.
func (s State) Final() bool { return s != Pending && s != Leased }

// The faults of this package.
var (
	ErrUnknown     = fault.New(fault.NotFound, "unknown_delivery", "there is no such delivery")
	ErrUnknownKind = fault.New(fault.Invalid, "invalid_delivery", "a delivery needs a tenant, a kind and a destination")
	ErrPayload     = fault.New(fault.Invalid, "invalid_payload", "the payload does not encode to JSON")
	ErrNotPending  = fault.New(fault.Conflict, "delivery_not_pending", "only a pending delivery can be cancelled")
	ErrLimit       = fault.New(fault.Invalid, "invalid_limit", "a limit is a number per second and a burst, neither below zero")
	ErrNotFinal    = fault.New(fault.Conflict, "delivery_not_finished", "only a finished delivery can be sent again")
	ErrForgotten   = fault.New(fault.Conflict, "delivery_forgotten", "what the delivery held was erased")
)

// Job asks for one delivery.
type Job struct {
	Tenant      identity.TenantID // required
	Kind        string            // required: which Sender, e.g. "notice"
	Destination string            // required: what may hang on its own, e.g. "mail" or a webhook's id; deliveries to it share its cap
	Key         string            // unique per tenant and kind: a second job with it is a no-op; empty: none
	Subject     string            // "<kind>/<id>" that it is about, for people who search
	EventID     string            // the event or object that caused it, for History
	OrderKey    string            // what a Kind that is Ordered keeps in order at one destination; empty: no order
	Payload     any               // encodes to JSON; json.RawMessage is kept byte for byte
	NotBefore   time.Time         // first attempt; zero: now
	MaxAttempts int               // first try included; 0: as many as the policy of its kind allows
	Trace       string            // W3C traceparent of what caused it; empty: that of ctx, if any
}

// Enqueuer takes jobs into the transaction in ctx: they are delivered if and only if it commits.
// Implementations are safe for concurrent use and make no network call. A job whose Key is known is left out silently.
type Enqueuer interface {
	Enqueue(ctx context.Context, jobs ...Job) error
}

// Delivery is a job on its way, as stored.
type Delivery struct {
	ID            string // UUIDv7; stays the same over all attempts
	Tenant        identity.TenantID
	Kind          string
	Destination   string
	Key           string
	Subject       string
	EventID       string
	OrderKey      string
	Payload       json.RawMessage
	State         State
	Attempts      int       // begun so far
	MaxAttempts   int       // 0: the policy of its kind decides
	NextAttemptAt time.Time // while leased: when another engine may take it over; zero when final
	LeaseToken    string    // while leased
	LastError     string    // cleaned and at most 1 KiB
	CreatedAt     time.Time
	FinishedAt    time.Time // zero until final
	ResendOf      string    // the delivery that this one repeats
	ResentBy      string    // who asked for it
	Trace         string    // W3C traceparent of what enqueued it; empty: none
}

// Decode reads the payload into v. It returns ErrPayload when it does not fit.
func (d Delivery) Decode(v any) error {
	if err := json.Unmarshal(d.Payload, v); err != nil {
		return ErrPayload.Because(err)
	}
	return nil
}

// Attempt is one line of a delivery's history.
type Attempt struct {
	DeliveryID string
	Number     int // from 1; a number that is missing belongs to an attempt whose process died: its outcome is unknown
	StartedAt  time.Time
	Duration   time.Duration
	State      State  // what the delivery became by it: Pending is a failure that is tried again
	Status     int    // of the answer, e.g. an HTTP or SMTP code; 0: none
	Response   string // head of the answer, cleaned and at most 1 KiB
	Error      string // cleaned and at most 1 KiB
}

// Record is a delivery with its history, oldest attempt first.
type Record struct {
	Delivery
	History []Attempt
}

// Sender makes one attempt. It is called by several goroutines at once, outside any transaction, and must return soon
// after ctx ends, which is Config.Timeout after the call at the latest. The same Delivery.ID may come again after a
// crash. A panic counts as a failed attempt.
type Sender interface {
	Send(ctx context.Context, d Delivery) Result
}

// SenderFunc makes a function a Sender.
type SenderFunc func(ctx context.Context, d Delivery) Result

// Send calls f.
func (f SenderFunc) Send(ctx context.Context, d Delivery) Result { return f(ctx, d) }
