package ackguard

import (
	"context"

	"github.com/renkei-go/renkei/ackflow"
	"github.com/renkei-go/renkei/approval"
)

// Bridge is the guard approval.ChatAckCompleted and the follower that applies templates. It is safe for concurrent use.
type Bridge struct{ acks *ackflow.Service }

var (
	_ approval.Guard    = (*Bridge)(nil)
	_ approval.Follower = (*Bridge)(nil)
)

// New makes a bridge to a service, on the database that the approvals are on, too.
func New(acks *ackflow.Service) *Bridge { return &Bridge{acks} }

// Check implements approval.Guard by ackflow.Service.Evaluate: what it finds, in its words. A request without links fails,
// and so does an action on no request (the dry run of a policy by itself): what nobody was asked is not acknowledged.
func (b *Bridge) Check(ctx context.Context, a approval.Action) ([]approval.Failure, error) {
	v, err := b.acks.Evaluate(ctx, a.By.Tenant, target(a))
	if err != nil {
		return nil, err
	}
	failures := make([]approval.Failure, 0, len(v.Failures))
	for _, f := range v.Failures {
		failures = append(failures, approval.Failure(f))
	}
	return failures, nil
}

// Acted implements approval.Follower by ackflow.Service.ApplyTemplates: messages are written in the name of the approver,
// and linked with the request. Of a request with several steps the first decision applies a template; later steps of a
// guarded flow then wait for what it asks.
func (b *Bridge) Acted(ctx context.Context, a approval.Action) error {
	return b.acks.ApplyTemplates(ctx, a.By, target(a), a.Flow, a.Key)
}

func target(a approval.Action) ackflow.Target {
	return ackflow.Target{Table: approval.TargetKind, ID: a.Request.ID}
}
