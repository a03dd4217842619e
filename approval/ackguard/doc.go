// Package ackguard ties approvals to acknowledgements (seed 002, phases 2 and 3): it is the bridge between packages
// approval and ackflow, which know nothing of each other.
//
//   - [Bridge] is the approval.Guard of the type approval.ChatAckCompleted: while something that is linked with a request
//     is not acknowledged by all, the decision is refused. It is asked inside the decision's transaction and holds what it
//     has seen until the end, so that an acknowledgement cannot be taken back between the verdict and the decision.
//   - Bridge is also the approval.Follower that applies the templates of ackflow when an approver approves or rejects, in
//     the same transaction, each once.
//   - [Targets] is the ackflow.TargetResolver of approval requests.
//
// The resolver needs the store of approval only, so that the services can be made one after the other:
//
//	requests := approvalbun.New(db)
//	acks, err := ackflow.New(ackflow.Config{…, Targets: map[string]ackflow.TargetResolver{
//		approval.TargetKind: ackguard.Targets{Requests: requests},
//	}})
//	bridge := ackguard.New(acks)
//	approvals, err := approval.New(approval.Config{…, Store: requests, Follower: bridge,
//		Guards: map[string]approval.Guard{approval.ChatAckCompleted: bridge},
//	})
//
// The guard is asked where an approval.ActionPolicy names it. Nothing else changes for requests without one.
package ackguard
