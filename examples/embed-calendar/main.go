// Command embed-calendar uses the calendar inside a program that has its own bun.DB, its own table and its own
// transaction: an order and the appointment for it are stored together or not at all.
//
//	go run ./examples/embed-calendar
package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dialect/sqlitedialect"
	_ "modernc.org/sqlite" // the driver of our own database

	"github.com/renkei-go/renkei/calendar"
	"github.com/renkei-go/renkei/calendar/calendarbun"
	"github.com/renkei-go/renkei/foundation/audit/auditbun"
	"github.com/renkei-go/renkei/foundation/identity"
	"github.com/renkei-go/renkei/foundation/identity/identitytest"
	"github.com/renkei-go/renkei/foundation/sqldb"
	"github.com/renkei-go/renkei/transport/outboxbun"
)

// Order is a table of our own.
type Order struct {
	ID   string `bun:",pk"`
	Item string
}

func main() {
	if err := run(context.Background(), os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "embed-calendar:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, out io.Writer) error {
	pool, err := sql.Open("sqlite", "file::memory:?_txlock=immediate")
	if err != nil {
		return err
	}
	pool.SetMaxOpenConns(1)
	own := bun.NewDB(pool, sqlitedialect.New())
	if _, err := own.NewCreateTable().Model((*Order)(nil)).Exec(ctx); err != nil {
		return err
	}

	db := sqldb.Wrap(own)
	if err := sqldb.Migrate(ctx, db, auditbun.Migrations, outboxbun.Migrations, calendarbun.Migrations); err != nil {
		return err
	}
	cal, err := calendar.New(calendar.Config{
		Store: calendarbun.New(db), Outbox: outboxbun.New(db), Audit: auditbun.New(db),
		Directory: identitytest.Directory{"acme": {People: []identity.Person{{ID: "alice", Email: "alice@acme.example", Active: true}}}},
	})
	if err != nil {
		return err
	}

	admin := identity.Principal{Tenant: "acme", Actor: "admin", Roles: []string{"admin"}}
	if _, err := cal.CreateResource(ctx, admin, calendar.NewResource{ID: "van", Name: "Delivery van", Kind: "vehicle"}); err != nil {
		return err
	}

	alice := identity.Principal{Tenant: "acme", Actor: "alice"}
	start := time.Date(2030, 1, 15, 9, 0, 0, 0, time.UTC)
	deliver := func(order Order) error {
		tx, err := own.BeginTx(ctx, nil)
		if err != nil {
			return err
		}
		defer func() { _ = tx.Rollback() }()
		if _, err := tx.NewInsert().Model(&order).Exec(ctx); err != nil {
			return err
		}
		if _, err := cal.Create(sqldb.WithTx(ctx, tx), alice, calendar.NewEvent{
			Title: "Deliver " + order.Item, Start: start, End: start.Add(time.Hour), Resources: []string{"van"},
		}); err != nil {
			return err
		}
		return tx.Commit()
	}

	if err := deliver(Order{ID: "1", Item: "a lamp"}); err != nil {
		return err
	}
	fmt.Fprintln(out, "first order: stored")
	var conflict *calendar.ResourceConflict
	if err := deliver(Order{ID: "2", Item: "a table"}); errors.As(err, &conflict) {
		fmt.Fprintln(out, "second order: the van is out; free again at", conflict.Alternatives[0].Start.Format("15:04"))
	}
	n, err := own.NewSelect().Model((*Order)(nil)).Count(ctx)
	fmt.Fprintln(out, "orders stored:", n)
	return err
}
