package webhook

import (
	"encoding/json"
	"strconv"
	"time"

	"github.com/renkei-go/renkei/foundation/identity"
	"github.com/renkei-go/renkei/transport"
)

// envelope is the body of a delivery, its members in the order of seed 001 "Webhook Payload".
type envelope struct {
	Event          string          `json:"event"`
	Timestamp      string          `json:"timestamp"`
	OrganisationID any             `json:"organisation_id"`
	Data           json.RawMessage `json:"data"`
}

// bodyOf encodes an event. The bytes are what is stored, signed and sent.
func bodyOf(ev transport.Event, data json.RawMessage) (json.RawMessage, error) {
	return json.Marshal(envelope{ev.Type, ev.Time.UTC().Format(time.RFC3339), organisation(ev.Tenant), data})
}

// organisation is a number where the tenant's id is one, as in the seed, else its text.
func organisation(t identity.TenantID) any {
	if n, err := strconv.ParseInt(string(t), 10, 64); err == nil && strconv.FormatInt(n, 10) == string(t) {
		return n
	}
	return string(t)
}

// dataOf encodes what happened.
func dataOf(v any) (json.RawMessage, error) {
	raw, err := transport.Event{Data: v}.JSON()
	if err != nil || !json.Valid(raw) {
		return nil, ErrEvent.Because(err)
	}
	return raw, nil
}
