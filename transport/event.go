package transport

import (
	"context"
	"encoding/json"
	"time"

	"github.com/renkei-go/renkei/foundation/identity"
)

// Event is something that happened, in the past tense: "calendar.event.confirmed".
type Event struct {
	ID       string            // UUIDv7; filled by the outbox when empty; stable over redelivery
	Type     string            // dotted, lower case; the first part is the package
	Tenant   identity.TenantID // whose event
	Subject  string            // what it is about, "<kind>/<id>", never empty; events of a subject keep their order
	Time     time.Time         // when it happened, UTC; filled by the outbox when zero
	Sequence int64             // rises by one per (tenant, subject); given by the outbox
	Data     any               // encodes to JSON; a received event holds json.RawMessage: use Decode
	Trace    string            // W3C traceparent of what made it happen; filled by the outbox from ctx when empty; may stay empty
}

// Decode reads the event's data into v.
func (e Event) Decode(v any) error {
	raw, err := e.JSON()
	if err != nil {
		return err
	}
	return json.Unmarshal(raw, v)
}

// JSON returns the event's data encoded.
func (e Event) JSON() (json.RawMessage, error) {
	if raw, ok := e.Data.(json.RawMessage); ok {
		return raw, nil
	}
	return json.Marshal(e.Data)
}

// Outbox takes events into the transaction in ctx (sqldb.DB.Do): they are published if and only if it commits.
// Implementations are safe for concurrent use. Nothing is sent before the commit and no network call is made.
type Outbox interface {
	Publish(ctx context.Context, events ...Event) error
}

// Handler consumes an event. It runs inside a transaction that also marks the event as handled, so what it writes
// through that transaction happens once; it must not call the network (enqueue a delivery instead).
// An error is retried and at last the event is poisoned (PoisonStore).
type Handler func(ctx context.Context, ev Event) error

// BatchHandler is a Handler of events that share a transaction, in the order in which they came: what it does for all of
// them at once costs little more than for one. Each event's Trace is what to go on with. An error means all of them;
// each is then handled by itself, and only those that fail again are at fault.
type BatchHandler func(ctx context.Context, events []Event) error

// Notice asks that a person be told something. The intent is stored in the transaction in ctx; sending follows.
type Notice struct {
	Template  string            // "approval.requested": what is said
	Recipient string            // person id in the directory
	Subject   string            // "<kind>/<id>" that it is about, e.g. "calendar.event/0197…"; the suppression key with Template and Recipient
	Data      map[string]any    // for the template; plain JSON data
	Critical  bool              // passes quiet hours and digests
	Tenant    identity.TenantID // whose
}

// Notifier takes notices. Implementations are safe for concurrent use and join the transaction in ctx.
type Notifier interface {
	Notify(ctx context.Context, notices ...Notice) error
}
