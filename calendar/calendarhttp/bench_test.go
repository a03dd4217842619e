package calendarhttp_test

import (
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/renkei-go/renkei/calendar"
	"github.com/renkei-go/renkei/calendar/calendarbun"
	"github.com/renkei-go/renkei/calendar/calendartest"
	"github.com/renkei-go/renkei/foundation/sqldb"
	"github.com/renkei-go/renkei/foundation/sqldb/sqldbtest"
)

// perPerson is how many events somebody organizes, one every 35 hours from epoch on. With those that they are a guest of, a
// week has nine or ten.
const perPerson = 1000

var epoch = time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)

// fill writes n events of an hour, each with an attendee who is the next person, in all visibilities.
func fill(b *testing.B, db *sqldb.DB, n int) {
	b.Helper()
	numbers, id, start := "WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < ?0)", "printf('%010d', i)",
		fmt.Sprintf("%d + i %% 1000 * 126000000000", epoch.UnixMicro())
	hour, no, yes := "3600000000", "0", "NULL"
	if db.IsPostgres() {
		numbers, id, start = "WITH n AS (SELECT generate_series(0, ?0 - 1) AS i)", "lpad(i::text, 10, '0')",
			"timestamptz '2030-01-01 00:00Z' + (i % 1000) * interval '126000 seconds'"
		hour, no, yes = "interval '1 hour'", "false", "NULL::jsonb"
	}
	person := func(next int) string { return fmt.Sprintf("'u' || ((i / 1000 + %d) %% (?0 / 1000))", next) }
	rewrite := strings.NewReplacer("{id}", id, "{start}", start, "{hour}", hour, "{no}", no, "{null}", yes,
		"{organizer}", person(0), "{guest}", person(1))
	for _, q := range []string{
		`INSERT INTO calendar_events SELECT 'acme', {id}, {id}, {organizer}, 'x@example.com', 'Somebody', 'Weekly meeting about things', 'Room 5', 'What we talk about.',
			{start}, {start} + {hour}, 'Asia/Tokyo', {no}, '', CASE i % 3 WHEN 0 THEN 'PUBLIC' WHEN 1 THEN 'BUSY_ONLY' ELSE 'PRIVATE' END,
			'CONFIRMED', '', '', 0, 1, '', {null}, {null}, 'u', {start}, {start} FROM n`,
		`INSERT INTO calendar_attendees SELECT 'acme', {id}, 'guest@example.com', 0, 'Guest', {guest}, {no}, 'ACCEPTED', '', 0, NULL, NULL, {no}, {no} FROM n`,
		`INSERT INTO calendar_occurrences SELECT 'acme', {organizer}, 0, {start}, {id}, {start} + {hour} FROM n`,
		`INSERT INTO calendar_occurrences SELECT 'acme', {guest}, 0, {start}, {id}, {start} + {hour} FROM n`,
	} {
		if _, err := db.IDB(b.Context()).ExecContext(b.Context(), numbers+" "+rewrite.Replace(q), n); err != nil {
			b.Fatal(err)
		}
	}
	if _, err := db.IDB(b.Context()).ExecContext(b.Context(), "ANALYZE"); err != nil {
		b.Fatal(err)
	}
}

func ask(transport http.RoundTripper, r *http.Request) (int, string, error) {
	resp, err := transport.RoundTrip(r)
	if err != nil {
		return 0, "", err
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	return resp.StatusCode, string(body), err
}

// BenchmarkWeek asks over HTTP for a week of somebody's calendar, one's own or another's, with 8 clients at once.
func BenchmarkWeek(b *testing.B) {
	for _, n := range []int{10_000, 1_000_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			sqldbtest.EachBench(b, migrations, func(b *testing.B, db *sqldb.DB) {
				b.Helper()
				fill(b, db, n)
				log := &calendartest.Log{DB: db}
				s, err := calendar.New(calendar.Config{
					Store: calendarbun.New(db), Outbox: log, Audit: log, Directory: calendartest.Staff("alice"), Delegations: calendartest.Delegations{},
				})
				if err != nil {
					b.Fatal(err)
				}
				server := httptest.NewServer(handler(s))
				defer server.Close()
				transport := &http.Transport{MaxIdleConnsPerHost: 64}
				defer transport.CloseIdleConnections()
				var mu sync.Mutex
				var all []time.Duration
				b.SetParallelism(max(1, 8/runtime.GOMAXPROCS(0)))
				b.ResetTimer()
				b.RunParallel(func(pb *testing.PB) {
					var mine []time.Duration
					for pb.Next() {
						owner := rand.IntN(n / perPerson)
						viewer := owner
						if rand.IntN(2) == 0 {
							viewer = rand.IntN(n / perPerson)
						}
						from := epoch.AddDate(0, 0, 7*rand.IntN(207))
						r, err := http.NewRequestWithContext(b.Context(), http.MethodGet, fmt.Sprintf("%s/events?owner=u%d&from=%s&to=%s&limit=100",
							server.URL, owner, from.Format(time.RFC3339), from.AddDate(0, 0, 7).Format(time.RFC3339)), nil)
						if err != nil {
							b.Error(err)
							return
						}
						r.Header.Set("Authorization", fmt.Sprintf("Bearer u%d", viewer))
						start := time.Now()
						code, body, err := ask(transport, r)
						mine = append(mine, time.Since(start))
						if err != nil || code != http.StatusOK || viewer == owner && strings.Count(body, `"start_at"`) < 8 {
							b.Errorf("%d %s, %v", code, body, err)
							return
						}
					}
					mu.Lock()
					defer mu.Unlock()
					all = append(all, mine...)
				})
				b.StopTimer()
				slices.Sort(all)
				b.ReportMetric(float64(all[len(all)/2])/1e6, "p50-ms")
				b.ReportMetric(float64(all[len(all)*99/100])/1e6, "p99-ms")
				b.ReportMetric(float64(len(all))/b.Elapsed().Seconds(), "req/s")
			})
		})
	}
}
