package audit

import (
	"context"
	"time"

	"github.com/renkei-go/renkei/foundation/identity"
	"github.com/renkei-go/renkei/foundation/page"
)

// Entry is one act. ID, Time and RequestID are filled by the recorder when empty; Seq is 0 until the row is sealed.
type Entry struct {
	ID         string
	Tenant     identity.TenantID
	Seq        int64 // place in the tenant's chain, from 1
	Time       time.Time
	ActorID    string
	SubjectID  string
	Action     string // CREATE_EVENT, approval_approve, …
	TargetKind string // "calendar.event"
	TargetID   string
	Reason     string // what the actor gave as reason
	Metadata   map[string]any
	RequestID  string
}

// By makes an entry for an act of p, with is_proxy in its metadata when somebody acted for somebody else.
func By(p identity.Principal, action, kind, id string) Entry {
	e := Entry{Tenant: p.Tenant, ActorID: p.Actor, SubjectID: p.User(), Action: action, TargetKind: kind, TargetID: id, Metadata: map[string]any{}}
	if p.IsProxy() {
		e.Metadata["is_proxy"] = true
	}
	return e
}

// Recorder writes entries in the transaction in ctx. Implementations are safe for concurrent use.
type Recorder interface {
	Record(ctx context.Context, entries ...Entry) error
}

// Filter selects entries; empty fields select all. Times are half-open [From, To).
type Filter struct {
	ActorID, SubjectID, TargetID, Action string
	Involving                            string // actor or subject: what a person without the admin role may see
	From, To                             time.Time
}

// Reader lists entries, newest first. Implementations are safe for concurrent use.
type Reader interface {
	List(ctx context.Context, tenant identity.TenantID, f Filter, p page.Request) (page.Page[Entry], error)
}
