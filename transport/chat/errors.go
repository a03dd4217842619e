package chat

import (
	"errors"
	"fmt"
	"time"

	"github.com/renkei-go/renkei/foundation/fault"
	"github.com/renkei-go/renkei/transport/retry"
)

// What posting can run into. The first five come with the mark of retry.Permanent; the last two are worth another try,
// and ErrBusy comes with retry.After when the tool said how long to wait.
var (
	ErrPerson      = fault.New(fault.NotFound, "unknown_chat_person", "nobody is known there under this address, or the account is closed")
	ErrChannel     = fault.New(fault.NotFound, "unknown_chat_channel", "the conversation does not exist, is archived, or is closed to us")
	ErrAccess      = fault.New(fault.Forbidden, "chat_access", "the chat tool does not accept our credentials for this")
	ErrMessage     = fault.New(fault.Invalid, "invalid_chat_message", "the message is empty, too large or malformed")
	ErrRefused     = fault.New(fault.Conflict, "chat_refused", "the chat tool refuses the message")
	ErrBusy        = fault.New(fault.RateLimited, "chat_busy", "the chat tool accepts no more messages for now")
	ErrUnavailable = fault.New(fault.Unavailable, "chat_unavailable", "the chat tool does not answer as it should")
)

// Refuse makes the error for a refusal that another try cannot cure. code is the tool's own word for it, for the log;
// what does not look like one is left out. It is for implementations of Sender.
func Refuse(f *fault.Error, code string) error { return retry.Permanent(f.Because(codeError(code))) }

// Busy makes the error for an answer that asks to wait. It is for implementations of Sender.
func Busy(wait time.Duration) error { return retry.After(ErrBusy, wait) }

// Unavailable makes the error for a failure that may pass, with the tool's own word for it. It is for implementations
// of Sender.
func Unavailable(code string) error { return ErrUnavailable.Because(codeError(code)) }

// codeError keeps short plain words, so that nothing that a server echoes reaches a log.
func codeError(code string) error {
	if code == "" || len(code) > 64 {
		return nil
	}
	for _, r := range code {
		if r != '_' && (r < 'a' || r > 'z') && (r < '0' || r > '9') {
			return nil
		}
	}
	return errors.New(code)
}

// PacedError says that a post was not tried, because the tool's pace forbids it for a while. It is an ErrBusy.
type PacedError struct {
	Wait time.Duration // at least
}

// Error implements error.
func (p *PacedError) Error() string {
	return fmt.Sprintf("held back for %s to keep the chat tool's pace", p.Wait.Round(time.Millisecond))
}

// Unwrap returns ErrBusy with the wait.
func (p *PacedError) Unwrap() error { return Busy(p.Wait) }
