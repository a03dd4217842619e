package calendar_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/renkei-go/renkei/calendar"
	"github.com/renkei-go/renkei/calendar/calendarbun"
	"github.com/renkei-go/renkei/calendar/calendartest"
	"github.com/renkei-go/renkei/foundation/identity"
	"github.com/renkei-go/renkei/foundation/sqldb"
)

func Example() {
	ctx := context.Background()
	db, err := sqldb.Open(ctx, "sqlite::memory:") // or "postgres://…"
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = db.Close() }()
	if err := sqldb.Migrate(ctx, db, calendarbun.Migrations); err != nil {
		fmt.Println(err)
		return
	}
	log := &calendartest.Log{DB: db} // outboxbun and auditbun in a program
	cal, err := calendar.New(calendar.Config{
		Store: calendarbun.New(db), Outbox: log, Audit: log, Directory: calendartest.Staff("alice", "bob"),
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	admin := identity.Principal{Tenant: "acme", Actor: "alice", Roles: []string{"admin"}}
	for _, id := range []string{"room-a", "room-b"} {
		if _, err := cal.CreateResource(ctx, admin, calendar.NewResource{ID: id, Name: id, Capacity: 8}); err != nil {
			fmt.Println(err)
			return
		}
	}

	alice, bob := identity.Principal{Tenant: "acme", Actor: "alice"}, identity.Principal{Tenant: "acme", Actor: "bob"}
	review := calendartest.Meeting(0)
	review.Resources = []string{"room-a"}
	ev, err := cal.Create(ctx, alice, review)
	fmt.Println(ev.Title, ev.Status, err)

	_, err = cal.Create(ctx, bob, review)
	if conflict, ok := errors.AsType[*calendar.ResourceConflict](err); ok {
		fmt.Println("taken, but free:", conflict.Alternatives[0].ResourceID)
	}
	// Output:
	// Design review CONFIRMED <nil>
	// taken, but free: room-b
}
