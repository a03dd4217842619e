package rsvpbun_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/renkei-go/renkei/calendar/rsvp"
	"github.com/renkei-go/renkei/calendar/rsvp/rsvpbun"
	"github.com/renkei-go/renkei/calendar/rsvp/rsvptest"
	"github.com/renkei-go/renkei/foundation/page"
	"github.com/renkei-go/renkei/foundation/sqldb"
	"github.com/renkei-go/renkei/foundation/sqldb/sqldbtest"
)

func TestStore(t *testing.T) {
	t.Run("sqlite", func(t *testing.T) {
		rsvptest.Run(t, func(t *testing.T) rsvp.Store { return rsvpbun.New(sqldbtest.SQLite(t, rsvpbun.Migrations)) })
	})
	t.Run("postgres", func(t *testing.T) {
		rsvptest.Run(t, func(t *testing.T) rsvp.Store { return rsvpbun.New(sqldbtest.Postgres(t, rsvpbun.Migrations)) })
	})
}

func Example() {
	ctx := context.Background()
	db, err := sqldb.Open(ctx, "sqlite::memory:")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = db.Close() }()
	if err := sqldb.Migrate(ctx, db, rsvpbun.Migrations); err != nil {
		fmt.Println(err)
		return
	}
	store := rsvpbun.New(db)
	err = store.Append(ctx, rsvp.Entry{
		ID: "r1", Tenant: "acme", EventID: "ev", ReceivedAt: time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC),
		Decision: rsvp.Unverified, Trust: rsvp.TrustNone, Via: rsvp.ViaMail,
	}, nil)
	entries, _ := store.Entries(ctx, "acme", "ev", "", page.Request{})
	fmt.Println(entries.Items[0].ID, entries.Items[0].Decision, err)
	// Output: r1 unverified <nil>
}
