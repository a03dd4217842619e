package approval

import "github.com/renkei-go/renkei/foundation/fault"

// The refusals of this package. Match with errors.Is.
var (
	// ErrNotFound: there is no such request, or the caller may not see it.
	ErrNotFound = fault.New(fault.NotFound, "not_found", "there is no such approval request")
	// ErrSelfApproval: the caller, or whom they act for, is the requester or acted for the requester.
	ErrSelfApproval = fault.New(fault.Forbidden, "self_approval", "nobody decides on a request of their own")
	// ErrNotApprover: the caller is not among those who are asked.
	ErrNotApprover = fault.New(fault.Forbidden, "not_approver", "only an approver of this request may decide")
	// ErrNotRequester: only the requester, who acted for them, or an administrator may withdraw.
	ErrNotRequester = fault.New(fault.Forbidden, "not_requester", "only the requester may withdraw this request")
	// ErrDenied: the action policy that governs refuses. Details: reason (GuardFailed), matchedPolicyId, guardFailures
	// ([]Failure).
	ErrDenied = fault.New(fault.Forbidden, "ACTION_POLICY_DENIED", "a condition of this decision is not met")
	// ErrReasonRequired: a rejection and a withdrawal say why, as does who overrides a guard or meets an action policy that
	// asks for it. Details in the last two cases: matchedPolicyId, and guardFailures that a reason would override.
	ErrReasonRequired = fault.New(fault.Invalid, "REASON_REQUIRED", "a reason is required")
	// ErrDecided: somebody was faster, or the request was withdrawn. Details: status, decided_at.
	ErrDecided = fault.New(fault.Conflict, "already_decided", "the request is decided already")
	// ErrNotYet: the steps before the caller's are not done.
	ErrNotYet = fault.New(fault.Conflict, "step_not_open", "this step has not begun")
	// ErrExpired: the deadline has passed; the request is timed out. Details: expires_at.
	ErrExpired = fault.New(fault.Conflict, "APPROVAL_EXPIRED", "the deadline for this decision has passed")
	// ErrStaleContent: what the approver saw is not what is asked now. Details: content_hash, version, summary, and
	// changed, the members of the content that are not as they were (absent when what the approver saw is not known).
	ErrStaleContent = fault.New(fault.Conflict, "STALE_CONTENT", "what is to be approved is not what was shown")
	// ErrAlreadyPending: the subject waits for a decision in this flow already.
	ErrAlreadyPending = fault.New(fault.Conflict, "already_pending", "the subject waits for approval already")
	// ErrNoApprover: neither the managers' chain nor the fallback group has anybody who may decide.
	ErrNoApprover = fault.New(fault.Unavailable, "no_approver", "there is nobody who could approve this now")
	// ErrTooLate: NotAfter is not in the future, so nobody could decide in time.
	ErrTooLate = fault.New(fault.Invalid, "too_late_for_approval", "it begins too soon for an approval")
	// ErrLink: no link has this token.
	ErrLink = fault.New(fault.NotFound, "unknown_link", "this link is not valid")
	// ErrLinkUsed: the link has been used.
	ErrLinkUsed = fault.New(fault.Conflict, "link_used", "this link has been used already")
	// ErrNoSubstitution: there is none of this id, or it is none of the caller's business.
	ErrNoSubstitution = fault.New(fault.NotFound, "not_found", "there is no such substitution")
	// ErrNotOwnSubstitute: only the approver themselves, or an administrator, names their substitutes.
	ErrNotOwnSubstitute = fault.New(fault.Forbidden, "not_own_substitute", "only the approver themselves may do this with their substitutes")
	// ErrForbidden: it is for administrators (role admin or mgmt), for themselves.
	ErrForbidden = fault.New(fault.Forbidden, "admin_only", "only an administrator may do this")
	// ErrPolicy: a policy breaks the rules for policies; see its fields.
	ErrPolicy = fault.New(fault.Invalid, "invalid_policy", "the policy is not valid")
	// ErrNoPolicy: there is no such version.
	ErrNoPolicy = fault.New(fault.NotFound, "not_found", "there is no such version of a policy")
	// ErrPolicyChanged: the policy was changed meanwhile. Details: version.
	ErrPolicyChanged = fault.New(fault.Precondition, "version_mismatch", "the policy was changed meanwhile")
	// ErrNoActionPolicy: there is no such action policy.
	ErrNoActionPolicy = fault.New(fault.NotFound, "not_found", "there is no such action policy")
	// ErrActionPolicyChanged: the action policy was changed since the caller saw it.
	ErrActionPolicyChanged = fault.New(fault.Precondition, "version_mismatch", "it was changed meanwhile")
	// ErrNotBound: a SubjectHandler or Gate is used before it is complete; a mistake in the wiring.
	ErrNotBound = fault.New(fault.Internal, "not_bound", "the approval wiring is not complete")
)
