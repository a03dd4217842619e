package delivery

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/renkei-go/renkei/transport/retry"
)

// FromStatus judges the answer of an HTTP server, as Standard Webhooks recommends: 2xx is Sent; 410 is Gone; 429, 502,
// 503 and 504 are Throttled by its Retry-After; everything else, redirects included, is Retry. head is the beginning of
// the body, for the history.
func FromStatus(status int, header http.Header, head string) Result {
	var r Result
	err := fmt.Errorf("the answer was %d %s", status, http.StatusText(status))
	switch {
	case status >= 200 && status <= 299:
		r = Sent("")
	case status == http.StatusGone:
		r = Gone(err)
	case status == http.StatusTooManyRequests, status == http.StatusBadGateway, status == http.StatusServiceUnavailable,
		status == http.StatusGatewayTimeout:
		r = Throttled(err, RetryAfter(header, time.Now()))
	default:
		r = Retry(err)
	}
	return r.WithAnswer(status, head)
}

// RetryAfter reads a Retry-After header, in seconds or as a date (RFC 9110 §10.2.3): how long from now, at least 0 and
// at most retry.MaxAfter; 0 when there is none or it is nonsense.
func RetryAfter(header http.Header, now time.Time) time.Duration {
	value := strings.TrimSpace(header.Get("Retry-After"))
	var d time.Duration
	if seconds, err := strconv.ParseInt(value, 10, 64); err == nil {
		d = time.Duration(min(max(seconds, 0), int64(retry.MaxAfter/time.Second))) * time.Second
	} else if at, err := http.ParseTime(value); err == nil {
		d = at.Sub(now)
	}
	return min(max(d, 0), retry.MaxAfter)
}
