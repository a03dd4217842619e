package graphsync_test

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/renkei-go/renkei/foundation/page"
	"github.com/renkei-go/renkei/foundation/sqldb"
	"github.com/renkei-go/renkei/foundation/sqldb/sqldbtest"
	"github.com/renkei-go/renkei/staff"
	"github.com/renkei-go/renkei/staff/graphsync"
	"github.com/renkei-go/renkei/staff/graphsync/graphtest"
	"github.com/renkei-go/renkei/staff/staffbun"
)

// BenchmarkPlan is a whole dry run for 100,000 people of whom one in a hundred has changed, besides the calls: people,
// mirror and links are read from the database, and the plan is stored there. Graph only says that nothing is new.
func BenchmarkPlan(b *testing.B) {
	for name, open := range map[string]func(testing.TB, ...sqldb.Migration) *sqldb.DB{"sqlite": sqldbtest.SQLite, "postgres": sqldbtest.Postgres} {
		b.Run(name, func(b *testing.B) {
			const n = 100_000
			r := benchRig(b, open(b, lines...), n)
			for b.Loop() {
				if _, err := r.Request(b.Context(), admin, graphsync.RunRequest{DryRun: true}); err != nil {
					b.Fatal(err)
				}
				if _, err := r.Step(b.Context()); err != nil {
					b.Fatal(err)
				}
			}
			runs, err := r.Runs(b.Context(), admin, page.Request{Limit: 1})
			if err != nil || runs.Items[0].Counts[graphsync.OpUpdateUser] != n/100 || len(runs.Items[0].Tripped) != 0 {
				b.Fatalf("%+v %v", runs.Items, err)
			}
		})
	}
}

// benchRig has n people with accounts and links.
func benchRig(b *testing.B, db *sqldb.DB, n int) *rig {
	b.Helper()
	r := newRig(b, db, graphtest.Config{}, graphsync.Rules{})
	ctx := b.Context()
	must := func(err error) {
		b.Helper()
		if err != nil {
			b.Fatal(err)
		}
	}
	store := staffbun.New(db)
	const part = 1000
	for start := 0; start < n; start += part {
		var people []staff.Person
		for i := start; i < start+part; i++ {
			people = append(people, staff.Person{
				UserID: fmt.Sprint("u", i), Name: fmt.Sprint("Person ", i), FirstName: "Person", LastName: fmt.Sprint(i), Email: fmt.Sprintf("p%d@%s", i, graphtest.TenantID),
				EmployeeReference: fmt.Sprint("E", i), JobTitle: "Nurse", Type: staff.TypeStaff, Active: true, CreatedAt: t0, UpdatedAt: t0,
			})
		}
		stored, err := store.Upsert(ctx, "1", people)
		must(err)
		var links []graphsync.Link
		var objects []graphsync.Object
		for _, p := range stored {
			a := graphsync.Account{ID: "a-" + p.UserID, Name: graphsync.Text(p.Name), UPN: graphsync.Text(p.Email), EmployeeID: graphsync.Text(p.EmployeeReference), JobTitle: "Nurse", Enabled: true}
			if p.ID%100 == 0 {
				a.JobTitle = "Cook"
			}
			data, err := json.Marshal(a)
			must(err)
			objects = append(objects, graphsync.Object{Kind: graphsync.KindUser, ID: a.ID, Generation: 1, Data: data})
			links = append(links, graphsync.Link{Kind: graphsync.KindUser, Local: p.ID, Remote: a.ID, Rule: graphsync.RuleCreated})
		}
		must(r.cfg.Store.PutObjects(ctx, "1", objects))
		must(r.cfg.Store.PutLinks(ctx, "1", links))
	}
	progress := graphsync.Progress{FullAt: t0, NextAt: t0.Add(24 * time.Hour), People: n}
	for _, c := range []struct {
		cursor *graphsync.Cursor
		path   string
	}{{&progress.Users, "/users/delta?$deltatoken=latest"}, {&progress.Groups, "/groups/delta?$deltatoken=latest"}} {
		cut, err := r.cfg.Graph.Delta(ctx, c.path)
		must(err)
		*c.cursor = graphsync.Cursor{Link: cut.Next, Generation: 1}
	}
	must(r.cfg.Store.SaveProgress(ctx, "1", progress))
	return r
}
