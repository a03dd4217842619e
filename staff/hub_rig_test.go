package staff_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/renkei-go/renkei/foundation/identity"
	"github.com/renkei-go/renkei/foundation/page"
	"github.com/renkei-go/renkei/foundation/secret"
	"github.com/renkei-go/renkei/foundation/sqldb"
	"github.com/renkei-go/renkei/foundation/sqldb/sqldbtest"
	"github.com/renkei-go/renkei/staff"
	"github.com/renkei-go/renkei/staff/staffbun"
	"github.com/renkei-go/renkei/transport/transporttest"
)

// hub is a service with a ledger of what it recorded, published and told, and a clock.
type hub struct {
	*staff.Service
	ledger transporttest.Ledger
	now    time.Time
}

// each runs f on both databases.
func each(t *testing.T, f func(t *testing.T, h *hub)) {
	t.Helper()
	sqldbtest.Each(t, []sqldb.Migration{staffbun.Migrations}, func(t *testing.T, db *sqldb.DB) {
		h := &hub{ledger: transporttest.NewLedger(t, db), now: t0}
		var err error
		h.Service, err = staff.New(staff.Config{
			Store: staffbun.New(db), Audit: h.ledger, Outbox: h.ledger, Notifier: h.ledger, Now: func() time.Time { return h.now },
			UserIDs: func(_ identity.TenantID, p staff.Person) string { id, _, _ := strings.Cut(p.Email, "@"); return id },
		})
		if err != nil {
			t.Fatal(err)
		}
		f(t, h)
	})
}

func must[T any](t *testing.T) func(v T, err error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func (h *hub) person(t *testing.T, first, last string) staff.Person {
	t.Helper()
	return must[staff.View](t)(h.Create(t.Context(), admin, staff.Edit{FirstName: &first, LastName: &last})).Person
}

func (h *hub) unit(t *testing.T, name string, parent int64) staff.Unit {
	t.Helper()
	return must[staff.Unit](t)(h.CreateUnit(t.Context(), admin, staff.UnitEdit{Name: &name, ParentID: &parent}))
}

func (h *hub) key(t *testing.T, n staff.NewKey) (identity.Principal, staff.Key, secret.String) {
	t.Helper()
	k, plain, err := h.CreateKey(t.Context(), admin, n)
	if err != nil {
		t.Fatal(err)
	}
	return must[identity.Principal](t)(h.Authenticate(t.Context(), plain, staff.Use{Method: "GET", Path: "/api/x", Address: "192.0.2.1"})), k, plain
}

// log returns the events of the change log after the cursor, as by sees them, and the next cursor.
func (h *hub) log(t *testing.T, by identity.Principal, cursor string) ([]string, string) {
	t.Helper()
	var events []string
	for {
		feed := must[staff.Feed](t)(h.Changes(t.Context(), by, page.Request{Cursor: cursor, Limit: 3}))
		for _, c := range feed.Items {
			events = append(events, c.Event)
		}
		if cursor = feed.Cursor; !feed.More {
			return events, cursor
		}
	}
}

func want(t *testing.T, what string, got, want any) {
	t.Helper()
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("%s: %v, want %v", what, got, want)
	}
}
