package hook

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/renkei-go/renkei/foundation/fault"
	"github.com/renkei-go/renkei/foundation/secret"
	"github.com/renkei-go/renkei/transport/chat"
	"github.com/renkei-go/renkei/transport/retry"
)

// maxAnswer is the most that is read of an answer, in bytes.
const maxAnswer = 1 << 20

// Client returns a copy of c that follows no redirect, since it would carry a credential elsewhere, and that reads at
// most 1 MiB of an answer.
func Client(c *http.Client) *http.Client {
	out := *c
	out.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	out.Transport = capped{out.Transport}
	return &out
}

type capped struct{ next http.RoundTripper }

// RoundTrip implements http.RoundTripper.
func (c capped) RoundTrip(r *http.Request) (*http.Response, error) {
	next := c.next
	if next == nil {
		next = http.DefaultTransport
	}
	res, err := next.RoundTrip(r)
	if err == nil {
		res.Body = body{io.LimitReader(res.Body, maxAnswer), res.Body}
	}
	return res, err
}

type body struct {
	io.Reader
	io.Closer
}

// CheckURL says whether u can be posted to: absolute, http or https. Whether plain http and the address are allowed is
// for the client's guard to judge.
func CheckURL(u secret.String) bool {
	parsed, err := url.Parse(u.Reveal())
	return err == nil && (parsed.Scheme == "https" || parsed.Scheme == "http") && parsed.Host != ""
}

// Post sends a JSON document. It returns the answer's text for a 2xx status, and else an error of package chat.
func Post(ctx context.Context, c *http.Client, to secret.String, document []byte, now func() time.Time) (string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, to.Reveal(), bytes.NewReader(document))
	if err != nil {
		return "", chat.Refuse(chat.ErrAccess, "bad_url")
	}
	req.Header.Set("Content-Type", "application/json; charset=utf-8")
	res, err := c.Do(req)
	if err != nil {
		return "", Failure(err)
	}
	defer func() { _ = res.Body.Close() }()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		return "", Failure(err)
	}
	return string(text), Refusal(res.StatusCode, res.Header, strings.TrimSpace(string(text)), now())
}

// Failure turns an error of an http.Client into one of package chat. The URL, which is a secret, is left out of it. A
// guard's refusal is permanent.
func Failure(err error) error {
	if outer, ok := errors.AsType[*url.Error](err); ok {
		err = outer.Err
	}
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	if code := fault.CodeOf(err); code == fault.Invalid || code == fault.Forbidden {
		return retry.Permanent(err)
	}
	return chat.ErrUnavailable.Because(err)
}

// Refusal says what a status means: nil for 2xx. code is the tool's own word for it, if it has one.
func Refusal(status int, header http.Header, code string, now time.Time) error {
	switch {
	case status >= 200 && status < 300:
		return nil
	case status == http.StatusTooManyRequests:
		return chat.Busy(RetryAfter(header, now))
	case status == http.StatusRequestTimeout, status == http.StatusTooEarly, status >= 500:
		if code = strings.TrimSpace(code); code == "" || strings.ContainsAny(code, "<{ ") {
			code = "http_" + strconv.Itoa(status)
		}
		if wait := RetryAfter(header, now); wait > 0 {
			return retry.After(chat.Unavailable(code), wait)
		}
		return chat.Unavailable(code)
	}
	if code == "" || strings.ContainsAny(code, "<{ ") {
		code = "http_" + strconv.Itoa(status)
	}
	switch status {
	case http.StatusNotFound, http.StatusGone:
		return chat.Refuse(chat.ErrChannel, code)
	case http.StatusUnauthorized, http.StatusForbidden:
		return chat.Refuse(chat.ErrAccess, code)
	case http.StatusBadRequest, http.StatusRequestEntityTooLarge, http.StatusUnsupportedMediaType, http.StatusUnprocessableEntity:
		return chat.Refuse(chat.ErrMessage, code)
	}
	return chat.Refuse(chat.ErrRefused, code)
}

// RetryAfter reads the header Retry-After, seconds or a date (RFC 9110 §10.2.3); 0: there is none.
func RetryAfter(header http.Header, now time.Time) time.Duration {
	value := header.Get("Retry-After")
	if seconds, err := strconv.ParseInt(value, 10, 32); err == nil {
		return time.Duration(max(seconds, 0)) * time.Second
	}
	if date, err := http.ParseTime(value); err == nil {
		return max(date.Sub(now), 0)
	}
	return 0
}
