package approval

import (
	"context"
	"slices"
	"strconv"

	"github.com/renkei-go/renkei/foundation/audit"
	"github.com/renkei-go/renkei/foundation/identity"
	"github.com/renkei-go/renkei/transport"
)

// overridable says whether the caller may decide in spite of the failures, if they give a reason: as an administrator
// (role admin or mgmt), when acknowledgements are all that is missing (seed 002, phase 2).
func overridable(by identity.Principal, failures []Failure) bool {
	return mayOversee(by) && !slices.ContainsFunc(failures, func(f Failure) bool {
		return f.Type != ChatAckCompleted || f.Reason == UnknownGuardType || f.Reason == GuardError
	})
}

// acted tells the follower of a decision that has been taken, and those who must know of an override.
func (s *Service) acted(ctx context.Context, a Action, v ActionVerdict) error {
	if v.Override {
		if err := s.recordOverride(ctx, a, v); err != nil {
			return err
		}
	}
	if s.cfg.Follower == nil {
		return nil
	}
	return s.cfg.Follower.Acted(ctx, a)
}

// recordOverride writes the audit entry and tells the auditors.
func (s *Service) recordOverride(ctx context.Context, a Action, v ActionVerdict) error {
	e := audit.By(a.By, "action_policy_override", TargetKind, a.Request.ID)
	e.Reason = a.Reason
	e.Metadata["flowType"], e.Metadata["actionKey"] = a.Flow, a.Key
	e.Metadata["matchedPolicyId"], e.Metadata["guardFailures"], e.Metadata["guardOverride"] = v.PolicyID, v.Failures, true
	if err := s.cfg.Audit.Record(ctx, e); err != nil {
		return err
	}
	auditors, err := s.auditors(ctx, a.By)
	if err != nil {
		return err
	}
	return s.notify(ctx, s.overrideNotices(a, v, auditors))
}

// auditors are the holders of Config.Auditors, or else of the role admin, or else of Config.FallbackGroup, without those
// who did it: of the first of the three that has anybody else.
func (s *Service) auditors(ctx context.Context, by identity.Principal) ([]string, error) {
	for _, group := range []string{s.cfg.Auditors, "admin", s.cfg.FallbackGroup} {
		holders, err := s.cfg.Directory.Holders(ctx, by.Tenant, group)
		if err != nil {
			return nil, err
		}
		var others []string
		for _, h := range holders {
			if h.Active && h.ID != by.Actor && h.ID != by.User() {
				others = append(others, h.ID)
			}
		}
		if len(others) > 0 {
			return others, nil
		}
	}
	return nil, nil
}

func (s *Service) overrideNotices(a Action, v ActionVerdict, recipients []string) []transport.Notice {
	missing := make([]string, 0, len(v.Failures))
	for _, f := range v.Failures {
		missing = append(missing, f.Type+": "+f.Reason)
	}
	notices := s.noticesTo(a.Request, TemplateOverridden, true, recipients)
	for i := range notices {
		n := &notices[i]
		// The version is the decision's own, so that no override suppresses the notice of another.
		n.Subject = TargetKind + "/" + a.Request.ID + "/" + strconv.FormatInt(a.Request.Version, 10)
		n.Data["action_key"], n.Data["decided_by"], n.Data["reason"], n.Data["missing"] = a.Key, a.By.Actor, a.Reason, missing
	}
	return notices
}
