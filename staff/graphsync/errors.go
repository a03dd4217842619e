package graphsync

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"time"

	"golang.org/x/oauth2"

	"github.com/renkei-go/renkei/foundation/fault"
	"github.com/renkei-go/renkei/transport/retry"
)

// What can go wrong on the way to Graph.
var (
	ErrForeignLink = fault.New(fault.Internal, "entra_foreign_link", "Microsoft Graph gave a link to somewhere else")
	ErrUnreadable  = fault.New(fault.Unavailable, "entra_unreadable", "an answer of Microsoft Graph cannot be read")
	ErrUnanswered  = fault.New(fault.Unavailable, "entra_unanswered", "Microsoft Graph gave no answer")
	ErrCredentials = fault.New(fault.Unavailable, "entra_credentials", "Microsoft Entra refuses the client id or secret")
	ErrResync      = fault.New(fault.Unavailable, "entra_resync", "the delta link is no longer good: everything must be read anew")
)

// Error codes of Graph that this package acts upon (error.code and details[].code; the message is for people).
const (
	CodeBadRequest = "Request_BadRequest"
	CodeConflict   = "ObjectConflict"
	CodeNotFound   = "Request_ResourceNotFound"
	CodeDenied     = "Authorization_RequestDenied"
)

// Error is an answer of Graph that says no.
type Error struct {
	Status     int
	Code       string // error.code
	Details    []Detail
	RequestID  string        // for Microsoft's support
	RetryAfter time.Duration // 0: not said
}

// Detail is one of error.details.
type Detail struct {
	Code   string `json:"code"`
	Target string `json:"target"`
}

// Error says what Graph said, without its message, which may hold personal data.
func (e *Error) Error() string {
	return fmt.Sprintf("graph: %d %s %v (request-id %s)", e.Status, e.Code, e.Details, e.RequestID)
}

// Has says whether the code is the error's or one of its details'.
func (e *Error) Has(code string) bool {
	return e.Code == code || slices.ContainsFunc(e.Details, func(d Detail) bool { return d.Code == code })
}

// isStatus says whether err is an answer of Graph with the status.
func isStatus(err error, status int) bool {
	var e *Error
	return errors.As(err, &e) && e.Status == status
}

func errorOf(r Response, now time.Time) *Error {
	var body struct {
		Error struct {
			Code       string   `json:"code"`
			Details    []Detail `json:"details"`
			InnerError struct {
				RequestID string `json:"request-id"`
			} `json:"innerError"`
		} `json:"error"`
	}
	e := &Error{Status: r.Status, RequestID: r.Header.Get("request-id")}
	if json.Unmarshal(r.Body, &body) == nil {
		e.Code, e.Details = body.Error.Code, body.Error.Details
		if e.RequestID == "" {
			e.RequestID = body.Error.InnerError.RequestID
		}
	}
	if text := r.Header.Get("Retry-After"); text != "" {
		if n, err := strconv.Atoi(text); err == nil {
			e.RetryAfter = time.Duration(min(max(n, 0), int(retry.MaxAfter/time.Second))) * time.Second
		} else if at, err := http.ParseTime(text); err == nil {
			e.RetryAfter = max(at.Sub(now), 0)
		}
	}
	return e
}

// again says whether a call may be made once more: it was throttled, failed on the other side, got no answer, or its
// token was no longer good. A dependency that failed (424) is made again with what it depends on.
func again(err error) bool {
	if e, ok := errors.AsType[*Error](err); ok {
		switch e.Status {
		case http.StatusTooManyRequests, http.StatusLocked, http.StatusFailedDependency, http.StatusUnauthorized, http.StatusRequestTimeout:
			return true
		}
		return e.Status >= http.StatusInternalServerError && e.Status != http.StatusNotImplemented
	}
	return errors.Is(err, ErrUnanswered) || errors.Is(err, ErrUnreadable)
}

func lost(err error) error { return ErrUnanswered.Because(err) }

// tokenFault says why there is no token: refused for good, or nobody there.
func tokenFault(err error) error {
	var e *oauth2.RetrieveError
	if errors.As(err, &e) && e.Response.StatusCode < http.StatusInternalServerError && e.Response.StatusCode != http.StatusTooManyRequests {
		return ErrCredentials.Because(errors.New("token endpoint: " + e.ErrorCode))
	}
	return ErrUnanswered.Because(errors.New("no answer from the token endpoint"))
}
