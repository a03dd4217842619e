package export_test

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"strings"
	"testing"

	"golang.org/x/text/encoding/japanese"
	"pgregory.net/rapid"

	"github.com/renkei-go/renkei/foundation/audit"
	"github.com/renkei-go/renkei/foundation/fault"
	"github.com/renkei-go/renkei/foundation/identity"
	"github.com/renkei-go/renkei/foundation/page"
	"github.com/renkei-go/renkei/foundation/sqldb"
	"github.com/renkei-go/renkei/foundation/sqldb/sqldbtest"
	"github.com/renkei-go/renkei/staff"
	"github.com/renkei-go/renkei/staff/export"
	"github.com/renkei-go/renkei/staff/staffbun"
)

var (
	admin = identity.Principal{Tenant: "acme", Actor: "admin", Roles: []string{"admin"}}
	basic = identity.Principal{Tenant: "acme", Actor: "key:1", Scopes: []string{"exports:read", "fields:basic"}}
)

type unrecorded struct{}

func (unrecorded) Record(context.Context, ...audit.Entry) error { return nil }

// people yields records in batches of two, and fail after them.
type people struct {
	records []staff.Record
	fail    error
}

func (p people) Today() staff.Date { return "2030-01-15" }

func (p people) Records(context.Context, identity.Principal, bool) iter.Seq2[[]staff.Record, error] {
	return func(yield func([]staff.Record, error) bool) {
		for rest := p.records; len(rest) > 0; {
			n := min(2, len(rest))
			if !yield(rest[:n], nil) {
				return
			}
			rest = rest[n:]
		}
		if p.fail != nil {
			yield(nil, p.fail)
		}
	}
}

func service(tb interface {
	Helper()
	Fatal(args ...any)
}, db *sqldb.DB, from export.People) *export.Service {
	tb.Helper()
	s, err := export.New(export.Config{People: from, Store: staffbun.New(db), Audit: unrecorded{}, Do: db.Do})
	if err != nil {
		tb.Fatal(err)
	}
	return s
}

func text(t *testing.T, st *export.Stream, err error) string {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if _, err := st.Send(&b, nil); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func three() people {
	var all []staff.Record
	for i, last := range []string{"Sato", `=cmd|"x"`, "👍橋"} {
		r := staff.Record{ManagerName: "Big Boss", ManagerReference: "B1"}
		r.ID, r.FirstName, r.LastName, r.EmployeeReference, r.SalaryGrade, r.Active = int64(i+1), "A", last, fmt.Sprint("E", i), "G1", i != 1
		r.Units = []staff.Assignment{{UnitName: "Care Team A", StartDate: "2029-01-01"}, {UnitName: "Old", StartDate: "2020-01-01", EndDate: "2020-02-01"}, {UnitName: "B", StartDate: "2029-01-01"}}
		all = append(all, r)
	}
	return people{records: all}
}

func TestFormats(t *testing.T) {
	s := service(t, sqldbtest.SQLite(t, staffbun.Migrations), three())
	st, err := s.Open(t.Context(), admin, export.Request{System: "finance"})
	var list struct{ Items []map[string]string }
	if raw := text(t, st, err); json.Unmarshal([]byte(raw), &list) != nil || len(list.Items) != 3 ||
		list.Items[0]["Payroll ID"] != "E0" || list.Items[0]["Cost Centres"] != "Care Team A; B" || list.Items[1]["Payroll Status"] != "Inactive" || list.Items[2]["Full Name"] != "A 👍橋" {
		t.Errorf("JSON: %s", raw)
	}
	st, err = s.Open(t.Context(), basic, export.Request{System: "finance", Format: export.NDJSON})
	if got := text(t, st, err); got != "{\"Full Name\":\"A Sato\"}\n{\"Full Name\":\"A =cmd|\\\"x\\\"\"}\n{\"Full Name\":\"A 👍橋\"}\n" {
		t.Errorf("NDJSON of a key that reads basic: %s", got)
	}
	columns := []export.Column{{Header: "=Last", Source: "last_name"}, {Header: "Grade", Source: "salary_grade"}}
	st, err = s.Preview(t.Context(), admin, columns, export.Request{Format: export.CSV, BOM: true, Limit: 2})
	if got := text(t, st, err); got != "\ufeff'=Last,Grade\r\nSato,G1\r\n\"'=cmd|\"\"x\"\"\",G1\r\n" {
		t.Errorf("CSV: %q", got)
	}
	st, err = s.Preview(t.Context(), admin, columns[:1], export.Request{Format: export.CSV, ShiftJIS: true})
	plain, decodeErr := japanese.ShiftJIS.NewDecoder().String(text(t, st, err))
	if decodeErr != nil || !strings.HasSuffix(plain, "\r\n〓橋\r\n") || !strings.Contains(st.ContentType(), "Shift_JIS") {
		t.Errorf("Shift_JIS: %q, %v", plain, decodeErr)
	}
	st, err = service(t, sqldbtest.SQLite(t, staffbun.Migrations), people{}).Open(t.Context(), admin, export.Request{System: "lms"})
	if got := text(t, st, err); got != "{\"items\":[]}\n" {
		t.Errorf("nobody: %q", got)
	}
}

func TestFailure(t *testing.T) {
	boom := errors.New("boom")
	db := sqldbtest.SQLite(t, staffbun.Migrations)
	if _, err := service(t, db, people{fail: boom}).Open(t.Context(), admin, export.Request{System: "hr"}); !errors.Is(err, boom) {
		t.Errorf("at the beginning: %v", err)
	}
	late := three()
	late.fail = boom
	st, err := service(t, db, late).Open(t.Context(), admin, export.Request{System: "hr"})
	if err != nil {
		t.Fatal(err)
	}
	if n, err := st.Send(&bytes.Buffer{}, nil); !errors.Is(err, boom) || n != 3 {
		t.Errorf("in the middle: %d, %v", n, err)
	}
}

// TestCSVIsRead: whatever the texts, a CSV reader gets them back, and no cell begins like a formula.
func TestCSVIsRead(t *testing.T) {
	db := sqldbtest.SQLite(t, staffbun.Migrations)
	rapid.Check(t, func(t *rapid.T) {
		name := rapid.StringMatching(`[-=+@ ",;a-zé日\n\t＝]{0,12}`).Draw(t, "name")
		r := staff.Record{}
		r.LastName, r.JobTitle = name, "x"
		st, err := service(t, db, people{records: []staff.Record{r}}).
			Preview(context.Background(), admin, []export.Column{{Header: "a", Source: "last_name"}, {Header: "b", Source: "job_title"}}, export.Request{Format: export.CSV})
		if err != nil {
			t.Fatal(err)
		}
		var b bytes.Buffer
		if _, err := st.Send(&b, nil); err != nil {
			t.Fatal(err)
		}
		rows, err := csv.NewReader(&b).ReadAll()
		if err != nil || len(rows) != 2 || rows[1][0] != staff.GuardFormula(name) || rows[1][1] != "x" {
			t.Fatalf("%q became %q, %v", name, rows, err)
		}
	})
}

func TestMappings(t *testing.T) {
	sqldbtest.Each(t, []sqldb.Migration{staffbun.Migrations}, func(t *testing.T, db *sqldb.DB) {
		s, ctx := service(t, db, three()), t.Context()
		for i, header := range []string{"Nr", "Number"} {
			m, err := s.SetMapping(ctx, admin, "payroll", []export.Column{{Header: header, Source: "employee_reference"}})
			if err != nil || m.Version != int64(i+1) {
				t.Fatalf("version %d, %v", m.Version, err)
			}
		}
		for ref, header := range map[string]string{"payroll": "Number", "payroll@1": "Nr", "payroll@2": "Number"} {
			st, err := s.Open(ctx, admin, export.Request{System: "hr", Mapping: ref, Format: export.CSV})
			if got := text(t, st, err); got != header+"\r\nE0\r\nE1\r\nE2\r\n" {
				t.Errorf("%s: %q", ref, got)
			}
		}
		list, err := s.Mappings(ctx, admin, page.Request{})
		if err != nil || len(list.Items) != 4 || list.Items[3].Name != "payroll" || list.Items[3].Version != 2 {
			t.Errorf("Mappings = %+v, %v", list, err)
		}
		rival := identity.Principal{Tenant: "rival", Actor: "admin", Roles: []string{"admin"}}
		for _, ref := range []string{"payroll@3", "payroll@x", "nothing", "'"} {
			if _, err := s.Mapping(ctx, admin, ref); !errors.Is(err, export.ErrUnknownMapping) {
				t.Errorf("Mapping(%s): %v", ref, err)
			}
		}
		if _, err := s.Mapping(ctx, rival, "payroll"); !errors.Is(err, export.ErrUnknownMapping) {
			t.Errorf("in another tenant: %v", err)
		}
		good := []export.Column{{Header: "x", Source: "name"}}
		for name, err := range map[string]error{
			"built in": second(s.SetMapping(ctx, admin, "hr", good)), "a key": second(s.SetMapping(ctx, basic, "x", good)),
			"name": second(s.SetMapping(ctx, admin, "A b", good)), "no columns": second(s.SetMapping(ctx, admin, "x", nil)),
			"source": second(s.SetMapping(ctx, admin, "x", []export.Column{{Header: "x", Source: "password"}})),
			"twice":  second(s.SetMapping(ctx, admin, "x", append(good, good...))),
			"system": second(s.Open(ctx, admin, export.Request{System: "moon"})), "format": second(s.Open(ctx, admin, export.Request{System: "hr", Format: "xml"})),
			"scope": second(s.Open(ctx, identity.Principal{Tenant: "acme", Actor: "key:1", Scopes: []string{"staff:read"}}, export.Request{System: "hr"})),
		} {
			if code := fault.CodeOf(err); err == nil || code == fault.Internal {
				t.Errorf("%s: %v", name, err)
			}
		}
	})
}

func second[T any](_ T, err error) error { return err }

// TestGroups: a column is in the group of the field that it shows.
func TestGroups(t *testing.T) {
	s := service(t, sqldbtest.SQLite(t, staffbun.Migrations), people{})
	for _, name := range export.Sources() {
		group, isField := staff.GroupOf(name)
		if !isField {
			continue
		}
		for _, g := range staff.AllGroups() {
			by := identity.Principal{Tenant: "acme", Actor: "key:1", Scopes: []string{"exports:read", "fields:" + string(g)}}
			st, err := s.Preview(t.Context(), by, []export.Column{{Header: "x", Source: name}}, export.Request{})
			if err != nil {
				t.Fatal(err)
			}
			if shown := len(st.Columns()) == 1; shown != (g == group) {
				t.Errorf("%s (%s) shows %v to %s", name, group, shown, g)
			}
			st.Close()
		}
	}
}

func Example() {
	ctx := context.Background()
	db, _ := sqldb.Open(ctx, "sqlite::memory:")
	defer func() { _ = db.Close() }()
	if err := sqldb.Migrate(ctx, db, staffbun.Migrations); err != nil {
		fmt.Println(err)
		return
	}
	store := staffbun.New(db)
	hub, _ := staff.New(staff.Config{Store: store, Audit: unrecorded{}})
	exports, _ := export.New(export.Config{People: hub, Store: store, Audit: unrecorded{}, Do: db.Do})
	first, last, reference := "John", "Doe", "EMP001"
	if _, err := hub.Create(ctx, admin, staff.Edit{FirstName: &first, LastName: &last, EmployeeReference: &reference}); err != nil {
		fmt.Println(err)
		return
	}
	stream, err := exports.Open(ctx, basic, export.Request{System: "lms", Format: export.CSV})
	if err != nil {
		fmt.Println(err)
		return
	}
	var file strings.Builder
	n, err := stream.Send(&file, nil)
	fmt.Printf("%d, %v, %q\n", n, err, file.String())
	// Output:
	// 1, <nil>, "Learner\r\nJohn Doe\r\n"
}
