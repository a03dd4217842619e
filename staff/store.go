package staff

import (
	"context"
	"time"

	"github.com/renkei-go/renkei/foundation/identity"
)

// Store keeps a directory. Implementations are safe for concurrent use, join the transaction in ctx, and pass
// stafftest.Run. Package staffbun is one.
type Store interface {
	// Do runs fn in the transaction in ctx or in a new one.
	Do(ctx context.Context, fn func(ctx context.Context) error) error
	// Lock makes transactions that change a tenant's directory follow each other until the one in ctx ends, so that
	// change numbers are in the order of commits. It needs a transaction.
	Lock(ctx context.Context, tenant identity.TenantID) error
	People
	Domains
	Units
	Changes
	Keys
	Imports
	Systems
}

// People keeps the people of a tenant. Look-ups return them in any order, without Units, and leave out what is unknown.
type People interface {
	// Upsert stores people, each UserID once, by UserID: a new one gets an ID; one that exists keeps its ID and
	// CreatedAt. It returns them as they are now, in the order given.
	Upsert(ctx context.Context, tenant identity.TenantID, people []Person) ([]Person, error)
	// Insert adds a person and returns the ID. It returns a fault of code Conflict when the UserID or EmployeeReference is
	// another's.
	Insert(ctx context.Context, tenant identity.TenantID, p Person) (int64, error)
	// Update stores everything but the ID and CreatedAt, by ID. It returns ErrUnknownPerson, or what Insert does.
	Update(ctx context.Context, tenant identity.TenantID, p Person) error
	// ByID returns those with one of the ids, also the erased.
	ByID(ctx context.Context, tenant identity.TenantID, ids []int64) ([]Person, error)
	// ByUserID returns those with one of the user ids.
	ByUserID(ctx context.Context, tenant identity.TenantID, ids []string) ([]Person, error)
	// ByReference returns those with one of the employee references.
	ByReference(ctx context.Context, tenant identity.TenantID, references []string) ([]Person, error)
	// ByEmail returns those with one of the addresses, which are in their normal form.
	ByEmail(ctx context.Context, tenant identity.TenantID, emails []string) ([]Person, error)
	// Holders returns the active people who hold the name as a role or a group.
	Holders(ctx context.Context, tenant identity.TenantID, name string) ([]Person, error)
	// Select returns people by SortKey and ID. Without a Search and a UnitID it takes a time that does not depend on how
	// many there are, unless Offset is far.
	Select(ctx context.Context, tenant identity.TenantID, q Query) ([]Person, error)
	// Count says how many Select would return without Limit, Offset and After.
	Count(ctx context.Context, tenant identity.TenantID, q Query) (int64, error)
	// Batch returns up to limit people who are not erased, with an ID above after, by ID, for exports: Roles, Groups,
	// Channels, TimeZone and Locale are left out, Units are those that hold on today or later.
	Batch(ctx context.Context, tenant identity.TenantID, after int64, inactive bool, today Date, limit int) ([]Record, error)
}

// Record is a person in an export, with who leads them.
type Record struct {
	Person
	ManagerName, ManagerReference string
}

// Query selects people who are not erased.
type Query struct {
	Search   string // part of a name, employee reference or address, without regard to case; empty: all
	Hidden   Hidden // what Search does not look at
	UnitID   int64  // assigned there, today or later; 0: all
	Inactive bool   // those too
	Today    Date   // for UnitID
	Limit    int    // required
	Offset   int
	After    *Place // those after it
}

// Hidden are fields that a search must not tell of.
type Hidden struct{ Reference, Email bool }

// Place is where a person stands in the order of lists.
type Place struct {
	Key string `json:"k"`
	ID  int64  `json:"i"`
}

// Domains keeps a tenant's own mail domains, lower case and in ASCII form.
type Domains interface {
	// SetDomains replaces them.
	SetDomains(ctx context.Context, tenant identity.TenantID, domains []string) error
	// Domains returns them in order.
	Domains(ctx context.Context, tenant identity.TenantID) ([]string, error)
	// HasDomain says whether domain is one of them.
	HasDomain(ctx context.Context, tenant identity.TenantID, domain string) (bool, error)
}

// Units keeps organisational units and who is assigned to them.
type Units interface {
	// InsertUnit adds a unit and returns its ID.
	InsertUnit(ctx context.Context, tenant identity.TenantID, u Unit) (int64, error)
	// UpdateUnit stores everything but the ID and CreatedAt, or returns ErrUnknownUnit.
	UpdateUnit(ctx context.Context, tenant identity.TenantID, u Unit) error
	// DeleteUnit removes a unit, or returns ErrUnknownUnit, or ErrUnitInUse when it has, or had, anybody or has units.
	DeleteUnit(ctx context.Context, tenant identity.TenantID, id int64) error
	// UnitsByID returns those with one of the ids.
	UnitsByID(ctx context.Context, tenant identity.TenantID, ids []int64) ([]Unit, error)
	// UnitsByName returns those with the exact name, by ID.
	UnitsByName(ctx context.Context, tenant identity.TenantID, name string) ([]Unit, error)
	// Units returns up to limit units with an ID above after, by ID.
	Units(ctx context.Context, tenant identity.TenantID, after int64, limit int) ([]Unit, error)
	// InsertAssignment adds an assignment and returns its ID.
	InsertAssignment(ctx context.Context, tenant identity.TenantID, a Assignment) (int64, error)
	// UpdateAssignment stores Role, Primary, StartDate, EndDate and Told by ID.
	UpdateAssignment(ctx context.Context, tenant identity.TenantID, a Assignment) error
	// Assignments returns all of the people's, those of a person by Primary first, StartDate and ID, with the units' names.
	// If notBefore is given, those that ended before are left out.
	Assignments(ctx context.Context, tenant identity.TenantID, people []int64, notBefore Date) ([]Assignment, error)
	// Members returns the ids of up to limit people above after with an assignment to the unit that has not ended, by id.
	Members(ctx context.Context, tenant identity.TenantID, unit int64, today Date, after int64, limit int) ([]int64, error)
	// Untold returns up to limit assignments of all tenants of which an event is due today, with their tenants.
	Untold(ctx context.Context, today Date, limit int) ([]Owned[Assignment], error)
}

// Owned is something with its tenant.
type Owned[T any] struct {
	Tenant identity.TenantID
	Item   T
}

// Changes keeps the change log.
type Changes interface {
	// Append adds changes and gives them the tenant's next numbers. It needs the Lock.
	Append(ctx context.Context, tenant identity.TenantID, changes []Change) error
	// Changes returns up to limit changes with a number above after, in order.
	Changes(ctx context.Context, tenant identity.TenantID, after int64, limit int) ([]Change, error)
	// Span returns the number up to which changes were pruned, and the last number given.
	Span(ctx context.Context, tenant identity.TenantID) (pruned, last int64, err error)
	// PruneChanges deletes up to limit of the oldest changes from before t, of all tenants, and says how many.
	PruneChanges(ctx context.Context, t time.Time, limit int) (int, error)
}

// Keys keeps API keys.
type Keys interface {
	// InsertKey adds a key and returns its ID, or a fault of code Conflict when a hash is another's.
	InsertKey(ctx context.Context, tenant identity.TenantID, k StoredKey) (int64, error)
	// UpdateKey stores everything but the ID and CreatedAt, or returns ErrUnknownKey.
	UpdateKey(ctx context.Context, tenant identity.TenantID, k StoredKey) error
	// Key returns a key, or ErrUnknownKey.
	Key(ctx context.Context, tenant identity.TenantID, id int64) (StoredKey, error)
	// Keys returns the keys with an ID above after, by ID.
	Keys(ctx context.Context, tenant identity.TenantID, after int64, limit int) ([]StoredKey, error)
	// KeyByHash returns the key of any tenant that has the hash as its present or former one, or ErrUnknownKey.
	KeyByHash(ctx context.Context, hash string) (Owned[StoredKey], error)
	// UseKey notes when and from where a key was used.
	UseKey(ctx context.Context, tenant identity.TenantID, id int64, at time.Time, address string) error
	// Deactivate notes that a key deactivates a person, and forgets what it did up to since.
	Deactivate(ctx context.Context, tenant identity.TenantID, key, person int64, at, since time.Time) error
	// Deactivated says how many people but that one the key has deactivated after since.
	Deactivated(ctx context.Context, tenant identity.TenantID, key, person int64, since time.Time) (int64, error)
}

// Imports remembers what was imported.
type Imports interface {
	// Import returns what a source brought under the key, if it did.
	Import(ctx context.Context, tenant identity.TenantID, source, key string) (Imported, bool, error)
	// InsertImport remembers one.
	InsertImport(ctx context.Context, tenant identity.TenantID, i Imported) error
	// ForgetImports removes those of a person.
	ForgetImports(ctx context.Context, tenant identity.TenantID, person int64) error
	// ImportsOf returns those of a person, oldest first.
	ImportsOf(ctx context.Context, tenant identity.TenantID, person int64) ([]Imported, error)
}

// Systems keeps what is known of external systems: the table external_system_sync of seed 001.
type Systems interface {
	// SyncSystem adds a system or changes what s says of it, by Name: Type unless it is empty, LastSyncAt, Status, Error,
	// Metadata, and LastSuccessfulAt unless it is zero. A System of SystemRecruitment, whose name is what the caller says,
	// changes nothing of one that has another type but SystemOther.
	SyncSystem(ctx context.Context, tenant identity.TenantID, s System) error
	// DisableSystem gives a system that has another one the status SyncDisabled and forgets that somebody was told of it.
	DisableSystem(ctx context.Context, tenant identity.TenantID, name string, at time.Time) error
	// Systems returns them by ID, those with an ID above after.
	Systems(ctx context.Context, tenant identity.TenantID, after int64, limit int) ([]System, error)
	// Unhealthy returns up to limit systems of all tenants, not yet alerted of and not disabled, that failed, or whose
	// last success, or creation, is before the time given for their Type; types that are missing are never late.
	Unhealthy(ctx context.Context, before map[string]time.Time, limit int) ([]Owned[System], error)
	// Alerted notes that somebody was told. The next success clears it.
	Alerted(ctx context.Context, tenant identity.TenantID, id int64, at time.Time) error
}
