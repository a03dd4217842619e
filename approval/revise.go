package approval

import (
	"context"
	"slices"

	"github.com/renkei-go/renkei/foundation/audit"
	"github.com/renkei-go/renkei/foundation/check"
	"github.com/renkei-go/renkei/foundation/identity"
)

// Revise shows the approvers of a pending request what has become of its subject, for the owner of the subject, who has
// changed it in the same transaction in a way that does not ask anew: a decision on what they saw before is then refused
// with ErrStaleContent, and those who may still decide are told (TemplateChanged). The approvers, the deadline, the
// reminder and what was decided already stay. Without a pending request in sub.Flow, or when nothing that is shown has
// changed, it does nothing. It returns an Invalid fault for a submission that is not complete; the requester is not
// compared.
func (s *Service) Revise(ctx context.Context, by identity.Principal, sub Submission) error {
	if sub.Requester == "" {
		sub.Requester = by.User()
	}
	if err := check.Struct(sub); err != nil {
		return err
	}
	shown, err := shownOf(sub.Content)
	if err != nil {
		return err
	}
	return s.store.Do(ctx, func(ctx context.Context) error {
		pending, err := s.store.LockPending(ctx, by.Tenant, sub.Subject)
		if err != nil {
			return err
		}
		for _, r := range pending {
			if r.Flow != sub.Flow {
				continue
			}
			if err := s.revise(ctx, by, r, sub, shown); err != nil {
				return err
			}
		}
		return nil
	})
}

func (s *Service) revise(ctx context.Context, by identity.Principal, r Request, sub Submission, shown Shown) error {
	policy, err := s.policyAt(ctx, r.Tenant, r.Flow, r.Policy)
	if err != nil {
		return err
	}
	verdict := policy.Judge(sub.Facts)
	same := r.ContentHash == shown.Hash
	if same && r.Summary == sub.Summary && slices.Equal(r.Explanation, verdict.Explanation) {
		return nil
	}
	now, err := s.store.Now(ctx)
	if err != nil {
		return err
	}
	r.Version++
	r.Summary, r.Discreet, r.Reasons, r.Explanation = sub.Summary, sub.Discreet, verdict.Reasons, verdict.Explanation
	e := audit.By(by, "approval_revised", TargetKind, r.ID)
	e.Metadata["flowType"], e.Metadata["subject"] = r.Flow, r.Subject.String()
	if !same {
		shown.At, shown.Version, shown.By = now, r.Version, by.User()
		e.Metadata["changed"] = changed(r.Shown[len(r.Shown)-1], shown)
		r.show(shown)
	}
	if err := s.store.Revise(ctx, r); err != nil {
		return err
	}
	if err := s.cfg.Audit.Record(ctx, e); err != nil || same {
		return err
	}
	return s.notifyAsked(ctx, r, TemplateChanged)
}

// Conceal takes out of every request about a subject, ended ones too, what its owner has come to hide from those who were
// asked: its Summary is the Discreet one of its submission from then on, also in notices that are yet to be sent (Fill).
// It is for the owner of the subject, who answers for the permission, in the transaction that hides it.
func (s *Service) Conceal(ctx context.Context, by identity.Principal, subject Subject) error {
	return s.store.Do(ctx, func(ctx context.Context) error {
		ids, err := s.store.Conceal(ctx, by.Tenant, subject)
		if err != nil || len(ids) == 0 {
			return err
		}
		entries := make([]audit.Entry, len(ids))
		for i, id := range ids {
			entries[i] = audit.By(by, "approval_concealed", TargetKind, id)
			entries[i].Metadata["subject"] = subject.String()
		}
		return s.cfg.Audit.Record(ctx, entries...)
	})
}
