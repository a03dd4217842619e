package web

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/renkei-go/renkei/foundation/fault"
	"github.com/renkei-go/renkei/foundation/identity"
)

// What an idempotency key can run into.
var (
	ErrIdempotencyKey         = fault.New(fault.Invalid, "invalid_idempotency_key", "an idempotency key has 1 to 255 visible ASCII characters")
	ErrIdempotencyReused      = fault.New(fault.Invalid, "idempotency_key_reused", "this idempotency key was used for another request")
	ErrIdempotencyInProgress  = fault.New(fault.Conflict, "idempotency_in_progress", "the first request with this idempotency key is still being worked on")
	ErrIdempotencyUnsupported = fault.New(fault.Invalid, "idempotency_unsupported", "idempotency keys are not supported for forms with files")
)

// IdempotencyKey is whose key it is and for what. Operation is such as "POST /events".
type IdempotencyKey struct {
	Tenant    identity.TenantID
	Actor     string
	Subject   string
	Operation string
	Key       string
}

// Claim is a request that wants to be the first with its key.
type Claim struct {
	IdempotencyKey
	Fingerprint string        // SHA-256 of path, query, content type and body, in hex
	Token       string        // of this attempt: only its holder can complete or release
	Lease       time.Duration // how long the key is blocked should nothing more be heard
	Keep        time.Duration // how long the answer is kept
}

// Answer is what was answered first.
type Answer struct {
	Status int
	Header map[string]string // Content-Type, Location, ETag
	Body   []byte
}

// IdempotencyStore keeps answers by key. It is safe for concurrent use by several processes. web/webtest has the suite
// that every implementation passes; web/webbun is one.
type IdempotencyStore interface {
	// Begin claims the key and returns nil, or returns the answer that is kept. It returns ErrIdempotencyReused when the
	// fingerprint is another, and ErrIdempotencyInProgress while somebody holds the claim. A claim whose lease has passed
	// can be taken over by the same fingerprint; a key whose time has passed by anybody.
	Begin(ctx context.Context, c Claim) (*Answer, error)
	// Complete keeps the answer, if c's token still holds the claim; otherwise it does nothing.
	Complete(ctx context.Context, c Claim, a Answer) error
	// Release gives the claim up, if c's token still holds it; otherwise it does nothing.
	Release(ctx context.Context, c Claim) error
	// Sweep deletes up to limit keys whose time has passed and returns how many.
	Sweep(ctx context.Context, limit int) (int, error)
}

// keptHeaders are replayed with an answer.
var keptHeaders = []string{"Content-Type", "Location", "ETag"}

// idempotent replays the first answer to a POST with an Idempotency-Key. The answer is kept before it is sent, so that a
// client whose connection breaks gets it at once. Answers that ask to try again (408, 425, 429, 5xx) are not kept.
// Should the process die between the effect and the keeping, the lease passes and the request can run again: domains
// that must not act twice check that themselves.
func (m *middleware) idempotent(ctx huma.Context, next func(huma.Context)) {
	key := ctx.Header(HeaderIdempotencyKey)
	by, ok := PrincipalIn(ctx.Context())
	if m.Idempotency == nil || key == "" || !ok || ctx.Method() != http.MethodPost {
		next(ctx)
		return
	}
	claim, err := m.claim(ctx, by, key)
	var kept *Answer
	if err == nil {
		kept, err = m.Idempotency.Begin(ctx.Context(), claim)
	}
	switch {
	case err != nil:
		ProblemOf(err).write(ctx)
	case kept != nil:
		ctx.SetHeader("Idempotency-Replayed", "true")
		kept.send(ctx)
	default:
		m.first(ctx, claim, next)
	}
}

func (m *middleware) claim(ctx huma.Context, by identity.Principal, key string) (Claim, error) {
	c, err := claimOf(by, operationName(ctx.Operation()), key, ctx.URL(), ctx.Header("Content-Type"), bodyOf(ctx))
	c.Token, c.Lease, c.Keep = m.NewID(), m.IdempotencyLease, m.IdempotencyKeep
	return c, err
}

// claimOf is a claim without Token, Lease and Keep.
func claimOf(by identity.Principal, operation, key string, u url.URL, contentType string, body []byte) (Claim, error) {
	if len(key) > 255 || strings.ContainsFunc(key, func(r rune) bool { return r < 0x21 || r > 0x7e }) {
		return Claim{}, ErrIdempotencyKey
	}
	if strings.HasPrefix(strings.ToLower(contentType), "multipart/") {
		return Claim{}, ErrIdempotencyUnsupported
	}
	hash := sha256.New()
	for _, part := range []string{u.EscapedPath(), u.RawQuery, contentType} {
		_, _ = fmt.Fprintf(hash, "%d:%s", len(part), part)
	}
	_, _ = hash.Write(body)
	return Claim{
		IdempotencyKey: IdempotencyKey{
			Tenant: by.Tenant, Actor: by.Actor, Subject: by.Subject, Operation: operation, Key: key,
		},
		Fingerprint: hex.EncodeToString(hash.Sum(nil)),
	}, nil
}

// settleTime is how long keeping an answer may take after the client has gone.
const settleTime = 10 * time.Second

func (m *middleware) first(ctx huma.Context, claim Claim, next func(huma.Context)) {
	rec := &recorder{inner: ctx, header: http.Header{}}
	answered := false
	defer func() {
		settle, cancel := context.WithTimeout(context.WithoutCancel(ctx.Context()), settleTime)
		defer cancel()
		var err error
		if answered && rec.keepable() {
			err = m.Idempotency.Complete(settle, claim, rec.answer())
		} else {
			err = m.Idempotency.Release(settle, claim)
		}
		if err != nil { // the effect has happened: the client must hear of it
			m.Logger.ErrorContext(ctx.Context(), "an idempotency key could not be settled", "request_id", identity.RequestID(ctx.Context()), "error", err)
		}
		if answered {
			rec.send(ctx)
		}
	}()
	next(rec)
	answered = true
}

// recorder holds an answer back until it is kept.
type recorder struct {
	inner
	status int
	header http.Header
	body   bytes.Buffer
}

func (r *recorder) SetStatus(code int)              { r.status = code }
func (r *recorder) Status() int                     { return r.status }
func (r *recorder) SetHeader(name, value string)    { r.header.Set(name, value) }
func (r *recorder) AppendHeader(name, value string) { r.header.Add(name, value) }
func (r *recorder) BodyWriter() io.Writer           { return &r.body }

// Unwrap lets an adapter find its own context.
func (r *recorder) Unwrap() huma.Context { return r.inner }

func (r *recorder) keepable() bool { return keepable(r.status) }

func keepable(status int) bool {
	switch status {
	case http.StatusRequestTimeout, http.StatusTooEarly, http.StatusTooManyRequests:
		return false
	}
	return status < http.StatusInternalServerError
}

func (r *recorder) answer() Answer { return answerOf(r.status, r.header, r.body.Bytes()) }

func answerOf(status int, header http.Header, body []byte) Answer {
	a := Answer{Status: status, Header: map[string]string{}, Body: body}
	if a.Status == 0 {
		a.Status = http.StatusOK
	}
	for _, name := range keptHeaders {
		if v := header.Get(name); v != "" {
			a.Header[name] = v
		}
	}
	return a
}

func (r *recorder) send(ctx huma.Context) {
	for name, values := range r.header {
		ctx.SetHeader(name, values[0])
		for _, v := range values[1:] {
			ctx.AppendHeader(name, v)
		}
	}
	a := r.answer()
	a.Header = nil
	a.send(ctx)
}

func (a Answer) send(ctx huma.Context) {
	for name, v := range a.Header {
		ctx.SetHeader(name, v)
	}
	ctx.SetStatus(a.Status)
	if len(a.Body) > 0 {
		_, _ = ctx.BodyWriter().Write(a.Body)
	}
}
