package ackflow_test

import (
	"context"

	"github.com/renkei-go/renkei/ackflow"
	"github.com/renkei-go/renkei/foundation/identity"
	"github.com/renkei-go/renkei/foundation/identity/identitytest"
	"github.com/renkei-go/renkei/transport"
)

// everybody is a directory in which every id is an active person.
type everybody struct{}

func (everybody) Person(_ context.Context, _ identity.TenantID, id string) (identity.Person, error) {
	return identitytest.Employee(id, "manager"), nil
}

func (everybody) People(_ context.Context, _ identity.TenantID, ids []string) ([]identity.Person, error) {
	people := make([]identity.Person, 0, len(ids))
	for _, id := range ids {
		people = append(people, identitytest.Employee(id, "manager"))
	}
	return people, nil
}

func (everybody) ByEmail(context.Context, identity.TenantID, []string) ([]identity.Person, error) {
	return nil, nil
}

func (everybody) Holders(context.Context, identity.TenantID, string) ([]identity.Person, error) {
	return nil, nil
}

func (everybody) IsInternal(context.Context, identity.TenantID, string) (bool, error) {
	return true, nil
}

func decision(id string) transport.Event {
	return transport.Event{Type: "decision", Tenant: "acme", Subject: ackflow.TargetKind + "/" + id}
}
