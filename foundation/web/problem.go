package web

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"math"
	"net/http"
	"reflect"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/renkei-go/renkei/foundation/fault"
	"github.com/renkei-go/renkei/foundation/identity"
)

// Errors of HTTP itself. Domains have their own.
var (
	ErrUnauthenticated  = fault.New(fault.Unauthenticated, "unauthenticated", "valid credentials are needed")
	ErrRouteNotFound    = fault.New(fault.NotFound, "not_found", "there is nothing at this address")
	ErrMethodNotAllowed = fault.New(fault.Invalid, "method_not_allowed", "this address does not know the method")
	ErrMalformedJSON    = fault.New(fault.Invalid, "malformed_json", "the body is not valid JSON")
	ErrMediaType        = fault.New(fault.Invalid, "unsupported_media_type", "the body has a content type that is not supported here")
	ErrBodyTooLarge     = fault.New(fault.Invalid, "body_too_large", "the body is too large")
	ErrBodyTimeout      = fault.New(fault.Invalid, "request_timeout", "the body did not arrive in time")
	ErrInvalidText      = fault.New(fault.Invalid, "invalid_text", "text must be valid UTF-8 without NUL")
	ErrRateLimited      = fault.New(fault.RateLimited, "rate_limited", "too many requests; try again later")
)

// statuses is the one map from codes to statuses (RFC 9110 section 15, RFC 6585).
var statuses = map[fault.Code]int{
	fault.Invalid:         http.StatusUnprocessableEntity,
	fault.Unauthenticated: http.StatusUnauthorized,
	fault.Forbidden:       http.StatusForbidden,
	fault.NotFound:        http.StatusNotFound,
	fault.Conflict:        http.StatusConflict,
	fault.Precondition:    http.StatusPreconditionFailed,
	fault.RateLimited:     http.StatusTooManyRequests,
	fault.Unavailable:     http.StatusServiceUnavailable,
	fault.Internal:        http.StatusInternalServerError,
}

// exceptions are the reasons whose status is more precise than their code's.
var exceptions = map[string]int{
	"if_match_required":      http.StatusPreconditionRequired,
	"cursor_expired":         http.StatusGone,
	"REASON_REQUIRED":        http.StatusBadRequest, // seed 003 names the status
	"malformed_json":         http.StatusBadRequest,
	"method_not_allowed":     http.StatusMethodNotAllowed,
	"request_timeout":        http.StatusRequestTimeout,
	"body_too_large":         http.StatusRequestEntityTooLarge,
	"unsupported_media_type": http.StatusUnsupportedMediaType,
}

// Problem is an error as it is sent: problem details (RFC 9457) with a stable reason. It implements huma.StatusError,
// so that a handler may return it.
type Problem struct { //nolint:errname // RFC 9457 names it
	Type     string         `json:"type" doc:"Always about:blank; reason tells errors apart." example:"about:blank"`
	Title    string         `json:"title" doc:"The status in words." example:"Conflict"`
	Status   int            `json:"status" doc:"The HTTP status." example:"409"`
	Detail   string         `json:"detail,omitempty" doc:"What went wrong, for people."`
	Instance string         `json:"instance,omitempty" doc:"The id of the request, to be found in the logs."`
	Reason   string         `json:"reason" doc:"What went wrong, for programs; stable." example:"version_mismatch"`
	Errors   []fault.Field  `json:"errors,omitempty" doc:"The bad fields, by location such as body.end_at."`
	Details  map[string]any `json:"details,omitempty" doc:"What a program needs to go on."`

	Extensions map[string]any `json:"-"` // further members (RFC 9457 section 3.2); see Recast

	cause error // for the log
}

// ProblemOf turns any error into the Problem that a client may see. Internal errors show nothing of themselves; the
// end of a request's time is 503. nil gives nil.
func ProblemOf(err error) *Problem {
	if err == nil {
		return nil
	}
	var p *Problem
	if errors.As(err, &p) {
		return p
	}
	f := fault.As(err)
	switch {
	case f != nil:
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		f = fault.New(fault.Unavailable, "cancelled", "the request was given up before it was done")
	default:
		f = fault.New(fault.Internal, string(fault.Internal), "")
	}
	status, ok := exceptions[f.Reason]
	if !ok {
		status = statuses[f.Code]
	}
	p = &Problem{Status: status, Detail: f.Message, Reason: f.Reason, Errors: f.Fields, Details: f.Details, cause: err}
	if status == 0 || status == http.StatusInternalServerError {
		p = &Problem{Status: http.StatusInternalServerError, Detail: "an unexpected error occurred", Reason: string(fault.Internal), cause: err}
	}
	p.Type, p.Title = "about:blank", http.StatusText(p.Status)
	return p
}

// Error returns the reason and the detail, both public.
func (p *Problem) Error() string { return p.Reason + ": " + p.Detail }

// Unwrap returns the error that it was made of.
func (p *Problem) Unwrap() error { return p.cause }

// GetStatus returns the HTTP status, for huma.
func (p *Problem) GetStatus() int { return p.Status }

// ContentType returns application/problem+json, for huma.
func (p *Problem) ContentType(string) string { return "application/problem+json" }

// GetHeaders returns WWW-Authenticate for 401 and Retry-After where details say retry_after in seconds, for huma.
func (p *Problem) GetHeaders() http.Header {
	h := http.Header{}
	if p.Status == http.StatusUnauthorized {
		h.Set("WWW-Authenticate", "Bearer")
	}
	if s := seconds(p.Details["retry_after"]); s > 0 {
		h.Set("Retry-After", strconv.Itoa(s))
	}
	return h
}

func seconds(v any) int {
	switch rv := reflect.ValueOf(v); {
	case rv.CanInt():
		return int(rv.Int())
	case rv.CanFloat():
		return int(math.Ceil(rv.Float()))
	}
	return 0
}

// in returns the problem as an answer to the request of ctx, and leaves its cause with the access log.
func (p *Problem) in(ctx context.Context) *Problem {
	c := *p
	c.Instance = identity.RequestID(ctx)
	if x := exchangeIn(ctx); x != nil {
		x.reason, x.cause = c.Reason, c.cause
	}
	return &c
}

// PartOf is the Problem of a part of an answer that succeeds as a whole, such as a row of a bulk operation. What is our
// own fault (5xx) goes to the access log, as it would for a whole answer.
func PartOf(ctx context.Context, err error) *Problem {
	p := ProblemOf(err)
	if x := exchangeIn(ctx); x != nil && p != nil && p.Status >= http.StatusInternalServerError {
		x.parts = errors.Join(x.parts, p.cause)
	}
	return p
}

// transform is what makes every error of an API a Problem; see HumaConfig.
func transform(ctx huma.Context, _ string, v any) (any, error) {
	switch e := v.(type) {
	case *Problem:
		return e.answering(ctx).wire(), nil
	case *huma.ErrorModel:
		return fromHuma(e).answering(ctx).wire(), nil
	}
	return v, nil
}

// reasons name the errors that huma itself finds, by status; the status has been decided by then.
var reasons = map[int]string{
	http.StatusBadRequest:            "malformed_request",
	http.StatusUnauthorized:          "unauthenticated",
	http.StatusForbidden:             "forbidden",
	http.StatusNotFound:              "not_found",
	http.StatusMethodNotAllowed:      "method_not_allowed",
	http.StatusNotAcceptable:         "not_acceptable",
	http.StatusRequestTimeout:        "request_timeout",
	http.StatusConflict:              "conflict",
	http.StatusPreconditionFailed:    "version_mismatch",
	http.StatusRequestEntityTooLarge: "body_too_large",
	http.StatusUnsupportedMediaType:  "unsupported_media_type",
	http.StatusUnprocessableEntity:   "invalid_input",
	http.StatusTooManyRequests:       "rate_limited",
	http.StatusServiceUnavailable:    "unavailable",
}

const maxErrors = 100 // bad fields listed in one answer

func fromHuma(e *huma.ErrorModel) *Problem {
	p := &Problem{Type: "about:blank", Title: http.StatusText(e.Status), Status: e.Status, Reason: reasons[e.Status]}
	if e.Status >= http.StatusInternalServerError {
		p.Detail, p.cause = "an unexpected error occurred", causeOf(e)
		if p.Reason == "" {
			p.Reason = string(fault.Internal)
		}
		return p
	}
	if p.Reason == "" {
		p.Reason = "refused"
	}
	p.Detail = e.Detail
	for _, d := range e.Errors {
		if d == nil || len(p.Errors) == maxErrors {
			continue
		}
		p.Errors = append(p.Errors, fieldOf(d))
	}
	if e.Status == http.StatusBadRequest && len(p.Errors) == 1 && p.Errors[0].Location == "body" {
		p.Reason, p.Detail = ErrMalformedJSON.Reason, ErrMalformedJSON.Message
	}
	return p
}

func causeOf(e *huma.ErrorModel) error {
	all := []error{errors.New(e.Detail)}
	for _, d := range e.Errors {
		if d != nil {
			all = append(all, errors.New(d.Message))
		}
	}
	return errors.Join(all...)
}

// fieldOf names the missing property itself, where huma names the object that misses it.
func fieldOf(d *huma.ErrorDetail) fault.Field {
	if name, ok := strings.CutPrefix(d.Message, "expected required property "); ok {
		if name, ok = strings.CutSuffix(name, " to be present"); ok {
			return fault.Field{Location: shorten(d.Location + "." + name), Message: "is required"}
		}
	}
	return fault.Field{Location: shorten(d.Location), Message: withoutValue(d)}
}

// withoutValue returns huma's message without what a parser said of the value, which may repeat it. The beginnings
// are those of package huma/validation and of huma's parameter parser.
func withoutValue(d *huma.ErrorDetail) string {
	if d.Value == nil {
		return d.Message
	}
	for _, start := range []string{"expected ", "unexpected ", "required ", "invalid ", "unknown "} {
		if strings.HasPrefix(d.Message, start) {
			if strings.HasPrefix(d.Message, "expected value to be one of") {
				return d.Message // a list from the schema, which may contain a colon
			}
			text, _, _ := strings.Cut(d.Message, ": ")
			return text
		}
	}
	return "does not have the expected form"
}

// shorten caps a location, in which the names of unknown properties come from the client.
func shorten(location string) string {
	if len(location) > 200 {
		location = location[:200]
	}
	return strings.ToValidUTF8(location, "")
}

// write answers with the problem outside of huma's own path.
func (p *Problem) write(ctx huma.Context) {
	p = p.answering(ctx)
	for name, values := range p.GetHeaders() {
		for _, v := range values {
			ctx.SetHeader(name, v)
		}
	}
	ctx.SetHeader("Content-Type", p.ContentType(""))
	ctx.SetStatus(p.Status)
	_, _ = ctx.BodyWriter().Write(p.body())
}

func (p *Problem) body() []byte {
	b, err := json.Marshal(p.wire())
	if err != nil { // details that are no plain data: the domain's mistake, which must not hide the reason
		c := *p
		c.Details, c.Extensions = nil, nil
		b, _ = json.Marshal(c)
	}
	return append(b, '\n')
}

// WriteError answers a request of plain net/http with the Problem of err.
func WriteError(w http.ResponseWriter, r *http.Request, err error) {
	p := ProblemOf(err).in(r.Context())
	maps.Copy(w.Header(), p.GetHeaders())
	w.Header().Set("Content-Type", p.ContentType(""))
	w.WriteHeader(p.Status)
	_, _ = w.Write(p.body())
}

var (
	_ huma.StatusError       = (*Problem)(nil)
	_ huma.HeadersError      = (*Problem)(nil)
	_ huma.ContentTypeFilter = (*Problem)(nil)
)
