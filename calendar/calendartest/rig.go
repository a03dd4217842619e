package calendartest

import (
	"testing"
	"time"

	"github.com/renkei-go/renkei/calendar"
	"github.com/renkei-go/renkei/calendar/calendarbun"
	"github.com/renkei-go/renkei/foundation/identity"
	"github.com/renkei-go/renkei/foundation/sqldb"
)

// Tenant is the tenant of a Rig.
const Tenant identity.TenantID = "acme"

// Noon is when it is in a Rig, and some time before the events of its tests.
var Noon = time.Date(2030, 1, 14, 12, 0, 0, 0, time.UTC)

// Rig is a calendar for tests: people alice, bob, carol, dave, exec, secretary and admin at example.com, and the resources
// room-a and room-b (8 people), room-large (30, requires approval) and room-buffer (8, 15 minutes buffer).
type Rig struct {
	*calendar.Service
	DB          *sqldb.DB
	Log         *Log
	Gate        *Gate // nil unless WithGate
	Delegations Delegations
}

// By is a person of the rig, and an administrator if called admin.
func By(id string) identity.Principal {
	p := identity.Principal{Tenant: Tenant, Actor: id}
	if id == "admin" {
		p.Roles = []string{"admin"}
	}
	return p
}

// NewRig makes a rig on a database that has calendarbun.Migrations. gate may be nil.
func NewRig(tb testing.TB, db *sqldb.DB, gate *Gate) *Rig {
	tb.Helper()
	r := &Rig{DB: db, Log: &Log{DB: db}, Gate: gate, Delegations: Delegations{}}
	cfg := calendar.Config{
		Store: calendarbun.New(db), Outbox: r.Log, Audit: r.Log, Delegations: r.Delegations,
		Directory: Staff("alice", "bob", "carol", "dave", "exec", "secretary", "admin"),
		Now:       func() time.Time { return Noon },
	}
	if gate != nil {
		cfg.Gate = gate
	}
	var err error
	if r.Service, err = calendar.New(cfg); err != nil {
		tb.Fatal(err)
	}
	for _, in := range []calendar.NewResource{
		{ID: "room-a", Name: "A", Capacity: 8},
		{ID: "room-b", Name: "B", Capacity: 8},
		{ID: "room-large", Name: "Large", Capacity: 30, RequiresApproval: true},
		{ID: "room-buffer", Name: "Buffer", Kind: "workshop", Capacity: 8, BufferMinutes: 15},
	} {
		if _, err := r.CreateResource(tb.Context(), By("admin"), in); err != nil {
			tb.Fatal(err)
		}
	}
	r.Log.Take()
	return r
}

// Meeting is an event of an hour that starts so long after Noon.
func Meeting(after time.Duration) calendar.NewEvent {
	return calendar.NewEvent{Title: "Design review", Start: Noon.Add(after), End: Noon.Add(after + time.Hour)}
}
