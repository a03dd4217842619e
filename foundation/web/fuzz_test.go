package web

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/url"
	"strings"
	"testing"
	"unicode/utf8"
)

func FuzzCheckJSON(f *testing.F) {
	for _, s := range []string{
		`{}`, `{"a":"\u0000"}`, `{"a":"\\u0000"}`, `"\ud83d\ude00"`, `"\ud83d"`, `"\ude00\ud83d"`, `"\ud83dx"`, "\"\xff\"", `"\u`, `"\`, `[1,{"a":["\u0000"]}]`, "\x00",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		err := CheckJSON(body)
		var v any
		switch {
		case err == nil:
			if json.Unmarshal(body, &v) != nil {
				t.Fatal("what is no JSON passes")
			}
			if _, found := findNUL(v, "body"); found {
				t.Fatal("NUL passes")
			}
			// What passes is decoded without loss: a replacement character comes only from one.
			decoded, _ := json.Marshal(v)
			if bytes.ContainsRune(decoded, utf8.RuneError) && !bytes.ContainsRune(body, utf8.RuneError) &&
				!strings.Contains(strings.ToLower(string(body)), `\ufffd`) {
				t.Fatal("half a surrogate pair passes")
			}
		case !errors.Is(err, ErrInvalidText) && !errors.Is(err, ErrMalformedJSON):
			t.Fatalf("got %v", err)
		}
	})
}

func FuzzCheckAddress(f *testing.F) {
	for _, s := range []string{"/a?b=c", "/%00", "/?q=%ff", "/?%zz", "/?a;b"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		u, err := url.Parse(raw)
		if err != nil || checkAddress(*u) != nil {
			return
		}
		for _, values := range u.Query() {
			for _, v := range values {
				if !isText(v) {
					t.Fatal("passes")
				}
			}
		}
	})
}
