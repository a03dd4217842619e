package web_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/renkei-go/renkei/foundation/fault"
	"github.com/renkei-go/renkei/foundation/web"
)

func ExampleGuestPage() {
	page := web.NewGuestPage(`<style>{{style}}</style><h1>{{.}}</h1>`)
	w := httptest.NewRecorder()
	page.Write(w, http.StatusOK, "<b>Hello</b>")
	_, body, _ := strings.Cut(w.Body.String(), "</style>")
	policy, _, _ := strings.Cut(w.Header().Get("Content-Security-Policy"), ";")
	fmt.Println(body, policy)
	// Output: <h1>&lt;b&gt;Hello&lt;/b&gt;</h1> default-src 'none'
}

func TestReadForm(t *testing.T) {
	for name, c := range map[string]struct {
		body, kind, reason string
	}{
		"good":      {"a=1&b=%20", "application/x-www-form-urlencoded", ""},
		"as JSON":   {`{"a":"1","b":" "}`, "application/json; charset=utf-8", ""},
		"bad JSON":  {`{"a":1}`, "application/json", "malformed_form"},
		"malformed": {"a=%zz", "application/x-www-form-urlencoded", "malformed_form"},
		"too large": {"a=" + strings.Repeat("x", 70_000), "application/x-www-form-urlencoded", "body_too_large"},
		"no form":   {"a=1", "text/plain", ""},
	} {
		r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(c.body))
		r.Header.Set("Content-Type", c.kind)
		form, err := web.ReadForm(httptest.NewRecorder(), r)
		if fault.ReasonOf(err) != c.reason {
			t.Errorf("%s: %v", name, err)
		}
		if want := (url.Values{"a": {"1"}, "b": {" "}}).Encode(); (name == "good" || name == "as JSON") && form.Encode() != want {
			t.Errorf("%s: read %v", name, form)
		}
	}
}

func TestLanguageAndFormat(t *testing.T) {
	for accepts, want := range map[string]string{"": "en", "fr, ja-JP;q=0.9, en": "ja", "EN-gb": "en", "ja": "ja", ";;,-": "en"} {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.Header.Set("Accept-Language", accepts)
		if got := web.Language(r, "en", "ja"); got != want {
			t.Errorf("%q: %s", accepts, got)
		}
	}
	for accept, want := range map[string]bool{"": false, "*/*": false, "application/json": true, "text/html, application/json": false} {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.Header.Set("Accept", accept)
		if web.WantsJSON(r) != want {
			t.Errorf("%q", accept)
		}
	}
}
