package graphsync

import (
	"bytes"
	"encoding/json"
	"net/http"
	"slices"
	"testing"
	"time"
)

// FuzzMerge: whatever a delta says of an object, what is kept can be read again, has its members once and in order, and
// saying it twice changes nothing.
func FuzzMerge(f *testing.F) {
	f.Add(true, `{}`, `{"id":"a","displayName":null,"accountEnabled":true,"manager@delta":[{"id":"m"}]}`)
	f.Add(true, `{"id":"a","managerId":"m"}`, `{"id":"a","manager@delta":[{"id":"m","@removed":{"reason":"deleted"}}]}`)
	f.Add(false, `{"id":"g","memberIds":["a","b"]}`, `{"id":"g","members@delta":[{"id":"b","@removed":{"reason":"deleted"}},{"id":"c"},{"id":"c"}]}`)
	f.Add(false, ``, `{"id":"g","memberIds":["z","a"],"members@delta":null}`)
	f.Fuzz(func(t *testing.T, user bool, known, told string) {
		kind := KindGroup
		if user {
			kind = KindUser
		}
		if !json.Valid([]byte(known)) {
			known = ""
		}
		once, err := merge(kind, []byte(known), Change{Data: []byte(told)})
		if err != nil {
			return
		}
		twice, err := merge(kind, once, Change{Data: []byte(told)})
		if err != nil || !bytes.Equal(twice, once) {
			t.Errorf("once %s, twice %s: %v", once, twice, err)
		}
		var g Group
		if err := json.Unmarshal(once, &g); !user && (err != nil || !slices.IsSorted(g.Members) || len(slices.Compact(slices.Clone(g.Members))) != len(g.Members)) {
			t.Errorf("members %v, %v", g.Members, err)
		}
	})
}

// FuzzErrorOf: any answer that says no becomes an Error, whose text shows no message, and whose wait is not negative.
func FuzzErrorOf(f *testing.F) {
	f.Add(429, "30", `{"error":{"code":"TooManyRequests","message":"s3cret","innerError":{"request-id":"1"}}}`)
	f.Add(400, "-1", `{"error":{"code":"Request_BadRequest","details":[{"code":"ObjectConflict","target":"userPrincipalName"}]}}`)
	f.Add(503, "99999999999999", `{}`)
	f.Add(503, "Wed, 21 Oct 2015 07:28:00 GMT", `<html>`)
	f.Fuzz(func(t *testing.T, status int, after, body string) {
		e := errorOf(Response{status, http.Header{"Retry-After": {after}}, json.RawMessage(body)}, time.Unix(1e9, 0))
		if e.RetryAfter < 0 || e.Status != status || e.Error() == "" || len([]rune(reason(e))) > longestReason {
			t.Errorf("%+v", e)
		}
	})
}
