package web

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/renkei-go/renkei/foundation/fault"
	"github.com/renkei-go/renkei/foundation/identity"
)

// Request is what an Authenticator may look at; every huma.Context is one, and so is FromHTTP of a plain request.
type Request interface {
	Method() string
	Host() string
	RemoteAddr() string
	URL() url.URL
	Header(name string) string
}

// Authenticator says who is asking. It returns ErrUnauthenticated (or any fault of that code) when nobody has proven
// anything. It must be safe for concurrent use.
type Authenticator func(ctx context.Context, r Request) (identity.Principal, error)

// Bearer authenticates by "Authorization: Bearer <token>" (RFC 6750 section 2.1). lookUp is asked with the token only
// when there is one.
func Bearer(lookUp func(ctx context.Context, token string) (identity.Principal, error)) Authenticator {
	return func(ctx context.Context, r Request) (identity.Principal, error) {
		scheme, token, _ := strings.Cut(strings.TrimSpace(r.Header("Authorization")), " ")
		token = strings.TrimSpace(token)
		if !strings.EqualFold(scheme, "Bearer") || token == "" {
			return identity.Principal{}, ErrUnauthenticated
		}
		return lookUp(ctx, token)
	}
}

// AnyOf asks one authenticator after the other until one knows the caller. An error of another code than
// Unauthenticated ends the search.
func AnyOf(all ...Authenticator) Authenticator {
	return func(ctx context.Context, r Request) (identity.Principal, error) {
		for _, a := range all {
			p, err := a(ctx, r)
			if fault.CodeOf(err) != fault.Unauthenticated {
				return p, err
			}
		}
		return identity.Principal{}, ErrUnauthenticated
	}
}

// FromHTTP makes a plain request one that an Authenticator can look at.
func FromHTTP(r *http.Request) Request { return plainRequest{r} }

type plainRequest struct{ r *http.Request }

func (p plainRequest) Method() string            { return p.r.Method }
func (p plainRequest) Host() string              { return p.r.Host }
func (p plainRequest) RemoteAddr() string        { return p.r.RemoteAddr }
func (p plainRequest) URL() url.URL              { return *p.r.URL }
func (p plainRequest) Header(name string) string { return p.r.Header.Get(name) }

// ErrActAs is returned when the caller may not act for the person in X-Act-As-User.
var ErrActAs = fault.New(fault.Forbidden, "not_delegated", "there is no delegation to act for this person")

// ActAs decides whether by may act for subject at all in an operation such as "POST /events", and returns the principal
// to go on with, normally by.For(subject). It refuses with ErrActAs or a Forbidden fault of its own. What the
// delegation permits in detail is for the domain to check. It must be safe for concurrent use.
type ActAs func(ctx context.Context, by identity.Principal, subject, operation string) (identity.Principal, error)

var errPrincipal = errors.New("web: the authenticator or act-as gave an incomplete or foreign principal")

func (m *middleware) authenticate(ctx huma.Context, next func(huma.Context)) {
	if isPublic(ctx.Operation()) {
		next(ctx)
		return
	}
	p, err := identity.Principal{}, error(ErrUnauthenticated)
	if m.Authenticate != nil {
		p, err = m.Authenticate(ctx.Context(), ctx)
	}
	if err == nil && (p.Tenant == "" || p.Actor == "") {
		err = errPrincipal
	}
	if err != nil {
		// Failed attempts count against the address, so that tokens cannot be guessed at speed.
		if !m.admit(ctx, nil) {
			return
		}
		ProblemOf(err).write(ctx)
		return
	}
	exchangeIn(ctx.Context()).principal = p
	next(huma.WithContext(ctx, WithPrincipal(ctx.Context(), p)))
}

func (m *middleware) actAs(ctx huma.Context, next func(huma.Context)) {
	by, ok := PrincipalIn(ctx.Context())
	subject := ctx.Header(HeaderActAs)
	if !ok || subject == "" || subject == by.Actor {
		next(ctx)
		return
	}
	if m.ActAs == nil || len(subject) > 255 || !isText(subject) {
		ProblemOf(ErrActAs).write(ctx)
		return
	}
	p, err := m.ActAs(ctx.Context(), by, subject, operationName(ctx.Operation()))
	if err == nil && (p.Tenant != by.Tenant || p.Actor != by.Actor) {
		err = errPrincipal
	}
	if err != nil {
		ProblemOf(err).write(ctx)
		return
	}
	exchangeIn(ctx.Context()).principal = p
	next(huma.WithContext(ctx, WithPrincipal(ctx.Context(), p)))
}

// operationName names an operation the same whatever its parameters, e.g. "POST /events/{id}/rsvp".
func operationName(op *huma.Operation) string { return op.Method + " " + op.Path }
