package sqldb

import (
	"database/sql/driver"
	"fmt"
	"strconv"
	"time"

	"github.com/uptrace/bun/dialect"
	"github.com/uptrace/bun/schema"
)

// Time is an instant in a bun model: timestamptz on PostgreSQL, INTEGER microseconds since 1970 on SQLite. It keeps
// whole microseconds and comes back in UTC. The zero Time is NULL.
type Time struct{ time.Time }

// The times that a Time can be, zero aside: what both databases and RFC 3339 can write.
var (
	first = time.Date(1, 1, 1, 0, 0, 0, 1000, time.UTC)
	last  = time.Date(9999, 12, 31, 23, 59, 59, 999_999_000, time.UTC)
)

// At makes a Time. What lies outside the years 1 to 9999, as the bound of a search may, becomes the nearest that does
// not.
func At(t time.Time) Time {
	switch t = t.UTC().Truncate(time.Microsecond); {
	case t.IsZero():
		return Time{}
	case t.Before(first):
		return Time{first}
	case t.After(last):
		return Time{last}
	}
	return Time{t}
}

var (
	_ schema.QueryAppender = Time{}
	_ driver.Valuer        = Time{}
)

// AppendQuery writes the literal that the dialect wants.
func (t Time) AppendQuery(gen schema.QueryGen, b []byte) ([]byte, error) {
	if t.IsZero() {
		return append(b, "NULL"...), nil
	}
	if gen.Dialect().Name() == dialect.SQLite {
		return strconv.AppendInt(b, t.UnixMicro(), 10), nil
	}
	b = append(b, '\'')
	b = t.UTC().AppendFormat(b, "2006-01-02 15:04:05.999999-07:00")
	return append(b, '\''), nil
}

// Value serves callers outside bun, on PostgreSQL.
func (t Time) Value() (driver.Value, error) {
	if t.IsZero() {
		return nil, nil
	}
	return t.UTC(), nil
}

// micro is what SQLite stores: nil, or microseconds.
func (t Time) micro() any {
	if t.IsZero() {
		return nil
	}
	return t.UnixMicro()
}

// Scan reads either form.
func (t *Time) Scan(src any) error {
	switch v := src.(type) {
	case nil:
		t.Time = time.Time{}
	case int64:
		t.Time = time.UnixMicro(v).UTC()
	case time.Time:
		t.Time = v.UTC()
	case []byte:
		return t.parse(string(v))
	case string:
		return t.parse(v)
	default:
		return fmt.Errorf("sqldb: a time cannot be read from %T", src)
	}
	return nil
}

func (t *Time) parse(s string) error {
	if n, err := strconv.ParseInt(s, 10, 64); err == nil {
		t.Time = time.UnixMicro(n).UTC()
		return nil
	}
	for _, layout := range []string{"2006-01-02 15:04:05.999999-07", "2006-01-02 15:04:05.999999-07:00", time.RFC3339Nano} {
		if v, err := time.Parse(layout, s); err == nil {
			t.Time = v.UTC()
			return nil
		}
	}
	return fmt.Errorf("sqldb: a time in no known form")
}
