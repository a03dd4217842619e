package fault

import (
	"errors"
	"maps"
	"slices"
)

// Code is the kind of an error. The list is closed; HTTP maps it in one place (foundation/web).
type Code string

// The codes. See RFC 9110 section 15 for the statuses that they become.
const (
	Invalid         Code = "invalid"         // the input breaks a rule; repeating it cannot help
	Unauthenticated Code = "unauthenticated" // nobody, or not proven
	Forbidden       Code = "forbidden"       // known, but not allowed
	NotFound        Code = "not_found"       // absent, or hidden from the caller
	Conflict        Code = "conflict"        // at odds with the present state
	Precondition    Code = "precondition"    // If-Match is missing or stale
	RateLimited     Code = "rate_limited"    // too many; try again later
	Unavailable     Code = "unavailable"     // a needed part is away; try again later
	Internal        Code = "internal"        // our mistake; the cause is in the log only
)

// Field is one bad input field. Location is a path such as "body.end_at"; Message says what would be right
// and never repeats the value.
type Field struct {
	Location string `json:"location"`
	Message  string `json:"message"`
}

// Error is an error with a stable meaning. Treat it as a value that never changes: the With… methods return a copy,
// so that a package-level sentinel is safe for concurrent use.
type Error struct {
	Code    Code
	Reason  string         // stable, for programs: "resource_conflict"
	Message string         // one sentence for people; may be shown to the caller
	Fields  []Field        // the bad fields, if any
	Details map[string]any // what a program needs to go on, e.g. alternatives; may be shown to the caller
	cause   error          // for the log only
}

// New makes a fault. It is meant for package-level sentinels as well as for errors made on the spot.
func New(code Code, reason, message string) *Error {
	return &Error{Code: code, Reason: reason, Message: message}
}

// Error returns the message and the cause; it is for logs. Clients get Message only.
func (e *Error) Error() string {
	text := e.Reason + ": " + e.Message
	for _, f := range e.Fields {
		text += "; " + f.Location + " " + f.Message
	}
	if e.cause != nil {
		text += ": " + e.cause.Error()
	}
	return text
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.cause }

// Is says that two faults are the same when their code and reason are.
func (e *Error) Is(target error) bool {
	t, ok := target.(*Error)
	return ok && t.Code == e.Code && t.Reason == e.Reason
}

// With returns a copy with one detail more.
func (e *Error) With(key string, value any) *Error {
	c := *e
	c.Details = maps.Clone(e.Details)
	if c.Details == nil {
		c.Details = map[string]any{}
	}
	c.Details[key] = value
	return &c
}

// WithField returns a copy with one bad field more.
func (e *Error) WithField(location, message string) *Error {
	c := *e
	c.Fields = append(slices.Clone(e.Fields), Field{Location: location, Message: message})
	return &c
}

// WithMessage returns a copy that says it in other words.
func (e *Error) WithMessage(message string) *Error {
	c := *e
	c.Message = message
	return &c
}

// Because returns a copy that carries a cause for the log.
func (e *Error) Because(cause error) *Error {
	c := *e
	c.cause = cause
	return &c
}

// As returns the first fault in err's chain, or nil.
func As(err error) *Error {
	e, _ := errors.AsType[*Error](err)
	return e
}

// CodeOf returns the code of err; a foreign error is Internal, and nil has none ("").
func CodeOf(err error) Code {
	if err == nil {
		return ""
	}
	if e := As(err); e != nil {
		return e.Code
	}
	return Internal
}

// ReasonOf returns the reason of err; "internal" for a foreign error, "" for nil.
func ReasonOf(err error) string {
	if err == nil {
		return ""
	}
	if e := As(err); e != nil {
		return e.Reason
	}
	return string(Internal)
}

// FieldsOf returns the bad fields that err names.
func FieldsOf(err error) []Field {
	if e := As(err); e != nil {
		return e.Fields
	}
	return nil
}

// InvalidField is the fault for one field that breaks a rule, with the common reason "invalid_input".
func InvalidField(location, message string) *Error {
	return New(Invalid, "invalid_input", "the input is not valid").WithField(location, message)
}
