package notify

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/renkei-go/renkei/foundation/identity"
	"github.com/renkei-go/renkei/transport/chat"
	"github.com/renkei-go/renkei/transport/mail"
	"github.com/renkei-go/renkei/transport/retry"
)

// Channel brings a notice to a person. Implementations are safe for concurrent use and return soon after ctx ends. The
// same Notice.ID may come again after a crash. An error marked by retry.Permanent makes the person's next channel take
// over at once; NotYet costs no attempt. A digest comes as the first of its notices, with a Content of all.
type Channel interface {
	Notify(ctx context.Context, to identity.Person, n Notice, c Content) error
}

// NotYet is what a Channel returns when it has tried nothing, because it has to keep a pace: the notice comes again after
// d, and has as many attempts left as before.
func NotYet(d time.Duration) error { return &notYetError{d} }

type notYetError struct{ wait time.Duration }

// Error implements error.
func (e *notYetError) Error() string { return "not tried yet" }

var errNoAddress = errors.New("the person has no mail address")

// Mail is the channel that sends mail. domain is the right side of Message-IDs, whose left side is the notice's id, so
// that a mail that is sent again after a crash can be told.
func Mail(sender mail.Sender, domain string) Channel { return mailChannel{sender, domain} }

type mailChannel struct {
	sender mail.Sender
	domain string
}

// Notify implements Channel.
func (c mailChannel) Notify(ctx context.Context, to identity.Person, n Notice, content Content) error {
	if to.Email == "" {
		return retry.Permanent(errNoAddress)
	}
	return c.sender.Send(ctx, mail.Message{
		To: []string{mail.Address(to.Name, to.Email)}, Subject: content.Subject,
		Text: content.Text, HTML: content.HTML, MessageID: fmt.Sprintf("notice.%s@%s", n.ID, c.domain),
	})
}

// Chat is the channel that posts to a chat tool: to the person's direct messages, or, with a sender that has a
// conversation of its own, there, with the person's name (see package chat on privacy).
func Chat(sender chat.Sender) Channel { return chatChannel{sender} }

type chatChannel struct{ sender chat.Sender }

// Notify implements Channel.
func (c chatChannel) Notify(ctx context.Context, to identity.Person, n Notice, content Content) error {
	err := c.sender.Post(ctx, chat.Message{
		ID: n.ID, Email: to.Email, For: cmp.Or(to.Name, to.ID), Title: content.Subject, Text: content.Text,
	})
	if paced, ok := errors.AsType[*chat.PacedError](err); ok {
		return NotYet(paced.Wait)
	}
	return err
}
