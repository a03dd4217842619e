package ackflow

import (
	"context"
	"time"

	"github.com/renkei-go/renkei/foundation/identity"
)

// FailureType is the type of the failures that Evaluate finds.
const FailureType = "chat_ack_completed"

// The reasons of a Failure.
const (
	TargetRequired    = "target_required"
	UnsupportedTarget = "unsupported_target" // details: targetTable
	MissingLink       = "missing_link"       // details: targetTable, targetId
	Incomplete        = "incomplete"         // details: targetTable, targetId, missingAckRequestIds, requests ([]RequestFailure)
)

// The reasons of a RequestFailure.
const (
	RequestMessageMissing = "message_missing"
	RequestMessageDeleted = "message_deleted"
	RequestCanceled       = "canceled"
	RequestUsersEmpty     = "required_users_empty"
	RequestExpired        = "expired"
	RequestIncomplete     = "incomplete"
)

// Verdict says whether everything that is linked with a target is acknowledged, and if not, everything that is amiss.
type Verdict struct {
	OK       bool
	Failures []Failure
}

// Failure is one condition that is not met. Its JSON form is the one of seed 002.
type Failure struct {
	Type    string         `json:"type"` // FailureType
	Reason  string         `json:"reason"`
	Details map[string]any `json:"details,omitempty"`
}

// RequestFailure says what a linked request lacks.
type RequestFailure struct {
	ID                  string     `json:"id"`
	Reason              string     `json:"reason"`
	DueAt               *time.Time `json:"dueAt"`
	RequiredCount       int        `json:"requiredCount"`
	AckedCount          int        `json:"ackedCount"`
	IncompleteUserIDs   []string   `json:"incompleteUserIds"` // at most 20
	IncompleteTruncated bool       `json:"incompleteTruncated"`
}

// mostIncomplete is how many people a RequestFailure names.
const mostIncomplete = 20

// Evaluate says whether every request that is linked with a target is complete: all who are asked have acknowledged what
// the message says now. Canceled and expired ones are not; one that was completed late is. A target without links fails.
//
// It changes nothing. Inside a transaction it keeps the linked requests, and which ones are linked, as they are until the
// transaction ends: no revocation, cancellation, edit or new link can slip in between the verdict and what is decided on
// it. Outside of one it is a dry run by the same rules.
func (s *Service) Evaluate(ctx context.Context, tenant identity.TenantID, t Target) (Verdict, error) {
	if t.Table == "" || t.ID == "" {
		return failed(TargetRequired, nil), nil
	}
	if _, ok := s.cfg.Targets[t.Table]; !ok {
		return failed(UnsupportedTarget, map[string]any{"targetTable": t.Table}), nil
	}
	linked, err := s.store.Linked(ctx, tenant, t)
	if err != nil {
		return Verdict{}, err
	}
	details := map[string]any{"targetTable": t.Table, "targetId": t.ID}
	if len(linked) == 0 {
		return failed(MissingLink, details), nil
	}
	failures, err := s.shortcomings(ctx, tenant, linked)
	if err != nil {
		return Verdict{}, err
	}
	if len(failures) == 0 {
		return Verdict{OK: true, Failures: []Failure{}}, nil
	}
	missing := make([]string, 0, len(failures))
	for _, f := range failures {
		missing = append(missing, f.ID)
	}
	details["missingAckRequestIds"], details["requests"] = missing, failures
	return failed(Incomplete, details), nil
}

func failed(reason string, details map[string]any) Verdict {
	return Verdict{Failures: []Failure{{Type: FailureType, Reason: reason, Details: details}}}
}

// shortcomings says what the requests lack, in their order.
func (s *Service) shortcomings(ctx context.Context, tenant identity.TenantID, linked []Linked) ([]RequestFailure, error) {
	var failures []RequestFailure
	var now time.Time
	var wanting []string // whose missing people are to be named
	for _, l := range linked {
		if l.complete() {
			continue
		}
		if now.IsZero() {
			var err error
			if now, err = s.now(ctx); err != nil {
				return nil, err
			}
		}
		f := RequestFailure{
			ID: l.ID, Reason: l.lacks(now), RequiredCount: l.Required, AckedCount: l.Required - l.Missing, IncompleteUserIDs: []string{},
		}
		if !l.DueAt.IsZero() {
			f.DueAt = &l.DueAt
		}
		if l.Missing > 0 {
			wanting = append(wanting, l.ID)
			f.IncompleteTruncated = l.Missing > mostIncomplete
		}
		failures = append(failures, f)
	}
	if len(wanting) == 0 {
		return failures, nil
	}
	lacking, err := s.store.Lacking(ctx, tenant, mostIncomplete, wanting...)
	if err != nil {
		return nil, err
	}
	for i, f := range failures {
		if people := lacking[f.ID]; len(people) > 0 {
			failures[i].IncompleteUserIDs = people
		}
	}
	return failures, nil
}

// complete says whether nothing is amiss.
func (l Linked) complete() bool {
	return l.MessageFound && !l.MessageDeleted && l.CanceledAt.IsZero() && l.Required > 0 && l.Missing == 0
}

// lacks names what is amiss with a request that is not complete; the first of several that would each be enough.
func (l Linked) lacks(now time.Time) string {
	switch {
	case !l.MessageFound:
		return RequestMessageMissing
	case l.MessageDeleted:
		return RequestMessageDeleted
	case !l.CanceledAt.IsZero():
		return RequestCanceled
	case l.Required == 0:
		return RequestUsersEmpty
	case l.State(now) == Expired:
		return RequestExpired
	}
	return RequestIncomplete
}
