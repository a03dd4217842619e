package outboxbun

import (
	"cmp"
	"context"
	"encoding/json"
	"hash/fnv"
	"slices"
	"strings"

	"github.com/renkei-go/renkei/foundation/sqldb"
	"github.com/renkei-go/renkei/foundation/telemetry"
	"github.com/renkei-go/renkei/transport"
)

const (
	lanes      = 32 // as many as the migration makes rows
	insertRows = 1000
)

// lane spreads subjects over the lanes; a subject never changes its lane.
func lane(tenant, subject string) int {
	h := fnv.New32a()
	_, _ = h.Write([]byte(tenant))
	_, _ = h.Write([]byte{0})
	_, _ = h.Write([]byte(subject))
	return int(h.Sum32() % lanes)
}

type subjectKey struct{ tenant, subject string }

func keyOf(ev transport.Event) subjectKey { return subjectKey{string(ev.Tenant), ev.Subject} }

type counter struct {
	subjectKey
	n int64
}

// Publish stores events in the transaction in ctx, or in one of its own. On PostgreSQL they go along with the
// transaction's next statement (sqldb.DB.Later). Events of a subject get its next sequence numbers in the order given. It
// returns transport.ErrInvalidEvent, or sqldb.ErrDuplicate for an id that is there already, which fails the transaction
// when not the call.
func (s *Store) Publish(ctx context.Context, events ...transport.Event) error {
	rows, err := s.prepare(ctx, events)
	if err != nil || len(rows) == 0 {
		return err
	}
	if len(rows) == 1 && s.db.IsPostgres() {
		err = s.insertOne(ctx, rows[0])
	} else {
		err = s.db.Do(ctx, func(ctx context.Context) error {
			for chunk := range slices.Chunk(rows, insertRows) {
				insert := s.insertSQLite
				if s.db.IsPostgres() {
					insert = s.insertPostgres
				}
				if err := insert(ctx, chunk); err != nil {
					return err
				}
			}
			return nil
		})
	}
	if err == nil {
		s.db.Wake(ctx, Topic)
	}
	return err
}

// prepare returns complete copies, sorted by subject: transactions then take the counters in the same order.
func (s *Store) prepare(ctx context.Context, events []transport.Event) ([]transport.Event, error) {
	rows := make([]transport.Event, 0, len(events))
	for _, ev := range events {
		if err := ev.Validate(); err != nil {
			return nil, err
		}
		data, err := ev.JSON()
		if err != nil || !json.Valid(data) {
			return nil, transport.ErrInvalidEvent.WithField("data", "must encode to JSON").Because(err)
		}
		ev.Data = data
		if ev.ID == "" {
			ev.ID = s.newID()
		}
		if ev.Time.IsZero() {
			ev.Time = s.now()
		}
		ev.Trace = telemetry.Parent(telemetry.WithParent(ctx, ev.Trace))
		rows = append(rows, ev)
	}
	slices.SortStableFunc(rows, func(a, b transport.Event) int {
		return cmp.Or(cmp.Compare(a.Tenant, b.Tenant), cmp.Compare(a.Subject, b.Subject))
	})
	return rows, nil
}

// encoded is the data of an event that prepare made.
func encoded(ev transport.Event) string {
	data, _ := ev.Data.(json.RawMessage)
	return string(data)
}

// count returns one counter per subject of sorted rows.
func count(rows []transport.Event) []counter {
	var all []counter
	for _, ev := range rows {
		if n := len(all); n > 0 && all[n-1].subjectKey == keyOf(ev) {
			all[n-1].n++
			continue
		}
		all = append(all, counter{keyOf(ev), 1})
	}
	return all
}

func values(b *strings.Builder, tuple string, n int) {
	for i := range n {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(tuple)
	}
}

// publishOne is insertPostgres for the usual case, without planning it anew.
var publishOne = sqldb.NewStatement(`WITH next AS (
	INSERT INTO transport_subjects AS s (tenant, subject, sequence) VALUES (?, ?, 1)
	ON CONFLICT (tenant, subject) DO UPDATE SET sequence = s.sequence + 1 RETURNING s.tenant, s.subject, s.sequence
)
INSERT INTO transport_outbox (id, lane, tenant, subject, sequence, type, time, data, trace)
SELECT ?, ?, next.tenant, next.subject, next.sequence, ?, ?, ?, ? FROM next`)

func (s *Store) insertOne(ctx context.Context, ev transport.Event) error {
	k := keyOf(ev)
	c := s.db.Script()
	c.Call(publishOne, k.tenant, k.subject, ev.ID, lane(k.tenant, k.subject), ev.Type, sqldb.At(ev.Time), encoded(ev), ev.Trace)
	return s.db.Later(ctx, c)
}

// insertPostgres does all in one statement: positions are drawn after the counters' row locks are held.
func (s *Store) insertPostgres(ctx context.Context, rows []transport.Event) error {
	counters := count(rows)
	args := make([]any, 0, 3*len(counters)+10*len(rows))
	var q strings.Builder
	q.WriteString("WITH next AS (INSERT INTO transport_subjects AS s (tenant, subject, sequence) VALUES ")
	values(&q, "(?, ?, ?)", len(counters))
	left := make(map[subjectKey]int64, len(counters))
	for _, c := range counters {
		args = append(args, c.tenant, c.subject, c.n)
		left[c.subjectKey] = c.n
	}
	q.WriteString(` ON CONFLICT (tenant, subject) DO UPDATE SET sequence = s.sequence + excluded.sequence
RETURNING s.tenant, s.subject, s.sequence)
INSERT INTO transport_outbox (id, lane, tenant, subject, sequence, type, time, data, trace)
SELECT v.id, v.lane, v.tenant, v.subject, next.sequence - v.back, v.type, v.time::timestamptz, v.data::json, v.trace FROM (VALUES `)
	values(&q, "(?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", len(rows))
	for i, ev := range rows {
		k := keyOf(ev)
		left[k]--
		args = append(args, i, ev.ID, lane(k.tenant, k.subject), k.tenant, k.subject, left[k], ev.Type, sqldb.At(ev.Time), encoded(ev), ev.Trace)
	}
	q.WriteString(`) AS v (ord, id, lane, tenant, subject, back, type, time, data, trace)
JOIN next ON next.tenant = v.tenant AND next.subject = v.subject ORDER BY v.ord`)
	c := s.db.Script()
	c.Addf(q.String(), args...)
	return s.db.Later(ctx, c)
}

var (
	countOne = sqldb.NewStatement(`INSERT INTO transport_subjects (tenant, subject, sequence) VALUES (?, ?, 1)
ON CONFLICT (tenant, subject) DO UPDATE SET sequence = sequence + 1`)
	addOne = sqldb.NewStatement(`INSERT INTO transport_outbox (id, lane, tenant, subject, sequence, type, time, data, trace)
SELECT ?, ?, tenant, subject, sequence, ?, ?, ?, ? FROM transport_subjects WHERE tenant = ? AND subject = ?`)
)

func (s *Store) insertSQLite(ctx context.Context, rows []transport.Event) error {
	c := s.db.Script()
	for _, ev := range rows {
		k := keyOf(ev)
		c.Call(countOne, k.tenant, k.subject)
		c.Call(addOne, ev.ID, lane(k.tenant, k.subject), ev.Type, sqldb.At(ev.Time), encoded(ev), ev.Trace, k.tenant, k.subject)
	}
	_, err := s.db.Run(ctx, c)
	return err
}
