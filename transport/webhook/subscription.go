package webhook

import (
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"

	"golang.org/x/net/http/httpguts"

	"github.com/renkei-go/renkei/foundation/check"
	"github.com/renkei-go/renkei/foundation/fault"
	"github.com/renkei-go/renkei/foundation/identity"
	"github.com/renkei-go/renkei/foundation/secret"
	"github.com/renkei-go/renkei/transport/delivery"
)

// State says whether a subscription is sent to.
type State string

// The states. Nothing is lost in the last two: events wait until Resume.
const (
	Active   State = "active"
	Paused   State = "paused"   // by somebody
	Disabled State = "disabled" // by the engine: the receiver answered 410, or failed for too long
)

// Subscription is who wants which events.
type Subscription struct {
	ID          string // UUIDv7, given
	Number      int64  // rises by one per tenant and kind, given; for clients that know numbers only (seed 001)
	Tenant      identity.TenantID
	URL         string                   // https, see Guard; a query is kept
	Events      []string                 // types, "prefix.*", or "*": at least one
	Description string                   // one line, at most 200 characters
	Owner       string                   // whose it is, in the caller's words, e.g. an API key's id; at most 100 characters
	Headers     map[string]secret.String // sent with each delivery, e.g. Authorization; sealed at rest, never shown again

	Limit delivery.Limit // how much it wants at most, of all nodes together; zero: no limit

	// Secret signs the deliveries. Empty at Subscribe: one is made. It is in the answers of Subscribe and RotateSecret
	// and in no other; sealed at rest.
	Secret secret.String

	State          State
	DisabledReason string    // delivery.ReasonGone, delivery.ReasonFailing, or what Pause was told
	Failures       int       // attempts that failed in a row
	LastError      string    // of the last of them
	LastSuccessAt  time.Time // zero: never
	LastFailureAt  time.Time // of the last delivery that was given up, or when the present failures began; zero: never
	SecretUntil    time.Time // until when the secret before the present one signs too; zero: there is none
	CreatedBy      string
	CreatedAt      time.Time
	UpdatedAt      time.Time
}

// Matches says whether the subscription wants events of the type.
func (s Subscription) Matches(eventType string) bool {
	return slices.ContainsFunc(s.Events, func(pattern string) bool { return matches(pattern, eventType) })
}

func matches(pattern, eventType string) bool {
	if pattern == eventType || pattern == "*" {
		return true
	}
	prefix, ok := strings.CutSuffix(pattern, "*")
	return ok && strings.HasPrefix(eventType, prefix) && len(eventType) > len(prefix)
}

// The faults of this package. Those for URLs are the Guard's, with the field "url".
var (
	ErrUnknown  = fault.New(fault.NotFound, "unknown_subscription", "there is no such subscription")
	ErrPattern  = fault.New(fault.Invalid, "unknown_event", `events are types such as "person.updated", prefixes such as "person.*", or "*"`)
	ErrHeader   = fault.New(fault.Invalid, "invalid_header", "headers have a valid name that is not one of the transport's or of webhooks, and a value of one line")
	ErrTooMany  = fault.New(fault.Conflict, "too_many_subscriptions", "there are as many subscriptions as there may be")
	ErrInactive = fault.New(fault.Conflict, "subscription_inactive", "the subscription is paused or disabled")
	ErrEvent    = fault.New(fault.Invalid, "invalid_event", "an event needs a tenant, a type and data that encode to JSON")
	ErrNoLog    = fault.New(fault.Conflict, "no_event_log", "events are not remembered here, so what was missed is not known")
)

var pattern = regexp.MustCompile(`^(\*|[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*(\.\*)?)$`)

const (
	mostEvents   = 100 // patterns of a subscription
	mostHeaders  = 20
	mostPattern  = 200  // characters
	mostHeaderKB = 4096 // bytes of a header's value
)

// validate returns the subscription in the form to store.
func (c Config) validate(s Subscription) (Subscription, error) {
	u, err := c.Guard.CheckURL(s.URL)
	if err != nil {
		return s, fault.As(err).WithField("url", "is refused")
	}
	s.URL = u.String()
	if s.Events, err = c.validEvents(s.Events); err != nil {
		return s, err
	}
	if s.Headers, err = validHeaders(s.Headers); err != nil {
		return s, err
	}
	if !check.IsText(s.Description, false) || len([]rune(s.Description)) > 200 {
		return s, fault.InvalidField("description", "must be one line of at most 200 characters")
	}
	if !check.IsText(s.Owner, false) || len([]rune(s.Owner)) > 100 {
		return s, fault.InvalidField("owner", "must be one line of at most 100 characters")
	}
	return s, checkLimit(s.Limit)
}

const mostPerSecond = 100_000

func checkLimit(l delivery.Limit) error {
	if !(l.PerSecond >= 0 && l.PerSecond <= mostPerSecond) || l.Burst < 0 || l.Burst > mostPerSecond {
		return fault.InvalidField("rate_limit", "must be between 0 and 100,000 per second, and as many at once")
	}
	return nil
}

func (c Config) validEvents(events []string) ([]string, error) {
	if len(events) == 0 || len(events) > mostEvents {
		return nil, ErrPattern.WithField("events", "must have 1 to 100 items")
	}
	var out []string
	for _, e := range events {
		known := len(c.EventTypes) == 0 || slices.ContainsFunc(c.EventTypes, func(t string) bool { return matches(e, t) })
		if len(e) > mostPattern || !pattern.MatchString(e) || !known {
			return nil, ErrPattern.WithField("events", "has an item that names no event")
		}
		if !slices.Contains(out, e) {
			out = append(out, e)
		}
	}
	return out, nil
}

// reserved headers are the transport's and ours.
var reserved = map[string]bool{
	"Host": true, "Content-Length": true, "Content-Type": true, "Content-Encoding": true, "Transfer-Encoding": true,
	"Connection": true, "Keep-Alive": true, "Te": true, "Trailer": true, "Upgrade": true, "Expect": true, "Proxy-Connection": true,
	"Proxy-Authorization": true, "Forwarded": true, "X-Forwarded-For": true, "X-Forwarded-Host": true, "X-Real-Ip": true,
	"Traceparent": true, "Tracestate": true, "Baggage": true,
	"Idempotency-Key": true, "X-Idempotency-Key": true, // they would let the HTTP client send twice unseen
}

func validHeaders(in map[string]secret.String) (map[string]secret.String, error) {
	if len(in) == 0 {
		return nil, nil
	}
	out := make(map[string]secret.String, len(in))
	for name, value := range in {
		canonical := http.CanonicalHeaderKey(name)
		ours := strings.HasPrefix(canonical, "Webhook-") || strings.HasPrefix(canonical, "X-Webhook-") || reserved[canonical]
		if !httpguts.ValidHeaderFieldName(name) || ours || len(name) > 100 ||
			!httpguts.ValidHeaderFieldValue(value.Reveal()) || len(value.Reveal()) > mostHeaderKB {
			return nil, ErrHeader.WithField("headers", "has an item that is not allowed")
		}
		out[canonical] = value
	}
	if len(out) > mostHeaders {
		return nil, ErrHeader.WithField("headers", "must have at most 20 items")
	}
	return out, nil
}
