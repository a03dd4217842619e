package mail

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/renkei-go/renkei/foundation/fault"
)

// MemorySize is how many messages a Memory keeps.
const MemorySize = 200

// Memory is a Sender that keeps the last 200 messages for a viewer, in this process only: the built-in outbox of a
// deployment without SMTP. A message with the MessageID of one that it has replaces that one, as a mail system would
// show it once. It is safe for concurrent use; the zero value is ready, with the real clock.
type Memory struct {
	From string           // for messages that have none
	Now  func() time.Time // default time.Now

	mu   sync.Mutex
	kept []Message
}

var _ Sender = (*Memory)(nil)

// Send implements Sender. It returns ErrMessage where SMTP would.
func (s *Memory) Send(_ context.Context, m Message) error {
	if m.From == "" {
		m.From = s.From
	}
	if err := m.Validate(); err != nil {
		return err
	}
	if m.Date.IsZero() {
		now := s.Now
		if now == nil {
			now = time.Now
		}
		m.Date = now().UTC().Truncate(time.Microsecond)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if m.MessageID != "" {
		s.kept = slices.DeleteFunc(s.kept, func(old Message) bool { return old.MessageID == m.MessageID })
	}
	if s.kept = append(s.kept, m); len(s.kept) > MemorySize {
		s.kept = slices.Delete(s.kept, 0, 1)
	}
	return nil
}

// Messages returns what is kept, newest first.
func (s *Memory) Messages() []Message {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := slices.Clone(s.kept)
	slices.Reverse(out)
	return out
}

// ErrNoMessage is returned by Message.
var ErrNoMessage = fault.New(fault.NotFound, "unknown_mail", "there is no such mail")

// Message returns the kept message with the id, or ErrNoMessage.
func (s *Memory) Message(id string) (Message, error) {
	for _, m := range s.Messages() {
		if m.MessageID == id && id != "" {
			return m, nil
		}
	}
	return Message{}, ErrNoMessage
}
