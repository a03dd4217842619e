package transport

import (
	"context"
	"encoding/json"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/renkei-go/renkei/foundation/identity"
	"github.com/renkei-go/renkei/foundation/telemetry"
)

// DefaultTopic is the one topic that all events go to. One topic keeps the order of a subject over the types of its
// events; handlers choose by pattern, and a pattern that does not match costs no transaction.
const DefaultTopic = "renkei.events"

// Metadata keys of an event as a Watermill message. The payload is the event's data as JSON.
const (
	MetaID       = "id"
	MetaType     = "type"
	MetaTenant   = "tenant"
	MetaSubject  = "subject"
	MetaSequence = "sequence"
	MetaTime     = "time"           // RFC 3339, UTC
	MetaTrace    = telemetry.Header // W3C Trace Context; absent when there is no trace
)

// Validate says whether the event can be published: type, tenant and subject are set, and all text is UTF-8 without
// NUL. It returns ErrInvalidEvent with the fields.
func (e Event) Validate() error {
	bad := ErrInvalidEvent
	for _, f := range []struct {
		location, value string
		required        bool
	}{{"type", e.Type, true}, {"tenant", string(e.Tenant), true}, {"subject", e.Subject, true}, {"id", e.ID, false}} {
		switch {
		case f.required && f.value == "":
			bad = bad.WithField(f.location, "is required")
		case !utf8.ValidString(f.value) || strings.ContainsRune(f.value, 0):
			bad = bad.WithField(f.location, "must be UTF-8 without NUL")
		}
	}
	if len(bad.Fields) > 0 {
		return bad
	}
	return nil
}

// ToMessage encodes an event. It returns ErrInvalidEvent when the data is no JSON.
func ToMessage(ev Event) (*message.Message, error) {
	data, err := ev.JSON()
	if err != nil {
		return nil, ErrInvalidEvent.WithField("data", "must encode to JSON").Because(err)
	}
	msg := message.NewMessage(ev.ID, message.Payload(data))
	msg.Metadata = message.Metadata{
		MetaID:       ev.ID,
		MetaType:     ev.Type,
		MetaTenant:   string(ev.Tenant),
		MetaSubject:  ev.Subject,
		MetaSequence: strconv.FormatInt(ev.Sequence, 10),
		MetaTime:     ev.Time.UTC().Format(time.RFC3339Nano),
	}
	if ev.Trace != "" {
		msg.Metadata[MetaTrace] = ev.Trace
	}
	return msg, nil
}

// FromMessage decodes what ToMessage made; Data is json.RawMessage. It returns ErrInvalidMessage.
func FromMessage(msg *message.Message) (Event, error) {
	ev := Event{
		ID:      msg.Metadata[MetaID],
		Type:    msg.Metadata[MetaType],
		Tenant:  identity.TenantID(msg.Metadata[MetaTenant]),
		Subject: msg.Metadata[MetaSubject],
		Trace:   telemetry.Parent(telemetry.WithParent(context.Background(), msg.Metadata[MetaTrace])),
	}
	if ev.ID == "" {
		return Event{}, ErrInvalidMessage.WithField(MetaID, "is required")
	}
	if err := ev.Validate(); err != nil {
		return Event{}, ErrInvalidMessage.Because(err)
	}
	var err error
	if ev.Sequence, err = strconv.ParseInt(msg.Metadata[MetaSequence], 10, 64); err != nil || ev.Sequence < 0 {
		return Event{}, ErrInvalidMessage.WithField(MetaSequence, "must be a number from 0")
	}
	if ev.Time, err = time.Parse(time.RFC3339Nano, msg.Metadata[MetaTime]); err != nil {
		return Event{}, ErrInvalidMessage.WithField(MetaTime, "must be an RFC 3339 time")
	}
	ev.Time = ev.Time.UTC()
	if !json.Valid(msg.Payload) || !utf8.Valid(msg.Payload) {
		return Event{}, ErrInvalidMessage.WithField("payload", "must be JSON")
	}
	ev.Data = json.RawMessage(msg.Payload)
	return ev, nil
}
