package delivery_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/renkei-go/renkei/transport/delivery"
	"github.com/renkei-go/renkei/transport/retry"
)

func TestFromStatus(t *testing.T) {
	for status, want := range map[int]delivery.State{
		200: delivery.Succeeded, 204: delivery.Succeeded, 410: delivery.Dead, 301: delivery.Pending, 308: delivery.Pending,
		400: delivery.Pending, 404: delivery.Pending, 429: delivery.Pending, 500: delivery.Pending, 503: delivery.Pending, 0: delivery.Pending,
	} {
		if got := delivery.FromStatus(status, nil, "").State(); got != want {
			t.Errorf("%d: %s, want %s", status, got, want)
		}
	}
	r := delivery.FromStatus(503, http.Header{"Retry-After": {"7"}}, "")
	if d, ok := retry.AskedFor(r.Err()); !ok || d != 7*time.Second {
		t.Errorf("asked for %s", d)
	}
}

var noon = time.Date(2030, 1, 15, 12, 0, 0, 0, time.UTC)

func TestRetryAfterHeader(t *testing.T) {
	for value, want := range map[string]time.Duration{
		"": 0, "0": 0, "-5": 0, "3": 3 * time.Second, " 3 ": 3 * time.Second, "soon": 0, "1.5": 0,
		"99999999999": retry.MaxAfter, "99999999999999999999999": 0,
		"Tue, 15 Jan 2030 12:01:00 GMT": time.Minute, "Tue, 15 Jan 2030 11:00:00 GMT": 0, "Fri, 31 Dec 9999 23:59:59 GMT": retry.MaxAfter,
	} {
		if got := delivery.RetryAfter(http.Header{"Retry-After": {value}}, noon); got != want {
			t.Errorf("%q: %s, want %s", value, got, want)
		}
	}
}

func FuzzRetryAfter(f *testing.F) {
	for _, seed := range []string{"", "3", "-1", "Tue, 15 Jan 2030 12:01:00 GMT", "Tuesday, 15-Jan-30 12:01:00 GMT"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, value string) {
		if d := delivery.RetryAfter(http.Header{"Retry-After": {value}}, noon); d < 0 || d > retry.MaxAfter {
			t.Errorf("%q: %s", value, d)
		}
	})
}
