package webhook

import (
	"bytes"
	"crypto/hmac"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/renkei-go/renkei/foundation/fault"
)

// What Verify refuses. None repeats anything of the request.
var (
	ErrNoSignature  = fault.New(fault.Unauthenticated, "missing_signature", "the request has no webhook signature")
	ErrSignature    = fault.New(fault.Unauthenticated, "invalid_signature", "the signature does not fit")
	ErrTimestamp    = fault.New(fault.Unauthenticated, "stale_timestamp", "the request was signed too long ago, or in the future")
	ErrBodyTooLarge = fault.New(fault.Invalid, "body_too_large", "the body is too large")
	ErrBody         = fault.New(fault.Invalid, "invalid_body", "the body is not that of a webhook, or could not be read")
)

// Event is what a receiver gets.
type Event struct {
	ID             string          // Standard Webhooks' id, the same when it comes again: handle each once; empty with the seed's headers alone
	Type           string          // "person.updated"
	Time           time.Time       // when it happened, UTC
	OrganisationID string          // whose it is, as text whether it came as a number or a string
	Data           json.RawMessage // what happened
	SentAt         time.Time       // of this attempt; with the seed's headers alone the same as Time
}

// Decode reads the event's data into v. It returns ErrBody when it does not fit.
func (e Event) Decode(v any) error {
	if err := json.Unmarshal(e.Data, v); err != nil {
		return ErrBody.Because(err)
	}
	return nil
}

// Verifier checks requests. The zero value has the defaults; it is a value, safe for concurrent use.
type Verifier struct {
	Tolerance time.Duration    // how far the timestamp may be from now, either way; default 5 minutes
	MaxBody   int64            // in bytes; default 1 MiB
	Now       func() time.Time // default time.Now
}

// Verify is Verifier.Verify with the defaults.
func Verify(r *http.Request, secrets ...string) (Event, error) {
	return Verifier{}.Verify(r, secrets...)
}

// maxSignatures bounds the work that a header can cause.
const maxSignatures = 16

// Verify reads the request's body, checks its signature under any of the secrets in constant time and returns the
// event. Give it the old and the new secret while one replaces the other. The body can be read again afterwards.
//
// Where webhook-signature is present it decides, with its timestamp (Standard Webhooks). Otherwise X-Webhook-Signature
// does (seed 001); it covers the body alone, so the body's own timestamp must then be within Tolerance, lest a recorded
// request be sent again without its other headers.
//
// It returns ErrNoSignature, ErrSignature, ErrTimestamp, ErrBodyTooLarge, ErrBody, or ErrSecret for a secret of no known
// form or none at all.
func (v Verifier) Verify(r *http.Request, secrets ...string) (Event, error) {
	keys := make([]key, len(secrets))
	for i, s := range secrets {
		k, err := parseSecret(s)
		if err != nil {
			return Event{}, err
		}
		keys[i] = k
	}
	if len(keys) == 0 {
		return Event{}, ErrSecret
	}
	standard, legacy := r.Header.Get(HeaderSignature), r.Header.Get(HeaderLegacySignature)
	if standard == "" && legacy == "" {
		return Event{}, ErrNoSignature
	}
	body, err := v.read(r)
	if err != nil {
		return Event{}, err
	}
	if standard == "" {
		return v.legacy(keys, legacy, body)
	}
	id, timestamp := r.Header.Get(HeaderID), r.Header.Get(HeaderTimestamp)
	if id == "" || timestamp == "" {
		return Event{}, ErrNoSignature
	}
	if !anyStandard(keys, standard, id, timestamp, body) {
		return Event{}, ErrSignature
	}
	seconds, err := strconv.ParseInt(timestamp, 10, 64)
	if err != nil || !v.near(time.Unix(seconds, 0)) {
		return Event{}, ErrTimestamp
	}
	ev, err := decodeBody(body)
	ev.ID, ev.SentAt = id, time.Unix(seconds, 0).UTC()
	return ev, err
}

func (v Verifier) read(r *http.Request) ([]byte, error) {
	most := v.MaxBody
	if most <= 0 {
		most = 1 << 20
	}
	if r.ContentLength > most {
		return nil, ErrBodyTooLarge
	}
	if r.Body == nil {
		return nil, ErrBody
	}
	var into bytes.Buffer
	if r.ContentLength > 0 {
		into.Grow(int(r.ContentLength) + bytes.MinRead)
	}
	_, err := into.ReadFrom(io.LimitReader(r.Body, most+1))
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge), int64(into.Len()) > most:
		return nil, ErrBodyTooLarge
	case err != nil:
		return nil, ErrBody.Because(err)
	}
	r.Body = io.NopCloser(bytes.NewReader(into.Bytes()))
	return into.Bytes(), nil
}

func (v Verifier) near(t time.Time) bool {
	now, tolerance := time.Now, v.Tolerance
	if v.Now != nil {
		now = v.Now
	}
	if tolerance <= 0 {
		tolerance = 5 * time.Minute
	}
	return now().Sub(t).Abs() <= tolerance
}

func anyStandard(keys []key, header, id, timestamp string, body []byte) bool {
	var given [][]byte
	for field := range strings.FieldsSeq(header) {
		encoded, ok := strings.CutPrefix(field, scheme)
		if !ok {
			continue // another scheme, such as v1a
		}
		if sum, err := base64.StdEncoding.DecodeString(encoded); err == nil {
			given = append(given, sum)
		}
		if len(given) == maxSignatures {
			break
		}
	}
	found := false
	for _, k := range keys {
		want := k.standardSum(id, timestamp, body)
		for _, sum := range given {
			found = hmac.Equal(sum, want) || found
		}
	}
	return found
}

func (v Verifier) legacy(keys []key, header string, body []byte) (Event, error) {
	given, err := hex.DecodeString(header)
	if err != nil {
		return Event{}, ErrSignature
	}
	found := false
	for _, k := range keys {
		found = hmac.Equal(given, k.legacySum(body)) || found
	}
	if !found {
		return Event{}, ErrSignature
	}
	ev, err := decodeBody(body)
	if err != nil {
		return Event{}, err
	}
	if !v.near(ev.Time) {
		return Event{}, ErrTimestamp
	}
	ev.SentAt = ev.Time
	return ev, nil
}

func decodeBody(body []byte) (Event, error) {
	var in struct {
		Event          string          `json:"event"`
		Timestamp      time.Time       `json:"timestamp"`
		OrganisationID json.RawMessage `json:"organisation_id"`
		Data           json.RawMessage `json:"data"`
	}
	if err := json.Unmarshal(body, &in); err != nil || in.Event == "" {
		return Event{}, ErrBody.Because(err)
	}
	ev := Event{Type: in.Event, Time: in.Timestamp.UTC(), Data: in.Data, OrganisationID: string(in.OrganisationID)}
	var text string
	if json.Unmarshal(in.OrganisationID, &text) == nil {
		ev.OrganisationID = text
	}
	return ev, nil
}
