package graphsync

import (
	"context"
	"slices"
	"time"

	"github.com/renkei-go/renkei/foundation/fault"
	"github.com/renkei-go/renkei/foundation/identity"
	"github.com/renkei-go/renkei/foundation/page"
)

// Resolution is what becomes of an issue.
type Resolution string

// The resolutions.
const (
	ResolveIgnore Resolution = "ignore" // it is as it should be: do not show it again
	ResolveLink   Resolution = "link"   // one of the accounts or groups is the right one
	ResolveUnlink Resolution = "unlink" // forget the account or group: another is found or made
	ResolveEnable Resolution = "enable" // an account that somebody disabled is to be enabled
)

// Resolve decides an issue; what follows from it is in the next plan. For ResolveLink remote is one of the issue's. It is
// for people only. It returns staff.ErrReadForbidden, ErrNeedsPerson, ErrUnknownIssue, ErrLinked, or a fault like
// check.ErrInput.
func (s *Service) Resolve(ctx context.Context, by identity.Principal, id int64, how Resolution, remote string) error {
	if err := s.decide(by); err != nil {
		return err
	}
	return s.cfg.Store.Do(ctx, func(ctx context.Context) error {
		issue, err := s.cfg.Store.Issue(ctx, s.cfg.Tenant, id)
		if err != nil {
			return err
		}
		if err := s.resolve(ctx, by, issue, how, remote); err != nil {
			return err
		}
		return s.audit(ctx, by, ActionResolve, "entra.issue", id, map[string]any{"how": string(how), "kind": string(issue.Kind), "object": string(issue.Object), "local": issue.Local})
	})
}

func (s *Service) resolve(ctx context.Context, by identity.Principal, issue StoredIssue, how Resolution, remote string) error {
	found, err := s.cfg.Store.LinksOf(ctx, s.cfg.Tenant, issue.Object, []int64{issue.Local})
	if err != nil {
		return err
	}
	l := Link{Kind: issue.Object, Local: issue.Local}
	if len(found) > 0 {
		l = found[0]
	}
	switch how {
	case ResolveIgnore:
		return s.cfg.Store.IgnoreIssue(ctx, s.cfg.Tenant, issue.ID, by.Actor)
	case ResolveLink:
		if !slices.Contains(issue.Remotes, remote) {
			return fault.InvalidField("remote_id", "must be one of the conflict's")
		}
		l = Link{Kind: issue.Object, Local: issue.Local, Remote: remote, Rule: RuleManual}
		if err := s.cfg.Store.PutLinks(ctx, s.cfg.Tenant, []Link{l}); err != nil {
			if fault.CodeOf(err) == fault.Conflict {
				return ErrLinked
			}
			return err
		}
	case ResolveUnlink:
		if err := s.cfg.Store.DropLinks(ctx, s.cfg.Tenant, issue.Object, []int64{issue.Local}); err != nil {
			return err
		}
	case ResolveEnable:
		if issue.Kind != IssueDisabled || l.Remote == "" {
			return fault.InvalidField("action", "enable is for accounts that somebody disabled")
		}
		l.DisabledAt = s.now() // as if this package had
		if err := s.cfg.Store.PutLinks(ctx, s.cfg.Tenant, []Link{l}); err != nil {
			return err
		}
	default:
		return fault.InvalidField("action", "must be ignore, link, unlink or enable")
	}
	return s.cfg.Store.DropIssue(ctx, s.cfg.Tenant, issue.ID)
}

// Issues returns the issues of the last plan by ID. It returns staff.ErrReadForbidden or page.ErrBadCursor.
func (s *Service) Issues(ctx context.Context, by identity.Principal, p page.Request) (page.Page[StoredIssue], error) {
	return listed(s, by, p, "entra.issues", func(i StoredIssue) int64 { return i.ID }, func(after int64, limit int) ([]StoredIssue, error) {
		return s.cfg.Store.Issues(ctx, s.cfg.Tenant, after, limit)
	})
}

// Quarantine returns the links of a kind that wait in quarantine, by Local. It returns what Issues does.
func (s *Service) Quarantine(ctx context.Context, by identity.Principal, kind Kind, p page.Request) (page.Page[Link], error) {
	return listed(s, by, p, "entra.quarantine/"+string(kind), func(l Link) int64 { return l.Local }, func(after int64, limit int) ([]Link, error) {
		return s.cfg.Store.Waiting(ctx, s.cfg.Tenant, kind, s.now(), after, limit)
	})
}

// Retry lets an object out of quarantine, to be tried in the next run. It is for people only. It returns
// staff.ErrReadForbidden, ErrNeedsPerson or ErrUnknownLink.
func (s *Service) Retry(ctx context.Context, by identity.Principal, kind Kind, local int64) error {
	if err := s.decide(by); err != nil {
		return err
	}
	return s.cfg.Store.Do(ctx, func(ctx context.Context) error {
		found, err := s.cfg.Store.LinksOf(ctx, s.cfg.Tenant, kind, []int64{local})
		if err != nil {
			return err
		}
		if len(found) == 0 {
			return ErrUnknownLink
		}
		found[0].NextTry, found[0].Failures, found[0].Reason = time.Time{}, 0, ""
		if err := s.cfg.Store.PutLinks(ctx, s.cfg.Tenant, found); err != nil {
			return err
		}
		return s.audit(ctx, by, ActionRetry, "entra.link", local, map[string]any{"kind": string(kind)})
	})
}
