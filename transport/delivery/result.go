package delivery

import (
	"context"
	"errors"
	"regexp"
	"strings"
	"time"
	"unicode"

	"github.com/renkei-go/renkei/transport/retry"
)

// Result is what came of an attempt. Make it with one of the functions below; the zero Result is a failed attempt.
type Result struct {
	state    State
	err      error
	wait     time.Duration // Later only
	later    bool
	slow     bool // the destination asked for less
	gone     bool // the destination will never come back
	status   int
	response string
}

// Sent says that the destination accepted it. response is the head of its answer, for the history.
func Sent(response string) Result { return Result{state: Succeeded, response: response} }

// Retry says that it failed and may succeed later: after the policy's delay, or after what retry.After asked for if that
// is longer. When no attempt is left it becomes Dead.
func Retry(err error) Result { return Result{state: Pending, err: orUnknown(err)} }

// Throttled is Retry for a destination that asked for less: fewer attempts run at once until it accepts some again, and
// with after, which is capped at retry.MaxAfter, a kind that has Health sends it nothing before that has passed.
func Throttled(err error, after time.Duration) Result {
	err = orUnknown(err)
	if after > 0 {
		err = retry.After(err, after)
	}
	return Result{state: Pending, err: err, slow: true}
}

// Gone is Fail for a destination that will never come back: a kind that has Health disables it.
func Gone(err error) Result { return Result{state: Dead, err: orUnknown(err), gone: true} }

// Fail says that it failed for good: Dead.
func Fail(err error) Result { return Result{state: Dead, err: orUnknown(err)} }

// Cancel says that it is not wanted any more: Cancelled.
func Cancel(reason string) Result { return Result{state: Cancelled, err: errors.New(reason)} }

// Suppress says that it would repeat another: Suppressed.
func Suppress(reason string) Result { return Result{state: Suppressed, err: errors.New(reason)} }

// Later says that nothing was tried and that it should be looked at again after d. It costs no attempt and leaves no
// line in the history.
func Later(d time.Duration) Result { return Result{state: Pending, later: true, wait: d} }

// Of is Sent for nil, Fail for an error that retry.IsPermanent, and Retry for others: the usual end of a Sender.
func Of(err error) Result {
	switch {
	case err == nil:
		return Sent("")
	case retry.IsPermanent(err):
		return Fail(err)
	}
	return Retry(err)
}

// WithAnswer adds the status code and the head of the destination's answer. Secrets and addresses are removed from it,
// and it is cut at 1 KiB.
func (r Result) WithAnswer(status int, head string) Result {
	r.status, r.response = status, head
	return r
}

// State returns what the delivery becomes if an attempt is left.
func (r Result) State() State {
	if r.state == "" {
		return Pending
	}
	return r.state
}

// Status returns what WithAnswer was given; 0: none.
func (r Result) Status() int { return r.status }

// Err returns why it did not succeed; nil after Sent and Later.
func (r Result) Err() error { return r.err }

var errUnknown = errors.New("the sender gave no reason")

func orUnknown(err error) error {
	if err == nil {
		return errUnknown
	}
	return err
}

// maxText is the most that the history keeps of an answer or an error, in bytes.
const maxText = 1024

// What a destination may echo and nobody should find in a history: credentials by the names they usually have, bearer
// tokens, the user part of URLs, and mail addresses.
var (
	credential = regexp.MustCompile(`(?i)("?[a-z0-9_-]*(?:authorization|password|passwd|secret|token|api[-_]?key|signature|cookie|session)"?\s*[:=]\s*)("[^"]*"|(?:(?:bearer|basic)\s+)?[^\s,;&}]+)`)
	bearer     = regexp.MustCompile(`(?i)\b(bearer|basic)\s+[a-z0-9._~+/=-]{6,}`)
	userinfo   = regexp.MustCompile(`://[^/\s@]+@`)
	address    = regexp.MustCompile(`[^\s<>"'(),;:@]+@[^\s<>"'(),;:@]+`)
)

// hint finds the words without which neither credential nor bearer matches.
var hint = regexp.MustCompile(`(?i)authorization|passw|secret|token|api[-_]?key|signature|cookie|session|bearer|basic`)

// clean makes foreign text fit for the history.
func clean(text string) string {
	if text == "" {
		return ""
	}
	if len(text) > 4*maxText {
		text = text[:4*maxText]
	}
	text = strings.ToValidUTF8(text, "\uFFFD")
	text = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) && r != '\n' && r != '\t' {
			return ' '
		}
		return r
	}, text)
	// Most texts have nothing to hide, and the patterns are slow.
	if hint.MatchString(text) {
		text = credential.ReplaceAllString(text, "${1}[redacted]")
		text = bearer.ReplaceAllString(text, "${1} [redacted]")
	}
	if strings.Contains(text, "@") {
		text = userinfo.ReplaceAllString(text, "://[redacted]@")
		text = address.ReplaceAllString(text, "[address]")
	}
	if len(text) > maxText {
		text = strings.ToValidUTF8(text[:maxText], "")
	}
	return text
}

// errorText is what the history keeps of an error.
func errorText(err error) string {
	switch {
	case err == nil:
		return ""
	case errors.Is(err, context.DeadlineExceeded):
		return "timed out"
	case errors.Is(err, context.Canceled):
		return "interrupted"
	}
	return clean(err.Error())
}
