package staffhttp_test

import (
	"context"
	"io"
	"net/http"
	"path/filepath"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/renkei-go/renkei/foundation/identity"
	"github.com/renkei-go/renkei/foundation/page"
	"github.com/renkei-go/renkei/foundation/sqldb"
	"github.com/renkei-go/renkei/foundation/sqldb/sqldbtest"
	"github.com/renkei-go/renkei/staff"
	"github.com/renkei-go/renkei/staff/export"
)

const million = 1_000_000

// fillMillion makes an organisation of a million people in 2,000 units, of whom each has somebody who leads them.
func fillMillion(b *testing.B, db *sqldb.DB) {
	b.Helper()
	numbers, now := "SELECT i FROM generate_series(1, 1000000) AS i", "now()"
	if !db.IsPostgres() {
		numbers, now = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000000) SELECT i FROM n", "1900000000000000"
	}
	run := func(statement string) {
		b.Helper()
		if _, err := db.IDB(b.Context()).ExecContext(b.Context(), statement); err != nil {
			b.Fatal(err)
		}
	}
	surname := "'Family' || CAST((i % 100003) * 7919 % 100003 AS text)"
	run(`INSERT INTO staff_people (tenant, user_id, email, name, manager_id, roles, member_of, channels, time_zone, locale, active, on_leave, created_at, updated_at,
		person_type, first_name, last_name, sort_key, phone, date_of_birth, employee_reference, job_title, employment_start_date, employment_end_date, line_manager_id, cost_centre, salary_grade)
		SELECT '1', 'user' || i, 'user' || i || '@example.com', 'Given' || i || ' ' || ` + surname + `, '', '[]', '[]', '[]', '', '', ` + truth(db) + `, ` + falsehood(db) + `, ` + now + `, ` + now + `,
		'staff', 'Given' || i, ` + surname + `, lower(` + surname + `) || '	given' || i, '+81 3 0000 0000', '1990-01-01', 'E' || i, 'Support Worker', '2024-04-01', '',
		CASE WHEN i > 10 THEN 1 + i / 10 ELSE 0 END, 'CC-' || CAST(i % 100 AS text), 'G' || CAST(i % 9 AS text) FROM (` + numbers + `) AS s`)
	run(`INSERT INTO staff_units (tenant, name, code, description, parent_id, version, created_at, updated_at)
		SELECT '1', 'Unit ' || i, 'U' || i, '', 0, 1, ` + now + `, ` + now + ` FROM (` + numbers + `) AS s WHERE i <= 2000`)
	run(`INSERT INTO staff_assignments (tenant, person_id, unit_id, role, is_primary, start_date, end_date, told)
		SELECT '1', i, 1 + i % 2000, 'member', ` + truth(db) + `, '2024-04-01', '', 1 FROM (` + numbers + `) AS s`)
	run("INSERT INTO staff_heads (tenant, last_seq, pruned_seq, people, active) VALUES ('1', 0, 0, 1000000, 1000000)")
	if db.IsPostgres() {
		run("VACUUM ANALYZE staff_people")
		run("VACUUM ANALYZE staff_assignments")
		return
	}
	run("ANALYZE")
}

func truth(db *sqldb.DB) string {
	if db.IsPostgres() {
		return "true"
	}
	return "1"
}

func falsehood(db *sqldb.DB) string {
	if db.IsPostgres() {
		return "false"
	}
	return "0"
}

// copied is what PostgreSQL's own COPY writes: the columns of the HR mapping with the joins that they need, as PostgreSQL
// does them fastest, and the columns of people alone.
var copied = map[string]string{
	"copy": `COPY (SELECT p.employee_reference, p.name, p.first_name, p.last_name, p.email, p.employment_start_date, p.employment_end_date, p.job_title,
		m.name, m.employee_reference, a.units, p.salary_grade
		FROM staff_people p LEFT JOIN staff_people m ON m.id = p.line_manager_id
		LEFT JOIN (SELECT person_id, string_agg(u.name, '; ') AS units FROM staff_assignments JOIN staff_units u ON u.id = unit_id
			WHERE staff_assignments.tenant = '1' AND end_date = '' GROUP BY person_id) a ON a.person_id = p.id
		WHERE p.tenant = '1' AND p.active AND p.erased_at IS NULL) TO STDOUT (FORMAT csv)`,
	"copy-one-table": `COPY (SELECT employee_reference, name, first_name, last_name, email, employment_start_date, employment_end_date, job_title, salary_grade
		FROM staff_people WHERE tenant = '1' AND active AND erased_at IS NULL) TO STDOUT (FORMAT csv)`,
}

// BenchmarkMillion: at a million people, exports beside COPY, their memory, and pages of the list.
func BenchmarkMillion(b *testing.B) {
	b.Run("sqlite", func(b *testing.B) {
		benchMillion(b, "sqlite:"+filepath.Join(b.TempDir(), "bench.db"))
	})
	b.Run("postgres", func(b *testing.B) { benchMillion(b, sqldbtest.PostgresURL(b)) })
}

func benchMillion(b *testing.B, url string) {
	b.Helper()
	db, err := sqldb.Open(b.Context(), url)
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	if err := sqldb.Migrate(b.Context(), db, migrations...); err != nil {
		b.Fatal(err)
	}
	r := newRig(b, db, 0)
	fillMillion(b, db)
	for _, format := range []export.Format{export.CSV, export.NDJSON} {
		b.Run(string(format), func(b *testing.B) { benchExport(b, r, format) })
	}
	if db.IsPostgres() {
		for _, name := range []string{"copy", "copy-one-table"} {
			b.Run(name, func(b *testing.B) { benchCopy(b, url, copied[name]) })
		}
	}
	key := r.key(b, `{"name":"hr"}`)
	for _, list := range []struct{ name, path string }{
		{"first-page", "/api/staff/people?limit=50"},
		{"deep-page", "/api/staff/people?limit=50&cursor=" + deepCursor(b, r)},
		{"first-page-seed001", "/api/staff-data.php?limit=50"},
		{"unit-page", "/api/staff/people?limit=50&organisational_unit_id=77"},
	} {
		b.Run(list.name, func(b *testing.B) { benchPage(b, r, "demo-hr", list.path) })
		b.Run(list.name+"-by-key", func(b *testing.B) { benchPage(b, r, key, list.path) })
	}
}

func benchCopy(b *testing.B, url, statement string) {
	b.Helper()
	conn, err := pgx.Connect(b.Context(), url)
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = conn.Close(context.WithoutCancel(b.Context())) }()
	for b.Loop() {
		if _, err := conn.PgConn().CopyTo(b.Context(), io.Discard, statement); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(million*float64(b.N)/b.Elapsed().Seconds(), "people/s")
}

// benchExport exports everybody, and watches the memory of the process.
func benchExport(b *testing.B, r *rig, format export.Format) {
	by := identity.Principal{Tenant: "1", Actor: "hr", Roles: []string{staff.RoleHR}}
	runtime.GC()
	var peak uint64
	for b.Loop() {
		st, err := r.exports.Open(b.Context(), by, export.Request{System: "hr", Format: format})
		if err != nil {
			b.Fatal(err)
		}
		batches := 0
		n, err := st.Send(io.Discard, func(int64) {
			if batches++; batches%50 == 0 {
				var m runtime.MemStats
				runtime.ReadMemStats(&m)
				peak = max(peak, m.Sys-m.HeapReleased)
			}
		})
		if err != nil || n != million {
			b.Fatalf("%d people, %v", n, err)
		}
	}
	b.ReportMetric(million*float64(b.N)/b.Elapsed().Seconds(), "people/s")
	b.ReportMetric(float64(peak)/(1<<20), "peak-MB")
}

// deepCursor is the cursor of the page in the middle of the list.
func deepCursor(b *testing.B, r *rig) string {
	b.Helper()
	found, err := r.staff.Page(b.Context(), identity.Principal{Tenant: "1", Actor: "hr", Roles: []string{staff.RoleHR}}, staff.Filter{}, million/2, 1)
	if err != nil || len(found.Items) != 1 || found.Total != million {
		b.Fatalf("%d people, %v", found.Total, err)
	}
	p := found.Items[0].Person
	return page.Encode("staff.people", staff.Place{Key: p.SortKey(), ID: p.ID})
}

// benchPage reads a page again and again.
func benchPage(b *testing.B, r *rig, token, path string) {
	var took []time.Duration
	for b.Loop() {
		start := time.Now()
		if a := r.call(token, http.MethodGet, path, ""); a.status != http.StatusOK {
			b.Fatalf("%d %s", a.status, a.body)
		}
		took = append(took, time.Since(start))
	}
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2].Microseconds())/1000, "p50-ms")
	b.ReportMetric(float64(took[len(took)*99/100].Microseconds())/1000, "p99-ms")
}
