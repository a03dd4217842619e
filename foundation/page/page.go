package page

import (
	"bytes"
	"encoding/base64"
	"encoding/json"

	"github.com/renkei-go/renkei/foundation/fault"
)

// The limits of a page, in items.
const (
	DefaultLimit = 50
	MaxLimit     = 200
)

// ErrBadCursor is returned for a cursor that is broken or belongs to another listing.
var ErrBadCursor = fault.New(fault.Invalid, "invalid_cursor", "the cursor does not belong to this listing")

// Request is which page is wanted. Zero is the first page with DefaultLimit items.
type Request struct {
	Limit  int
	Cursor string
}

// Size returns the number of items wanted, from 1 to MaxLimit.
func (r Request) Size() int {
	switch {
	case r.Limit <= 0:
		return DefaultLimit
	case r.Limit > MaxLimit:
		return MaxLimit
	}
	return r.Limit
}

// Page is one cut of a list. Next is empty on the last page.
type Page[T any] struct {
	Items []T
	Next  string
}

type cursor struct {
	Scope string          `json:"s"`
	Key   json.RawMessage `json:"k"`
}

const version = "1."

// Encode makes the cursor of a listing from the sort key of its last item. scope names the listing and its filters'
// shape, e.g. "events".
func Encode(scope string, key any) string {
	k, err := json.Marshal(key)
	if err != nil {
		panic("page: a sort key must be plain data: " + err.Error())
	}
	b, _ := json.Marshal(cursor{Scope: scope, Key: k})
	return version + base64.RawURLEncoding.EncodeToString(b)
}

// Decode reads a cursor of the listing into key and says whether there was one. It returns ErrBadCursor.
func Decode(scope, text string, key any) (bool, error) {
	if text == "" {
		return false, nil
	}
	if len(text) < len(version) || text[:len(version)] != version || len(text) > 2048 {
		return false, ErrBadCursor
	}
	b, err := base64.RawURLEncoding.DecodeString(text[len(version):])
	if err != nil {
		return false, ErrBadCursor
	}
	var c cursor
	// A cursor that somebody made up may hold NUL, which no database takes.
	if json.Unmarshal(b, &c) != nil || c.Scope != scope || holdsNUL(c.Key) || json.Unmarshal(c.Key, key) != nil {
		return false, ErrBadCursor
	}
	return true, nil
}

// holdsNUL says whether a string in valid JSON, where a backslash stands in strings only, has a NUL.
func holdsNUL(b []byte) bool {
	return bytes.Contains(bytes.ReplaceAll(b, []byte(`\\`), nil), []byte(`\u0000`))
}

// Of cuts rows, fetched with one more than size, into a page. key gives the sort key of an item.
func Of[T any](scope string, rows []T, size int, key func(T) any) Page[T] {
	if len(rows) <= size {
		return Page[T]{Items: rows}
	}
	rows = rows[:size]
	return Page[T]{Items: rows, Next: Encode(scope, key(rows[size-1]))}
}
