package rsvp

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/renkei-go/renkei/calendar"
	"github.com/renkei-go/renkei/foundation/fault"
	"github.com/renkei-go/renkei/foundation/identity"
)

// Ingest takes in a mail as it was received (RFC 5322), decides on it and says what became of it. Whatever the mail is,
// the decision is in the ledger; an error means that nothing was stored and that the mail should be brought again. It
// returns ErrTooLarge for more than MaxMail bytes.
func (s *Service) Ingest(ctx context.Context, tenant identity.TenantID, raw []byte, via Via) (Outcome, error) {
	if len(raw) > MaxMail {
		return Outcome{}, ErrTooLarge
	}
	now, err := s.cfg.Store.Now(ctx)
	if err != nil {
		return Outcome{}, err
	}
	m := Read(raw, s.cfg.ReplyAddress, now)
	tokens, err := s.tokens(ctx, tenant, m.Tags)
	if err != nil {
		return Outcome{}, err
	}
	in := &intake{
		Service: s, tenant: tenant, via: via, now: now, raw: raw[:min(len(raw), MaxRaw)], mail: m, tokens: tokens,
		from: s.prove(ctx, raw, m, tokens, now), unknown: map[string]bool{},
	}
	for {
		var missing *unknownUIDError
		err := s.cfg.Store.Do(ctx, in.store)
		if !errors.As(err, &missing) {
			return in.outcome, err
		}
		// A failed look-up ends a transaction; the next one knows.
		in.unknown[missing.uid] = true
	}
}

// tokens returns the tenant's tokens among the tags.
func (s *Service) tokens(ctx context.Context, tenant identity.TenantID, tags []string) ([]Token, error) {
	var tokens []Token
	for _, tag := range tags {
		token, err := s.cfg.Tokens.find(ctx, ReplyAddress, tag)
		switch {
		case errors.Is(err, ErrToken):
		case err != nil:
			return nil, err
		case token.Tenant == tenant:
			tokens = append(tokens, token)
		}
	}
	return tokens, nil
}

// prove says what vouches for the From of a mail that has no valid tag.
func (s *Service) prove(ctx context.Context, raw []byte, m Mail, tokens []Token, now time.Time) Trust {
	tagged := slices.ContainsFunc(tokens, func(t Token) bool { return t.valid(now) })
	switch {
	case tagged || len(m.Replies) == 0:
		return TrustNone
	case authserv(m.head, s.cfg.AuthservID, m.From):
		return TrustAuthserv
	case signed(ctx, raw, m.head, m.From, now, s.cfg.LookupTXT):
		return TrustDKIM
	}
	return TrustNone
}

// intake is one mail on its way into the ledger.
type intake struct {
	*Service
	tenant  identity.TenantID
	via     Via
	now     time.Time
	raw     []byte
	mail    Mail
	tokens  []Token
	from    Trust           // what vouches for From
	unknown map[string]bool // UIDs of no event
	outcome Outcome
}

// unknownUIDError ends a transaction in which an event was not found.
type unknownUIDError struct{ uid string }

func (*unknownUIDError) Error() string { return "rsvp: no event has this UID" }

// store judges all replies of the mail and writes them down, in one transaction.
func (in *intake) store(ctx context.Context) error {
	events, err := in.events(ctx)
	if err != nil {
		return err
	}
	// After the events are locked: the same mail, coming by two roads at once, waits here for itself.
	seen, proven, err := in.cfg.Store.Seen(ctx, in.tenant, in.mail.MessageID, in.mail.ContentHash)
	if err != nil {
		return err
	}
	// A mail that came without proof may be an imitation, made to keep out the one that has it.
	duplicate := seen && (proven || in.from == TrustNone && len(in.tokens) == 0)
	in.outcome = Outcome{}
	switch {
	case duplicate:
		e := in.entry()
		if len(in.mail.Replies) > 0 {
			e = in.claim(e, in.mail.Replies[0], events[in.mail.Replies[0].UID])
		}
		e.Decision, e.Trust, e.Detail = Duplicate, TrustNone, "the same mail came before"
		return in.append(ctx, e)
	case in.mail.Bounced && len(in.tokens) > 0:
		return in.bounce(ctx)
	case len(in.mail.Replies) == 0:
		e := in.entry()
		e.Decision, e.Detail = NotAReply, "nothing in it answers an invitation"
		if in.mail.malformed != "" {
			e.Decision, e.Detail = Malformed, in.mail.malformed
		}
		return in.append(ctx, e)
	}
	for _, r := range in.mail.Replies {
		if err := in.judge(ctx, r, events[r.UID]); err != nil {
			return err
		}
	}
	return nil
}

// events locks the events that the mail names, in the order of their UIDs.
func (in *intake) events(ctx context.Context) (map[string]*calendar.Event, error) {
	var uids []string
	for _, r := range in.mail.Replies {
		uids = append(uids, r.UID)
	}
	slices.Sort(uids)
	events := map[string]*calendar.Event{}
	for _, uid := range slices.Compact(uids) {
		if in.unknown[uid] || clean(uid, maxUID) != uid {
			continue
		}
		ev, err := in.cfg.Events.ByUID(ctx, in.tenant, uid)
		if fault.CodeOf(err) == fault.NotFound {
			return nil, &unknownUIDError{uid}
		}
		if err != nil {
			return nil, err
		}
		events[uid] = &ev
	}
	return events, nil
}

func (in *intake) judge(ctx context.Context, r Reply, ev *calendar.Event) error {
	p := in.proof(r, ev)
	v := Judge(ev, r, p)
	e := in.claim(in.entry(), r, ev)
	e.Decision, e.Detail, e.Trust = v.Decision, v.Detail, p.Trust
	switch v.Decision {
	case Applied:
		if err := in.apply(ctx, e); err != nil {
			return err
		}
		apply(ev, e) // for a further reply in the same mail
	case Refreshed:
		if err := in.refresh(ctx, &e); err != nil {
			return err
		}
	default:
	}
	return in.append(ctx, e)
}

// refresh sends the invitation again unless it was lately. The event is locked: two mails do not pass at once.
func (in *intake) refresh(ctx context.Context, e *Entry) error {
	lately, err := in.cfg.Store.RefreshedAfter(ctx, in.tenant, e.EventID, e.Attendee, in.now.Add(-RefreshEvery))
	if err != nil {
		return err
	}
	if lately {
		e.Decision, e.Detail = RefreshLimited, "the invitation was sent again less than an hour ago"
		return nil
	}
	return in.cfg.Events.Resend(ctx, in.tenant, e.EventID, e.Attendee)
}

// proof prefers the tag of the one who answers; a tag of somebody else is still what the mail was sent to.
func (in *intake) proof(r Reply, ev *calendar.Event) Proof {
	p := Proof{Trust: in.from, From: in.mail.From}
	for _, t := range in.tokens {
		if !t.valid(in.now) {
			continue
		}
		own := ev != nil && t.EventID == ev.ID && t.Guest == r.Attendee
		if own || p.Trust != TrustAddress {
			p.Trust, p.EventID, p.Guest = TrustAddress, t.EventID, t.Guest
		}
		if own {
			break
		}
	}
	return p
}

func (in *intake) bounce(ctx context.Context) error {
	t := in.tokens[0]
	ev, err := in.cfg.Events.ByID(ctx, in.tenant, t.EventID)
	if err != nil {
		return err
	}
	if attendee(&ev, t.Guest) != nil {
		if err := in.cfg.Events.MarkUndeliverable(ctx, in.tenant, t.EventID, t.Guest); err != nil {
			return err
		}
	}
	e := in.entry()
	e.EventID, e.UID, e.Attendee, e.Trust, e.Decision = ev.ID, ev.UID, t.Guest, TrustAddress, Bounce
	e.Detail = "an invitation could not be delivered"
	return in.append(ctx, e)
}

const maxUID = 255

func (in *intake) entry() Entry {
	return Entry{
		ID: in.cfg.NewID(), Tenant: in.tenant, ReceivedAt: in.now, From: clean(in.mail.From, 320), Trust: TrustNone, Via: in.via,
		MessageID: in.mail.MessageID, ContentHash: in.mail.ContentHash,
	}
}

// claim fills in what the reply says.
func (in *intake) claim(e Entry, r Reply, ev *calendar.Event) Entry {
	e.UID, e.Attendee, e.Comment = clean(r.UID, maxUID), clean(r.Attendee, 320), clean(r.Comment, MaxComment)
	e.Partstat = calendar.Partstat(clean(string(r.Partstat), 40))
	e.Stamp, e.ReplyTime, e.Sequence, e.Counter = stored(r.Stamp), stored(r.ReplyTime), r.Sequence, r.Counter
	if len(r.DelegatedTo) > 0 {
		e.DelegatedTo = clean(r.DelegatedTo[0], 320)
	}
	if ev != nil {
		e.EventID, e.Sequence = ev.ID, sequence(ev, r)
		if r.Counter {
			e.Proposed = proposed(ev, r)
			e.Sequence = min(e.Sequence, ev.Sequence) // nothing is proposed about a version to come
		}
	}
	return e
}

func (in *intake) append(ctx context.Context, e Entry) error {
	raw := in.raw
	if e.Decision == Duplicate || in.outcome.ReplyID != "" {
		raw = nil // it is there: a mail of many replies must not be kept once for each
	}
	if in.outcome.ReplyID == "" {
		in.outcome = e.outcome()
	}
	return in.cfg.Store.Append(ctx, e, raw)
}

// apply hands an answer to the calendar.
func (s *Service) apply(ctx context.Context, e Entry) error {
	return s.cfg.Events.ApplyReply(ctx, e.Tenant, e.EventID, e.answer())
}

// answer is what the calendar keeps of an entry.
func (e Entry) answer() calendar.Attendee {
	return calendar.Attendee{
		Email: e.Attendee, Partstat: e.Partstat, Comment: e.Comment,
		ReplySequence: e.Sequence, ReplyStamp: e.Stamp, ReplyTime: e.ReplyTime,
	}
}

// apply makes the answer known to ev, as the calendar has stored it.
func apply(ev *calendar.Event, e Entry) {
	if a := attendee(ev, e.Attendee); a != nil {
		a.Partstat, a.Comment = e.Partstat, e.Comment
		a.ReplySequence, a.ReplyStamp, a.ReplyTime = e.Sequence, e.Stamp, e.ReplyTime
	}
}

// stored is a time as databases keep it; one that they cannot keep is none.
func stored(t time.Time) time.Time {
	if t.Year() < 1 || t.Year() > 9999 {
		return time.Time{}
	}
	return t.UTC().Truncate(time.Microsecond)
}

// clean makes foreign text fit for a database: UTF-8 without NUL, of at most n bytes.
func clean(s string, n int) string {
	if len(s) > n {
		s = s[:n]
	}
	return strings.ReplaceAll(strings.ToValidUTF8(s, ""), "\x00", "")
}
