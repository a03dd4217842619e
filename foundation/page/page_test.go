package page_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/renkei-go/renkei/foundation/page"
)

func Example() {
	rows := []int{10, 20, 30} // fetched: one more than wanted
	first := page.Of("numbers", rows, 2, func(n int) any { return n })

	var after int
	more, err := page.Decode("numbers", first.Next, &after)
	fmt.Println(first.Items, more, after, err)

	_, err = page.Decode("events", first.Next, &after)
	fmt.Println(errors.Is(err, page.ErrBadCursor))
	// Output:
	// [10 20] true 20 <nil>
	// true
}

func TestLastPageHasNoCursor(t *testing.T) {
	if p := page.Of("numbers", []int{1, 2}, 2, func(n int) any { return n }); p.Next != "" || len(p.Items) != 2 {
		t.Fatalf("got %+v", p)
	}
}

func TestSize(t *testing.T) {
	for limit, want := range map[int]int{-1: 50, 0: 50, 1: 1, 200: 200, 201: 200} {
		if got := (page.Request{Limit: limit}).Size(); got != want {
			t.Errorf("limit %d: got %d, want %d", limit, got, want)
		}
	}
}

// TestForged: a cursor that somebody made up holds nothing that a database would choke on.
func TestForged(t *testing.T) {
	var key string
	for text, want := range map[string]error{"a\x00b": page.ErrBadCursor, `\` + "\x00": page.ErrBadCursor, `a\u0000b`: nil, `\\u0000`: nil} {
		if _, err := page.Decode("names", page.Encode("names", text), &key); !errors.Is(err, want) || err == nil && key != text {
			t.Errorf("%q: %q, %v", text, key, err)
		}
	}
}

func FuzzDecode(f *testing.F) {
	f.Add("")
	f.Add(page.Encode("numbers", map[string]int{"a": 1}))
	f.Add("1.!!!")
	f.Add("2.e30")
	f.Fuzz(func(t *testing.T, text string) {
		var key map[string]int
		ok, err := page.Decode("numbers", text, &key)
		if ok && err != nil || err != nil && !errors.Is(err, page.ErrBadCursor) || (text == "") != (!ok && err == nil) {
			t.Fatalf("%q: %v %v", text, ok, err)
		}
	})
}
