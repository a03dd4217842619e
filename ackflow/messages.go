package ackflow

import (
	"context"
	"time"

	"github.com/renkei-go/renkei/foundation/audit"
	"github.com/renkei-go/renkei/foundation/identity"
)

// PostMessage writes a message without asking anybody to acknowledge it yet. It returns ErrInput.
func (s *Service) PostMessage(ctx context.Context, by identity.Principal, n NewMessage) (Message, error) {
	if err := valid(n); err != nil {
		return Message{}, err
	}
	var out Message
	err := s.store.Do(ctx, func(ctx context.Context) error {
		now, err := s.now(ctx)
		if err != nil {
			return err
		}
		if out, err = s.write(ctx, by, n, now); err != nil {
			return err
		}
		e := audit.By(by, "chat_message_posted", MessageKind, out.ID)
		e.Metadata["roomId"] = out.Room
		return s.record(ctx, e)
	})
	return out, err
}

// write stores a new message, with its source first.
func (s *Service) write(ctx context.Context, by identity.Principal, n NewMessage, now time.Time) (Message, error) {
	m := Message{
		ID: s.cfg.NewID(), Tenant: by.Tenant, Room: n.RoomID, Author: by.User(), Body: n.Body, Revision: 1, CreatedAt: now, UpdatedAt: now,
	}
	if s.cfg.Messages != nil {
		if err := s.cfg.Messages.Post(ctx, m); err != nil {
			return Message{}, err
		}
	}
	return m, s.store.InsertMessage(ctx, m)
}

// Message returns a message to its author, to those who are asked to acknowledge it or may see the request otherwise, and
// to those who oversee (role admin or mgmt). It returns ErrNotFound.
func (s *Service) Message(ctx context.Context, by identity.Principal, id string) (Message, error) {
	m, err := s.store.Message(ctx, by.Tenant, id)
	if err != nil || m.Author == by.User() || oversees(by) {
		return m, err
	}
	r, err := s.store.RequestOf(ctx, by.Tenant, id)
	if err != nil {
		return Message{}, err
	}
	seen, err := s.sees(ctx, by, r)
	if err == nil && !seen {
		err = ErrNotFound
	}
	if err != nil {
		return Message{}, err
	}
	return m, nil
}

// EditMessage changes what a message says, for its author. Acknowledgements of what it said before are void, and those who
// gave them are told. A body that is the same changes nothing. It returns ErrInput, ErrNotFound (also for what the caller
// may not see), ErrForbidden, ErrMessageDeleted, or ErrMessageElsewhere when Config.Messages keeps it.
func (s *Service) EditMessage(ctx context.Context, by identity.Principal, id, body string) (Message, error) {
	if err := valid(NewMessage{RoomID: "room", Body: body}); err != nil {
		return Message{}, err
	}
	return s.change(ctx, by, id, "chat_message_edited", func(m *Message, now time.Time) error {
		switch {
		case m.Author != by.User():
			return ErrForbidden
		case !m.DeletedAt.IsZero():
			return ErrMessageDeleted
		case m.Body != body:
			m.Body = body
			m.Revision++
			m.UpdatedAt = now
		}
		return nil
	})
}

// DeleteMessage deletes a message, for its author and for those who oversee. A request on it is never complete again.
// Doing it twice is harmless. It returns ErrNotFound, ErrForbidden or ErrMessageElsewhere.
func (s *Service) DeleteMessage(ctx context.Context, by identity.Principal, id string) error {
	_, err := s.change(ctx, by, id, "chat_message_deleted", func(m *Message, now time.Time) error {
		if m.Author != by.User() && !oversees(by) {
			return ErrForbidden
		}
		if m.DeletedAt.IsZero() {
			m.DeletedAt, m.UpdatedAt = now, now
		}
		return nil
	})
	return err
}

// SyncMessage brings the copy of a message of Config.Messages up to date: its Room, Body, URL, Revision and DeletedAt. What
// is older than the copy, by Revision, is ignored, and so is a message that nobody was asked to acknowledge. It has the
// consequences of EditMessage and DeleteMessage. Whoever calls it answers for the permission.
func (s *Service) SyncMessage(ctx context.Context, by identity.Principal, m Message) error {
	if m.Revision < 1 {
		return ErrInput.WithField("revision", "must be at least 1")
	}
	err := s.store.Do(ctx, func(ctx context.Context) error {
		old, err := s.store.LockMessage(ctx, by.Tenant, m.ID)
		if err != nil {
			return err
		}
		now, err := s.now(ctx)
		if err != nil {
			return err
		}
		changed := old
		if m.Revision >= old.Revision {
			changed.Room, changed.Body, changed.URL, changed.Revision = m.Room, m.Body, m.URL, m.Revision
		}
		if old.DeletedAt.IsZero() && !m.DeletedAt.IsZero() {
			changed.DeletedAt = now
		}
		if changed == old {
			return nil
		}
		changed.UpdatedAt = now
		return s.changed(ctx, by, "chat_message_edited", old, changed, now)
	})
	if isGone(err) {
		return nil
	}
	return err
}

// change applies an edit to a message of our own.
func (s *Service) change(ctx context.Context, by identity.Principal, id, action string, edit func(m *Message, now time.Time) error) (Message, error) {
	if s.cfg.Messages != nil {
		return Message{}, ErrMessageElsewhere
	}
	var out Message
	err := s.store.Do(ctx, func(ctx context.Context) error {
		old, err := s.store.LockMessage(ctx, by.Tenant, id)
		if err != nil {
			return err
		}
		if _, err := s.Message(ctx, by, id); err != nil {
			return err
		}
		now, err := s.now(ctx)
		if err != nil {
			return err
		}
		out = old
		if err := edit(&out, now); err != nil {
			return err
		}
		if out == old {
			return nil
		}
		return s.changed(ctx, by, action, old, out, now)
	})
	if err != nil {
		return Message{}, err
	}
	return out, nil
}

// changed stores a message that is locked, and takes its acknowledgements back.
func (s *Service) changed(ctx context.Context, by identity.Principal, action string, old, m Message, now time.Time) error {
	if err := s.store.SetMessage(ctx, m); err != nil {
		return err
	}
	e := audit.By(by, action, MessageKind, m.ID)
	e.Metadata["revision"] = m.Revision
	if err := s.record(ctx, e); err != nil {
		return err
	}
	found, err := s.store.RequestOf(ctx, m.Tenant, m.ID)
	if isGone(err) {
		return nil
	}
	if err != nil {
		return err
	}
	r, err := s.store.LockRequest(ctx, m.Tenant, found.ID)
	if err != nil {
		return err
	}
	r.MessageDeleted = !m.DeletedAt.IsZero()
	f := fact{event: EventVoided}
	if m.Revision != old.Revision {
		voided, err := s.store.Void(ctx, m.Tenant, r.ID)
		if err != nil {
			return err
		}
		r.Revision = m.Revision
		r.reopen(r.Required, now)
		f.action, f.users, f.more = "chat_ack_voided", voided, map[string]any{"userIds": voided, "revision": m.Revision}
		if r.CanceledAt.IsZero() && !r.MessageDeleted {
			f.notices = s.noticesTo(r, m, TemplateEdited, voided)
		}
	}
	if err := s.store.SetRequest(ctx, r); err != nil {
		return err
	}
	f.request = r
	return s.tell(ctx, by, now, f)
}

// readMessage and lockMessage read a message of our own store for askable.
func (s *Service) readMessage(ctx context.Context, by identity.Principal, id string) (Message, error) {
	if s.cfg.Messages != nil {
		return s.sourced(ctx, by, id)
	}
	return s.store.Message(ctx, by.Tenant, id)
}

func (s *Service) lockMessage(ctx context.Context, by identity.Principal, id string) (Message, error) {
	if s.cfg.Messages != nil {
		m, err := s.sourced(ctx, by, id)
		if err != nil {
			return Message{}, err
		}
		if err := s.store.InsertMessage(ctx, m); err != nil {
			return Message{}, err
		}
	}
	return s.store.LockMessage(ctx, by.Tenant, id)
}

// sourced asks the embedder's chat.
func (s *Service) sourced(ctx context.Context, by identity.Principal, id string) (Message, error) {
	m, err := s.cfg.Messages.Message(ctx, by, id)
	if err != nil {
		return Message{}, err
	}
	m.ID, m.Tenant = id, by.Tenant
	m.Revision = max(m.Revision, 1)
	return m, nil
}

// askable returns a message that the caller may ask others to acknowledge: their own or, for those who oversee, any. An
// embedder's chat judges that itself.
func (s *Service) askable(
	ctx context.Context, by identity.Principal, id string, get func(context.Context, identity.Principal, string) (Message, error),
) (Message, error) {
	m, err := get(ctx, by, id)
	switch {
	case err != nil:
		return Message{}, err
	case s.cfg.Messages == nil && m.Author != by.User() && !oversees(by):
		return Message{}, ErrNotFound
	case !m.DeletedAt.IsZero():
		return Message{}, ErrMessageDeleted
	}
	return m, nil
}
