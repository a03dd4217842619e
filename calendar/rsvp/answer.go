package rsvp

import (
	"context"
	"time"

	"github.com/renkei-go/renkei/calendar"
	"github.com/renkei-go/renkei/foundation/fault"
)

// Invitation is what the page behind a button shows to a guest. It holds nothing of other guests.
type Invitation struct {
	Guest     string
	Title     string
	Location  string
	Organizer string // name, else address
	Start     time.Time
	End       time.Time
	TimeZone  string // IANA
	AllDay    bool
	Partstat  calendar.Partstat // the guest's present answer
	Cancelled bool
}

// Invitation returns what the token of a button is for; it changes nothing. It returns ErrToken, ErrRevoked or
// ErrExpired. To who is on the list of a cancelled event it shows that instead of the last two; what becomes of an event
// is nothing to who was taken off its list.
func (s *Service) Invitation(ctx context.Context, token string) (Invitation, error) {
	ev, t, err := s.open(ctx, token)
	if err != nil {
		return Invitation{}, err
	}
	guest := attendee(&ev, t.Guest)
	if guest == nil {
		return Invitation{}, ErrRevoked
	}
	inv := Invitation{
		Guest: t.Guest, Title: ev.Title, Location: ev.Location, Organizer: ev.OrganizerName, Start: ev.Start, End: ev.End,
		TimeZone: ev.TimeZone, AllDay: ev.AllDay, Partstat: guest.Partstat, Cancelled: ev.Status == calendar.Cancelled,
	}
	if inv.Organizer == "" {
		inv.Organizer = ev.OrganizerEmail
	}
	if inv.Cancelled {
		return inv, nil
	}
	return inv, s.usable(ctx, ev, t)
}

// open returns the token of a button and its event.
func (s *Service) open(ctx context.Context, text string) (calendar.Event, Token, error) {
	t, err := s.cfg.Tokens.find(ctx, Button, text)
	if err != nil {
		return calendar.Event{}, t, err
	}
	ev, err := s.cfg.Events.ByID(ctx, t.Tenant, t.EventID)
	if fault.CodeOf(err) == fault.NotFound {
		err = ErrToken
	}
	return ev, t, err
}

// usable returns nothing for a cancelled event: that is an outcome of its own.
func (s *Service) usable(ctx context.Context, ev calendar.Event, t Token) error {
	now, err := s.cfg.Store.Now(ctx)
	switch {
	case err != nil:
		return err
	case ev.Status == calendar.Cancelled:
	case !t.RevokedAt.IsZero():
		return ErrRevoked
	case !t.valid(now):
		return ErrExpired
	}
	return nil
}

// Answer records the answer of the guest who holds the token of a button: ACCEPTED, TENTATIVE or DECLINED. A click is
// newer than every reply before it. It returns ErrPartstat, ErrToken, ErrRevoked or ErrExpired, which change nothing.
func (s *Service) Answer(ctx context.Context, token string, partstat calendar.Partstat, comment string) (Outcome, error) {
	switch partstat {
	case calendar.Accepted, calendar.Tentative, calendar.Declined:
	default:
		return Outcome{}, ErrPartstat
	}
	var out Outcome
	err := s.cfg.Store.Do(ctx, func(ctx context.Context) error {
		ev, t, err := s.open(ctx, token)
		if err == nil {
			err = s.usable(ctx, ev, t)
		}
		if err != nil {
			return err
		}
		now, err := s.cfg.Store.Now(ctx)
		if err != nil {
			return err
		}
		r := Reply{UID: ev.UID, Attendee: t.Guest, Partstat: partstat, Comment: comment, HasSequence: true, Sequence: ev.Sequence, Stamp: now, ReplyTime: now}
		if a := attendee(&ev, t.Guest); a != nil { // clocks elsewhere may be ahead of ours
			r.Sequence = max(r.Sequence, a.ReplySequence)
			r.Stamp, r.ReplyTime = latest(r.Stamp, a.ReplyStamp), latest(r.ReplyTime, a.ReplyTime)
		}
		v := Judge(&ev, r, Proof{Trust: TrustButton, EventID: t.EventID, Guest: t.Guest})
		e := Entry{
			ID: s.cfg.NewID(), Tenant: t.Tenant, EventID: ev.ID, UID: ev.UID, ReceivedAt: now, Attendee: t.Guest, Partstat: partstat,
			Comment: clean(comment, MaxComment), Decision: v.Decision, Detail: v.Detail, Trust: TrustButton, Via: ViaButton,
			Sequence: r.Sequence, Stamp: stored(r.Stamp), ReplyTime: stored(r.ReplyTime),
		}
		if v.Decision == Applied {
			if err := s.apply(ctx, e); err != nil {
				return err
			}
		}
		out = e.outcome()
		return s.cfg.Store.Append(ctx, e, nil)
	})
	return out, err
}

func latest(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}
