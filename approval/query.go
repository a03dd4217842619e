package approval

import (
	"context"
	"slices"
	"strings"

	"github.com/renkei-go/renkei/foundation/fault"
	"github.com/renkei-go/renkei/foundation/identity"
	"github.com/renkei-go/renkei/foundation/page"
	"github.com/renkei-go/renkei/transport"
)

func blank(s string) bool { return strings.TrimSpace(s) == "" }

// visible says whether the caller may see the request: requester, who acted for them, approvers, who decided in their
// place, administrators.
func visible(by identity.Principal, r Request) bool {
	return mayWithdraw(by, r) || r.IsApprover(by.User()) || r.Decided(by.User())
}

// Get returns a request that the caller takes part in, may decide on in an approver's place, or oversees (role admin or
// mgmt). It returns ErrNotFound.
func (s *Service) Get(ctx context.Context, by identity.Principal, id string) (Request, error) {
	r, err := s.store.Request(ctx, by.Tenant, id)
	if err != nil {
		return Request{}, err
	}
	if visible(by, r) {
		return r, nil
	}
	stands, err := s.mayDecide(ctx, by, r)
	if err != nil {
		return Request{}, err
	}
	if !stands {
		return Request{}, ErrNotFound
	}
	return r, nil
}

// mayDecide says whether the caller has a word to give now, as far as four eyes and the open step are concerned.
func (s *Service) mayDecide(ctx context.Context, by identity.Principal, r Request) (bool, error) {
	seat, err := s.seatOf(ctx, by, r)
	return seat != "", err
}

// seatOf returns the approver whose word the caller has to give now, or "".
func (s *Service) seatOf(ctx context.Context, by identity.Principal, r Request) (string, error) {
	own, err := s.interested(ctx, r.Tenant, r.Requester, r.ActedBy)
	if err != nil || slices.Contains(own, by.User()) || slices.Contains(own, by.Actor) {
		return "", err
	}
	now, err := s.store.Now(ctx)
	if err != nil {
		return "", err
	}
	seat, _, err := s.seat(ctx, by, r, own, now)
	return seat, err
}

// Role is in what part the caller of List stands.
type Role string

// The roles.
const (
	AsApprover  Role = "approver"  // mine to decide, also in somebody's place
	AsRequester Role = "requester" // asked by me, or by me in somebody's name
)

// List returns requests, newest first: those where the caller has the role, or with an empty role all that they may see.
// An empty status means any. It returns an Invalid fault for an unknown role or status, and page.ErrBadCursor.
func (s *Service) List(ctx context.Context, by identity.Principal, role Role, status Status, p page.Request) (page.Page[Request], error) {
	f := Filter{Status: status}
	switch role {
	case AsApprover:
		f.Approver = by.User()
		now, err := s.store.Now(ctx)
		if err == nil {
			f.For, err = s.represented(ctx, by.Tenant, f.Approver, nil, now)
		}
		if err != nil {
			return page.Page[Request]{}, err
		}
	case AsRequester:
		f.Requester = by.User()
	case "":
		if !mayOversee(by) {
			f.Involving = by.User()
		}
	default:
		return page.Page[Request]{}, fault.InvalidField("role", `must be "approver" or "requester"`)
	}
	switch status {
	case "", Pending, Approved, Rejected, TimedOut, Withdrawn:
	default:
		return page.Page[Request]{}, fault.InvalidField("status", "must be pending, approved, rejected, timed_out or withdrawn")
	}
	found, err := s.store.List(ctx, by.Tenant, f, p)
	if err == nil && len(f.For) > 0 {
		found.Items, err = s.mine(ctx, by, status, found.Items)
	}
	return found, err
}

// mine leaves out those pending ones that are in a list of AsApprover by a substitution alone and that the caller may not
// decide: four eyes, and who has had their say, are beyond the store.
func (s *Service) mine(ctx context.Context, by identity.Principal, status Status, rs []Request) ([]Request, error) {
	kept := make([]Request, 0, len(rs))
	who := by.User()
	for _, r := range rs {
		own := r.Status != Pending || slices.Contains(r.Deciders(), who) || status == "" && (r.IsApprover(who) || r.Decided(who))
		if !own {
			var err error
			if own, err = s.mayDecide(ctx, by, r); err != nil {
				return nil, err
			}
		}
		if own {
			kept = append(kept, r)
		}
	}
	return kept, nil
}

// StillPending says whether the request that a notice of this package asks a decision on still waits for the recipient's. Notices of
// other templates, and other packages', are never out of date: it answers true. A sender asks right before it sends, so
// that nobody is reminded of what is decided.
func (s *Service) StillPending(ctx context.Context, n transport.Notice) (bool, error) {
	if !Asks(n.Template) {
		return true, nil
	}
	id, _ := n.Data["approval_id"].(string)
	r, err := s.store.Request(ctx, n.Tenant, id)
	if fault.CodeOf(err) == fault.NotFound {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	now, err := s.store.Now(ctx)
	if err != nil {
		return false, err
	}
	if r.Status != Pending || !now.Before(r.ExpiresAt) {
		return false, nil
	}
	return s.mayDecide(ctx, identity.Principal{Tenant: n.Tenant, Actor: n.Recipient}, r)
}

// Asks says whether notices of the template ask for a decision: those that StillPending judges and Fill adds a link to.
func Asks(template string) bool {
	return slices.Contains([]string{TemplateRequested, TemplateReminder, TemplateChanged}, template)
}
