package deliverybun

import (
	"context"
	"database/sql"
	"encoding/json"
	"strconv"
	"strings"

	"github.com/uptrace/bun/schema"

	"github.com/renkei-go/renkei/foundation/identity"
	"github.com/renkei-go/renkei/foundation/sqldb"
	"github.com/renkei-go/renkei/transport/delivery"
)

// lane writes tenant and destination as one column, so that both engines can jump from one to the next in an index. The
// length in front keeps "a"+"bc" apart from "ab"+"c".
func lane(l delivery.Lane) string {
	if l == (delivery.Lane{}) {
		return ""
	}
	return strconv.Itoa(len(l.Tenant)) + ":" + string(l.Tenant) + l.Destination
}

func parseLane(s string) delivery.Lane {
	size, rest, _ := strings.Cut(s, ":")
	n, err := strconv.Atoi(size)
	if err != nil || n > len(rest) {
		return delivery.Lane{}
	}
	return delivery.Lane{Tenant: identity.TenantID(rest[:n]), Destination: rest[n:]}
}

// columns of a delivery d with its place q in the queue, which is NULL when it is final.
const columns = `d.id, d.tenant, d.kind, d.destination, d.dedupe_key, d.subject, d.event_id, d.order_key, d.payload, d.state,
	d.attempts, d.max_attempts, d.last_error, d.created_at, d.finished_at, d.resend_of, d.resent_by, d.trace,
	q.attempts, q.next_attempt_at, q.lease_token, q.leased_until`

const selected = "SELECT " + columns + " FROM deliveries AS d LEFT JOIN delivery_queue AS q ON q.id = d.id "

// deliveries reads the rows of a query for columns. It scans by hand: this is where a claim spends its time.
func deliveries(rows *sql.Rows, err error) ([]delivery.Delivery, error) {
	if err != nil {
		return nil, sqldb.Fault(err)
	}
	defer func() { _ = rows.Close() }()
	var out []delivery.Delivery
	var (
		key, token                     sql.NullString
		attempts                       sql.NullInt64
		payload                        string
		created, finished, next, lease sqldb.Time
	)
	for rows.Next() {
		var d delivery.Delivery
		err := rows.Scan(&d.ID, &d.Tenant, &d.Kind, &d.Destination, &key, &d.Subject, &d.EventID, &d.OrderKey, &payload, &d.State,
			&d.Attempts, &d.MaxAttempts, &d.LastError, &created, &finished, &d.ResendOf, &d.ResentBy, &d.Trace, &attempts, &next, &token, &lease)
		if err != nil {
			return nil, sqldb.Fault(err)
		}
		d.Key, d.Payload, d.CreatedAt, d.FinishedAt = key.String, json.RawMessage(payload), created.Time, finished.Time
		if attempts.Valid {
			d.Attempts, d.NextAttemptAt = int(attempts.Int64), next.Time
		}
		if token.Valid {
			d.State, d.LeaseToken, d.NextAttemptAt = delivery.Leased, token.String, lease.Time
		}
		out = append(out, d)
	}
	return out, sqldb.Fault(rows.Err())
}

// texts reads the rows of a query for one text column.
func texts(rows *sql.Rows, err error) ([]string, error) {
	if err != nil {
		return nil, sqldb.Fault(err)
	}
	defer func() { _ = rows.Close() }()
	var out []string
	for rows.Next() {
		var text string
		if err := rows.Scan(&text); err != nil {
			return nil, sqldb.Fault(err)
		}
		out = append(out, text)
	}
	return out, sqldb.Fault(rows.Err())
}

// script is several statements that go to the database in one round trip.
type script struct {
	gen  schema.QueryGen
	text []byte
}

func (s *Store) script(ctx context.Context) *script {
	return &script{gen: schema.NewQueryGen(s.db.IDB(ctx).Dialect()), text: make([]byte, 0, 4096)}
}

// add appends a piece of text with its arguments.
func (c *script) add(text string, args ...any) {
	if len(args) == 0 {
		c.text = append(c.text, text...)
		return
	}
	c.text = c.gen.AppendQuery(c.text, text, args...)
}

// list appends "(?, ?, …)" for each of n rows, with commas between.
func (c *script) list(n int, row string, args func(i int) []any) {
	for i := range n {
		if i > 0 {
			c.text = append(c.text, ',')
		}
		c.text = c.gen.AppendQuery(c.text, row, args(i)...)
	}
}

// later has the script go with the next statement of the transaction in ctx.
func (s *Store) later(ctx context.Context, c *script) error {
	if len(c.text) == 0 {
		return nil
	}
	put := s.db.Script()
	put.Addf(string(c.text))
	return s.db.Later(ctx, put)
}

// run executes the script. bun leaves a text without arguments as it is, question marks and all.
func (s *Store) run(ctx context.Context, c *script) error {
	if len(c.text) == 0 {
		return nil
	}
	_, err := s.db.IDB(ctx).ExecContext(ctx, string(c.text))
	return sqldb.Fault(err)
}
