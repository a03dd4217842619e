package ackflowtest

import (
	"context"
	"maps"
	"sync"

	"github.com/renkei-go/renkei/ackflow"
	"github.com/renkei-go/renkei/foundation/identity"
	"github.com/renkei-go/renkei/foundation/identity/identitytest"
)

// Company is the people of the tenants "acme" and "other", the same in both: manager leads alice, bob, carol and dave; exec
// leads manager; admin and mgmt hold the roles of their names; bob and carol are in the group sales; gone is not active.
func Company() identitytest.Directory {
	people := []identity.Person{
		identitytest.Employee("admin", "", "admin"), identitytest.Employee("mgmt", "", "mgmt"), identitytest.Employee("exec", "", "Executive"),
		identitytest.Employee("manager", "exec"), identitytest.Employee("alice", "manager"), identitytest.Employee("bob", "manager"),
		identitytest.Employee("carol", "manager"), identitytest.Employee("dave", "manager"), identitytest.Employee("gone", "manager"),
	}
	for i, p := range people {
		switch p.ID {
		case "bob", "carol":
			people[i].Groups = []string{"sales"}
		case "gone":
			people[i].Active = false
		}
	}
	company := identitytest.Company{People: people, Domains: []string{"example.com"}}
	return identitytest.Directory{"acme": company, "other": company}
}

// Targets is an ackflow.TargetResolver in memory, the same for every tenant. The zero value is empty and ready. It is safe
// for concurrent use.
type Targets struct {
	mu   sync.Mutex
	rows map[string][]string
}

var _ ackflow.TargetResolver = (*Targets)(nil)

// Add makes a target and says who takes part in it.
func (t *Targets) Add(id string, participants ...string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.rows == nil {
		t.rows = map[string][]string{}
	}
	t.rows[id] = participants
}

// Remove deletes a target.
func (t *Targets) Remove(id string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	maps.DeleteFunc(t.rows, func(have string, _ []string) bool { return have == id })
}

// Participants implements ackflow.TargetResolver.
func (t *Targets) Participants(_ context.Context, _ identity.TenantID, id string) ([]string, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	people, ok := t.rows[id]
	if !ok {
		return nil, ackflow.ErrTargetNotFound
	}
	return people, nil
}
