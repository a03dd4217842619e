package approval

import (
	"context"
	"errors"
	"time"

	"github.com/renkei-go/renkei/foundation/fault"
	"github.com/renkei-go/renkei/foundation/identity"
	"github.com/renkei-go/renkei/foundation/secret"
	"github.com/renkei-go/renkei/transport"
)

// DecideURL is the member of a notice's data that Fill fills.
const DecideURL = "decide_url"

// Link lets one person decide on one request, once, without signing in: whoever holds its token is them. It is for mails
// and other messages to that person alone. Times are UTC in whole microseconds.
type Link struct {
	Hash        string // of the token: secret.HashToken
	Tenant      identity.TenantID
	RequestID   string
	Person      string
	ContentHash string // of what was asked when the link was made: another content makes it stale
	CreatedAt   time.Time
	ExpiresAt   time.Time // the request's deadline
	UsedAt      time.Time // zero: not used
}

// LinkStore keeps links. Every method joins the transaction in ctx. A token belongs to one tenant, which the link names.
type LinkStore interface {
	// AddLink stores a new one.
	AddLink(ctx context.Context, l Link) error
	// LinkByHash returns one, or ErrLink.
	LinkByHash(ctx context.Context, hash string) (Link, error)
	// UseLink marks one as used and says whether it was not used before.
	UseLink(ctx context.Context, hash string, at time.Time) (bool, error)
	// PruneLinks deletes up to limit links that expired before t.
	PruneLinks(ctx context.Context, t time.Time, limit int) (int, error)
}

// keepLinks is how long after its deadline a link still shows the outcome.
const keepLinks = 90 * 24 * time.Hour

const linkPrefix = "ra_" // of tokens

// NewLink makes a link to decide on a pending request for one of those who may, and returns its token, which is kept
// nowhere. It returns ErrNotFound, ErrNotApprover, ErrExpired or ErrDecided.
func (s *Service) NewLink(ctx context.Context, tenant identity.TenantID, id, person string) (secret.String, error) {
	token := secret.NewToken(linkPrefix)
	err := s.store.Do(ctx, func(ctx context.Context) error {
		r, err := s.store.Request(ctx, tenant, id)
		if err != nil {
			return err
		}
		now, err := s.store.Now(ctx)
		if err != nil {
			return err
		}
		switch {
		case r.Status != Pending:
			return decided(r)
		case !now.Before(r.ExpiresAt):
			return ErrExpired.With("expires_at", r.ExpiresAt)
		}
		may, err := s.mayDecide(ctx, identity.Principal{Tenant: tenant, Actor: person}, r)
		if err != nil {
			return err
		}
		if !may {
			return ErrNotApprover
		}
		return s.store.AddLink(ctx, Link{
			Hash: secret.HashToken(token.Reveal()), Tenant: tenant, RequestID: id, Person: person,
			ContentHash: r.ContentHash, CreatedAt: now, ExpiresAt: r.ExpiresAt,
		})
	})
	if err != nil {
		return secret.String{}, err
	}
	return token, nil
}

// Fill makes what a notice of this package must not say as it was stored: the summary is the request's own of now, so
// that what was hidden meanwhile (Conceal) is not told late; and a notice that asks for a decision gets a fresh link for
// its recipient, as the member DecideURL, if they still may decide. url makes an address of a token; nil: no link, for
// where others read along. A sender calls it right before it sends.
func (s *Service) Fill(ctx context.Context, n transport.Notice, url func(token string) string) (map[string]any, error) {
	id, _ := n.Data["approval_id"].(string)
	r, err := s.store.Request(ctx, n.Tenant, id)
	if errors.Is(err, ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	more := map[string]any{"summary": r.Summary}
	if !Asks(n.Template) || url == nil {
		return more, nil
	}
	token, err := s.NewLink(ctx, n.Tenant, id, n.Recipient)
	switch fault.CodeOf(err) {
	case "":
		more[DecideURL] = url(token.Reveal())
	case fault.NotFound, fault.Forbidden, fault.Conflict:
	default:
		return nil, err
	}
	return more, nil
}

// Linked is what the holder of a link may know: the request as it is now, whether they can still decide, and else why
// not. The request is empty for somebody whom it does not concern any more: Refusal is ErrNotApprover or ErrSelfApproval.
type Linked struct {
	Request
	Person identity.Person   // whose link it is
	Names  map[string]string // of those whom the request names, by id, as far as the directory knows them
	Now    time.Time
	// Refusal is nil while the link is good; else ErrLinkUsed, ErrExpired, ErrDecided, ErrStaleContent or another error of
	// Act.
	Refusal error
}

// OpenLink returns what a link shows; it changes nothing. It returns ErrLink for a token that is not known.
func (s *Service) OpenLink(ctx context.Context, token string) (Linked, error) {
	l, err := s.store.LinkByHash(ctx, secret.HashToken(token))
	if err != nil {
		return Linked{}, err
	}
	r, err := s.store.Request(ctx, l.Tenant, l.RequestID)
	if err != nil {
		return Linked{}, err
	}
	now, err := s.store.Now(ctx)
	if err != nil {
		return Linked{}, err
	}
	out := Linked{Request: r, Now: now}
	if out.Refusal, err = s.refusalOf(ctx, l, r); err != nil {
		return Linked{}, err
	}
	if errors.Is(out.Refusal, ErrNotApprover) || errors.Is(out.Refusal, ErrSelfApproval) {
		out.Request = Request{}
	}
	if err := s.introduce(ctx, l, &out); err != nil {
		return Linked{}, err
	}
	return out, nil
}

// refusalOf says why a link is good no more, or nil.
func (s *Service) refusalOf(ctx context.Context, l Link, r Request) (refusal, err error) {
	if refusal, err = s.checkLink(ctx, l); err != nil || refusal != nil {
		return refusal, err
	}
	refusal = s.Simulate(ctx, l.principal(), r.ID, Decision{Action: Approve, ContentHash: l.ContentHash})
	switch code := fault.CodeOf(refusal); {
	case code == fault.Internal, code == fault.Unavailable && !errors.Is(refusal, ErrNoApprover):
		return nil, refusal
	case errors.Is(refusal, ErrDenied), errors.Is(refusal, ErrReasonRequired):
		return nil, nil // a guard may pass until the form is sent, and a rejection may need none; the form takes a reason
	}
	return refusal, nil
}

// introduce adds who the people are.
func (s *Service) introduce(ctx context.Context, l Link, out *Linked) error {
	ids := append([]string{l.Person, out.Requester, out.ActedBy}, out.Approvers()...)
	if o := out.Outcome; o != nil {
		ids = append(ids, o.By)
	}
	people, err := s.cfg.Directory.People(ctx, l.Tenant, ids)
	if err != nil {
		return err
	}
	out.Person, out.Names = identity.Person{ID: l.Person}, map[string]string{}
	for _, p := range people {
		if p.ID == l.Person {
			out.Person = p
		}
		out.Names[p.ID] = p.Name
	}
	return nil
}

func (l Link) principal() identity.Principal {
	return identity.Principal{Tenant: l.Tenant, Actor: l.Person}
}

// checkLink says why a link is good no more, apart from what Act checks: its person has left, or it is used.
func (s *Service) checkLink(ctx context.Context, l Link) (refusal, err error) {
	p, err := s.cfg.Directory.Person(ctx, l.Tenant, l.Person)
	switch {
	case errors.Is(err, identity.ErrUnknownPerson), err == nil && !p.Active:
		return ErrNotApprover, nil
	case err != nil:
		return nil, err
	case !l.UsedAt.IsZero():
		return ErrLinkUsed, nil
	}
	return nil, nil
}

// ActByLink decides as the person of the link, and uses it up: everything that Act checks holds here too, and the content
// is that of the time when the link was made. A refused decision leaves the link good. It returns ErrLink, ErrLinkUsed or
// what Act returns.
func (s *Service) ActByLink(ctx context.Context, token string, d Decision) (Request, error) {
	var out Request
	var refusal error
	err := s.store.Do(ctx, func(ctx context.Context) error {
		refusal = nil
		l, err := s.store.LinkByHash(ctx, secret.HashToken(token))
		if err != nil {
			return err
		}
		// In the order of locks of every decision: the request (and its subject), then what hangs on it.
		if _, err := s.lock(ctx, l.Tenant, l.RequestID); err != nil {
			return err
		}
		if l, err = s.store.LinkByHash(ctx, l.Hash); err != nil { // as it is after the wait for the lock
			return err
		}
		bad, err := s.checkLink(ctx, l)
		if err := errors.Join(bad, err); err != nil {
			return err
		}
		now, err := s.store.Now(ctx)
		if err != nil {
			return err
		}
		d.ContentHash = l.ContentHash
		if out, err = s.Act(ctx, l.principal(), l.RequestID, d); errors.Is(err, ErrExpired) {
			refusal = err // and the time-out stays
			return nil
		}
		if err != nil {
			return err
		}
		fresh, err := s.store.UseLink(ctx, l.Hash, now)
		if err == nil && !fresh {
			err = ErrLinkUsed
		}
		return err
	})
	if err == nil {
		err = refusal
	}
	if err != nil {
		return Request{}, err
	}
	return out, nil
}

// SweepLinks deletes up to limit links (0: 500) whose deadline is 90 days past and returns how many; until then a late
// click shows the outcome.
func (s *Service) SweepLinks(ctx context.Context, limit int) (int, error) {
	if limit <= 0 {
		limit = defaultSweep
	}
	now, err := s.store.Now(ctx)
	if err != nil {
		return 0, err
	}
	return s.store.PruneLinks(ctx, now.Add(-keepLinks), limit)
}
