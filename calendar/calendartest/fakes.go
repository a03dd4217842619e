package calendartest

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/renkei-go/renkei/calendar"
	"github.com/renkei-go/renkei/foundation/audit"
	"github.com/renkei-go/renkei/foundation/identity"
	"github.com/renkei-go/renkei/foundation/sqldb"
	"github.com/renkei-go/renkei/transport"
)

// Directory is an identity.Directory of fixed people, the same in every tenant. It is safe for concurrent use as long
// as nobody changes it.
type Directory struct {
	Domain string // the mail domain of the tenant
	All    []identity.Person
}

var _ identity.Directory = Directory{}

// Staff is a directory of the named people, with addresses at example.com.
func Staff(ids ...string) Directory {
	d := Directory{Domain: "example.com"}
	for _, id := range ids {
		name := strings.ToUpper(id[:1]) + id[1:]
		d.All = append(d.All, identity.Person{ID: id, Email: id + "@example.com", Name: name, Active: true, TimeZone: "Asia/Tokyo"})
	}
	return d
}

func (d Directory) where(keep func(identity.Person) bool) ([]identity.Person, error) {
	var found []identity.Person
	for _, p := range d.All {
		if keep(p) {
			found = append(found, p)
		}
	}
	return found, nil
}

// Person implements identity.Directory.
func (d Directory) Person(_ context.Context, _ identity.TenantID, id string) (identity.Person, error) {
	for _, p := range d.All {
		if p.ID == id {
			return p, nil
		}
	}
	return identity.Person{}, identity.ErrUnknownPerson
}

// People implements identity.Directory.
func (d Directory) People(_ context.Context, _ identity.TenantID, ids []string) ([]identity.Person, error) {
	return d.where(func(p identity.Person) bool { return slices.Contains(ids, p.ID) })
}

// ByEmail implements identity.Directory.
func (d Directory) ByEmail(_ context.Context, _ identity.TenantID, emails []string) ([]identity.Person, error) {
	return d.where(func(p identity.Person) bool {
		return slices.ContainsFunc(emails, func(e string) bool { return identity.NormalEmail(e) == identity.NormalEmail(p.Email) })
	})
}

// Holders implements identity.Directory.
func (d Directory) Holders(_ context.Context, _ identity.TenantID, roleOrGroup string) ([]identity.Person, error) {
	return d.where(func(p identity.Person) bool { return p.HasRole(roleOrGroup) || slices.Contains(p.Groups, roleOrGroup) })
}

// IsInternal implements identity.Directory.
func (d Directory) IsInternal(_ context.Context, _ identity.TenantID, email string) (bool, error) {
	return strings.HasSuffix(identity.NormalEmail(email), "@"+d.Domain), nil
}

// Delegations is a calendar.Delegations by delegator and delegatee. It is safe for concurrent use as long as nobody
// changes it.
type Delegations map[[2]string][]calendar.Permission

// Permissions implements calendar.Delegations.
func (d Delegations) Permissions(_ context.Context, _ identity.TenantID, delegator, delegatee string) ([]calendar.Permission, error) {
	return d[[2]string{delegator, delegatee}], nil
}

// Delegators implements calendar.Delegations.
func (d Delegations) Delegators(_ context.Context, _ identity.TenantID, delegatee string, of []string, p calendar.Permission) ([]string, error) {
	var found []string
	for _, delegator := range of {
		if slices.Contains(d[[2]string{delegator, delegatee}], p) {
			found = append(found, delegator)
		}
	}
	return found, nil
}

// Gate is a calendar.Gate that asks for consent from ten attendees on and for resources that require it, and notes what
// it is told. It is safe for concurrent use.
type Gate struct {
	mu        sync.Mutex
	Opened    []string // ids of requests
	Withdrawn []string
	Revised   []string
	Concealed []string // ids of events
}

// Reasons implements calendar.Gate.
func (g *Gate) Reasons(_ context.Context, ev calendar.Event, resources []calendar.Resource) ([]string, error) {
	var reasons []string
	if len(ev.Attendees) >= 10 {
		reasons = append(reasons, "attendees")
	}
	if slices.ContainsFunc(resources, func(r calendar.Resource) bool { return r.RequiresApproval }) {
		reasons = append(reasons, "resource")
	}
	return reasons, nil
}

// Open implements calendar.Gate.
func (g *Gate) Open(context.Context, identity.Principal, calendar.Event, []calendar.Resource) (string, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.Opened = append(g.Opened, fmt.Sprintf("request-%d", len(g.Opened)+1))
	return g.Opened[len(g.Opened)-1], nil
}

// Revise implements calendar.Gate.
func (g *Gate) Revise(_ context.Context, _ identity.Principal, ev calendar.Event, _ []calendar.Resource) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.Revised = append(g.Revised, ev.ApprovalID)
	return nil
}

// Conceal implements calendar.Gate.
func (g *Gate) Conceal(_ context.Context, _ identity.Principal, ev calendar.Event) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.Concealed = append(g.Concealed, ev.ID)
	return nil
}

// Withdraw implements calendar.Gate.
func (g *Gate) Withdraw(_ context.Context, _ identity.Principal, ev calendar.Event) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.Withdrawn = append(g.Withdrawn, ev.ApprovalID)
	return nil
}

// Log is a transport.Outbox and an audit.Recorder in memory that keeps what was committed. It is safe for concurrent use.
type Log struct {
	DB *sqldb.DB

	mu      sync.Mutex
	events  []transport.Event
	entries []audit.Entry
}

// Publish implements transport.Outbox.
func (l *Log) Publish(ctx context.Context, events ...transport.Event) error {
	l.DB.AfterCommit(ctx, func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.events = append(l.events, events...)
	})
	return nil
}

// Record implements audit.Recorder.
func (l *Log) Record(ctx context.Context, entries ...audit.Entry) error {
	l.DB.AfterCommit(ctx, func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.entries = append(l.entries, entries...)
	})
	return nil
}

// Take returns the events and audit entries since the last call.
func (l *Log) Take() ([]transport.Event, []audit.Entry) {
	l.mu.Lock()
	defer l.mu.Unlock()
	events, entries := l.events, l.entries
	l.events, l.entries = nil, nil
	return events, entries
}

// Invitations returns the invitations since the last call of it or of Take.
func (l *Log) Invitations() []calendar.Invitation {
	events, _ := l.Take()
	var all []calendar.Invitation
	for _, ev := range events {
		if letter, ok := ev.Data.(calendar.Invitation); ok {
			all = append(all, letter)
		}
	}
	return all
}
