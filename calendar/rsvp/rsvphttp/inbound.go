package rsvphttp

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"strings"

	"github.com/renkei-go/renkei/calendar/rsvp"
	"github.com/renkei-go/renkei/foundation/fault"
	"github.com/renkei-go/renkei/foundation/secret"
	"github.com/renkei-go/renkei/foundation/web"
)

// Decision is the answer to a mail or to a click.
type Decision struct {
	Decision string `json:"decision"`
	ReplyID  string `json:"reply_id,omitempty"`
	EventID  string `json:"event_id,omitempty"`
	Attendee string `json:"attendee,omitempty"`
	Partstat string `json:"partstat,omitempty"`
	Trust    string `json:"trust,omitempty"`
	Detail   string `json:"detail,omitempty"`
}

func decisionOf(o rsvp.Outcome) Decision {
	return Decision{string(o.Decision), o.ReplyID, o.EventID, o.Attendee, string(o.Partstat), string(o.Trust), o.Detail}
}

// inbound takes a mail as message/rfc822, as {"raw": "<base64>"} or as the form field "email".
func inbound(svc Service, cfg Config) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
		// Before the body: a stranger does not get 10 MiB read.
		if cfg.InboundToken.IsZero() || !strings.EqualFold(scheme, "Bearer") || !secret.Equal(strings.TrimSpace(token), cfg.InboundToken.Reveal()) {
			web.WriteError(w, r, web.ErrUnauthenticated)
			return
		}
		raw, err := mailOf(w, r)
		if err != nil {
			web.WriteError(w, r, err)
			return
		}
		out, err := svc.Ingest(r.Context(), cfg.Tenant, raw, rsvp.ViaMail)
		if err != nil {
			web.WriteError(w, r, err)
			return
		}
		writeJSON(w, decisionOf(out))
	})
}

func mailOf(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil {
		return nil, web.ErrMediaType
	}
	limit := func(n int64) { r.Body = http.MaxBytesReader(w, r.Body, n) }
	switch kind {
	case "message/rfc822":
		limit(rsvp.MaxMail)
		raw, err := io.ReadAll(r.Body)
		return raw, bodyError(err)
	case "application/json":
		limit(rsvp.MaxMail/3*4 + 64<<10)
		var body struct {
			Raw string `json:"raw"`
		}
		if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
			return nil, bodyError(err)
		}
		raw, err := base64.StdEncoding.DecodeString(body.Raw)
		if err != nil || len(raw) == 0 {
			return nil, fault.InvalidField("body.raw", "must be a mail in base64")
		}
		return raw, nil
	case "multipart/form-data":
		limit(rsvp.MaxMail + 1<<20)
		return formField(r)
	}
	return nil, web.ErrMediaType
}

// formField returns the field "email", which services send as a value or as a file; others are passed over.
func formField(r *http.Request) ([]byte, error) {
	form, err := r.MultipartReader()
	if err != nil {
		return nil, web.ErrMediaType
	}
	for {
		p, err := form.NextPart()
		switch {
		case errors.Is(err, io.EOF):
			return nil, fault.InvalidField("body.email", "is required")
		case err != nil:
			return nil, bodyError(err)
		}
		if p.FormName() == "email" {
			raw, err := io.ReadAll(p)
			return raw, bodyError(err)
		}
	}
}

func bodyError(err error) error {
	var tooLarge *http.MaxBytesError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &tooLarge):
		return web.ErrBodyTooLarge.With("max_bytes", rsvp.MaxMail)
	}
	return web.ErrMalformedJSON.WithMessage("the body cannot be read").Because(err)
}

func writeJSON(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	_ = json.NewEncoder(w).Encode(v) // the client has gone
}
