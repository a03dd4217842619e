package ackflow

import (
	"context"
	"time"

	"github.com/renkei-go/renkei/foundation/identity"
	"github.com/renkei-go/renkei/foundation/page"
)

// Messages stores messages: our own, or copies of those that a MessageSource keeps. Every method of the roles below joins
// the transaction in ctx and sees one tenant only.
type Messages interface {
	// InsertMessage stores a message, or does nothing when there is one with its id.
	InsertMessage(ctx context.Context, m Message) error
	// Message returns one message, or ErrNotFound.
	Message(ctx context.Context, tenant identity.TenantID, id string) (Message, error)
	// LockMessage is Message, and keeps it from other transactions until this one ends.
	LockMessage(ctx context.Context, tenant identity.TenantID, id string) (Message, error)
	// SetMessage writes Room, Body, Revision, UpdatedAt, DeletedAt and URL.
	SetMessage(ctx context.Context, m Message) error
}

// RequestFilter selects requests; empty fields select all.
type RequestFilter struct {
	Required string // who is asked
	Acked    *bool  // whether the person in Required has acknowledged
	Creator  string
	State    State // at Now
	Now      time.Time
}

// Listed is a request in a list.
type Listed struct {
	Request
	State   State     // at RequestFilter.Now
	Message *Message  // nil: it is not there any more
	AckedAt time.Time // when the person in RequestFilter.Required acknowledged; zero: not
}

// Requests stores requests and who is asked.
type Requests interface {
	// InsertRequest stores a new request and who is asked, in order. It returns ErrDuplicateRequest when the message has
	// one.
	InsertRequest(ctx context.Context, r Request, required []string) error
	// Request returns one request, or ErrNotFound.
	Request(ctx context.Context, tenant identity.TenantID, id string) (Request, error)
	// LockRequest is Request, and keeps it from other transactions until this one ends. Whoever changes a request, or who
	// has acknowledged it, holds this lock.
	LockRequest(ctx context.Context, tenant identity.TenantID, id string) (Request, error)
	// RequestOf returns the request on a message, or ErrNotFound.
	RequestOf(ctx context.Context, tenant identity.TenantID, messageID string) (Request, error)
	// SetRequest writes all that changes in the life of a request, from CanceledAt on.
	SetRequest(ctx context.Context, r Request) error
	// ListRequests returns requests, newest first. The filter applies before the page is cut.
	ListRequests(ctx context.Context, tenant identity.TenantID, f RequestFilter, p page.Request) (page.Page[Listed], error)
	// People returns who is asked by a request, in order.
	People(ctx context.Context, tenant identity.TenantID, id string) ([]Person, error)
	// Person returns one of those who are asked, or ErrNotRequired.
	Person(ctx context.Context, tenant identity.TenantID, id, user string) (Person, error)
	// SetPerson writes the acknowledgement of somebody who is asked.
	SetPerson(ctx context.Context, tenant identity.TenantID, id string, p Person) error
	// Void takes every acknowledgement of a request back and returns whose they were, in order.
	Void(ctx context.Context, tenant identity.TenantID, id string) ([]string, error)
	// Lacking returns, by request, those who have not acknowledged, in order, at most `most` of each (0: all).
	Lacking(ctx context.Context, tenant identity.TenantID, most int, ids ...string) (map[string][]string, error)
}

// LinkFilter selects links; empty fields select all.
type LinkFilter struct {
	RequestID, MessageID string
	Target               Target
	// Before continues a listing after this link; nil: from the newest.
	Before *Link
}

// Linked is a request as Evaluate sees it.
type Linked struct {
	Request
	MessageFound bool
}

// Links stores links.
type Links interface {
	// LockTarget makes transactions on the links of a target follow each other. It needs a transaction.
	LockTarget(ctx context.Context, tenant identity.TenantID, t Target) error
	// InsertLink stores a link. It returns ErrDuplicateLink when the request is linked with the target.
	InsertLink(ctx context.Context, l Link) error
	// Link returns one link, or ErrNotFound.
	Link(ctx context.Context, tenant identity.TenantID, id string) (Link, error)
	// DeleteLink deletes a link and says whether there was one.
	DeleteLink(ctx context.Context, tenant identity.TenantID, id string) (bool, error)
	// Links returns up to limit links, newest first.
	Links(ctx context.Context, tenant identity.TenantID, f LinkFilter, limit int) ([]Link, error)
	// Linked returns the requests that are linked with a target, ordered by id. In a transaction they stay as they are
	// until it ends; others may read them so at the same time.
	Linked(ctx context.Context, tenant identity.TenantID, t Target) ([]Linked, error)
}

// TemplateFilter selects templates; empty fields select all.
type TemplateFilter struct{ FlowType, ActionKey string }

// Use is one application of a template.
type Use struct {
	Tenant     identity.TenantID
	Target     Target
	FlowType   string
	ActionKey  string
	TemplateID string
	RequestID  string
	At         time.Time
}

// Templating stores templates and their uses.
type Templating interface {
	// InsertTemplate stores a new template.
	InsertTemplate(ctx context.Context, t Template) error
	// LockTemplate returns one template, or ErrNotFound, and keeps it from other transactions until this one ends.
	LockTemplate(ctx context.Context, tenant identity.TenantID, id string) (Template, error)
	// SetTemplate writes all of a template but its origin.
	SetTemplate(ctx context.Context, t Template) error
	// ListTemplates returns templates, newest first.
	ListTemplates(ctx context.Context, tenant identity.TenantID, f TemplateFilter, p page.Request) (page.Page[Template], error)
	// Enabled returns the enabled templates of an action, oldest first.
	Enabled(ctx context.Context, tenant identity.TenantID, flowType, actionKey string) ([]Template, error)
	// ClaimUse stores a use and says whether it is the first of its (target, flow, action, template).
	ClaimUse(ctx context.Context, u Use) (bool, error)
}

// Timers finds what falls due, over all tenants.
type Timers interface {
	// AnyDue says whether the NextAt of a request is at or before now.
	AnyDue(ctx context.Context, now time.Time) (bool, error)
	// ClaimDue returns up to limit requests whose NextAt is at or before now, the longest due first, and keeps them from
	// other transactions until this one ends. It passes over those that another transaction holds. It needs a transaction.
	ClaimDue(ctx context.Context, now time.Time, limit int) ([]Request, error)
	// Postpone keeps a request from being due before until, whatever its times say.
	Postpone(ctx context.Context, tenant identity.TenantID, id string, until time.Time) error
	// Escalate notes whom a request is escalated to and returns those who were not noted before.
	Escalate(ctx context.Context, tenant identity.TenantID, id string, at time.Time, people []string) ([]string, error)
	// Tell notes who else was told that somebody is missing. It takes nothing from a later Escalate.
	Tell(ctx context.Context, tenant identity.TenantID, id string, at time.Time, people []string) error
	// WasTold says whether the person is noted by Escalate or Tell.
	WasTold(ctx context.Context, tenant identity.TenantID, id, user string) (bool, error)
}

// Store is what the service needs of a database. Package ackflowbun implements it; ackflowtest proves one.
// Implementations are safe for concurrent use.
type Store interface {
	// Do runs fn in the transaction in ctx or in a new one (sqldb.DB.Do).
	Do(ctx context.Context, fn func(ctx context.Context) error) error
	// Now is the clock that due times are judged by, the same for every node.
	Now(ctx context.Context) (time.Time, error)
	Messages
	Requests
	Links
	Templating
	Timers
}
