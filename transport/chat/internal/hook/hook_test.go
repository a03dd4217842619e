package hook_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/renkei-go/renkei/foundation/fault"
	"github.com/renkei-go/renkei/foundation/secret"
	"github.com/renkei-go/renkei/transport/chat"
	"github.com/renkei-go/renkei/transport/chat/internal/hook"
	"github.com/renkei-go/renkei/transport/retry"
)

var now = time.Date(2030, 1, 15, 10, 0, 0, 0, time.UTC)

func Example() {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", "7")
		w.WriteHeader(http.StatusTooManyRequests)
	}))
	defer server.Close()
	_, err := hook.Post(context.Background(), hook.Client(server.Client()), secret.NewString(server.URL), []byte("{}"), time.Now)
	wait, _ := retry.AskedFor(err)
	fmt.Println(errors.Is(err, chat.ErrBusy), wait)
	// Output: true 7s
}

func TestRefusal(t *testing.T) {
	for _, c := range []struct {
		status    int
		want      *fault.Error
		permanent bool
		after     string
		wait      time.Duration
	}{
		{200, nil, false, "", 0}, {202, nil, false, "", 0},
		{302, chat.ErrRefused, true, "", 0}, {400, chat.ErrMessage, true, "", 0}, {401, chat.ErrAccess, true, "", 0},
		{403, chat.ErrAccess, true, "", 0}, {404, chat.ErrChannel, true, "", 0}, {405, chat.ErrRefused, true, "", 0},
		{408, chat.ErrUnavailable, false, "", 0}, {410, chat.ErrChannel, true, "", 0}, {413, chat.ErrMessage, true, "", 0},
		{429, chat.ErrBusy, false, "", 0}, {429, chat.ErrBusy, false, "30", 30 * time.Second}, {429, chat.ErrBusy, false, "-3", 0},
		{429, chat.ErrBusy, false, "Tue, 15 Jan 2030 10:00:09 GMT", 9 * time.Second}, {429, chat.ErrBusy, false, "soon", 0},
		{500, chat.ErrUnavailable, false, "", 0}, {503, chat.ErrUnavailable, false, "12", 12 * time.Second},
	} {
		header := http.Header{}
		header.Set("Retry-After", c.after)
		err := hook.Refusal(c.status, header, "", now)
		if c.want == nil {
			if err != nil {
				t.Errorf("%d: %v", c.status, err)
			}
			continue
		}
		if wait, _ := retry.AskedFor(err); !errors.Is(err, c.want) || retry.IsPermanent(err) != c.permanent || wait != c.wait {
			t.Errorf("%d %q: %v, permanent %t, wait %s", c.status, c.after, err, retry.IsPermanent(err), wait)
		}
	}
}

// TestNoSecretsAndNoRedirects: the URL is a credential.
func TestNoSecretsAndNoRedirects(t *testing.T) {
	var elsewhere int
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { elsewhere++ }))
	defer other.Close()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, other.URL, http.StatusTemporaryRedirect)
	}))
	client := hook.Client(server.Client())
	to := secret.NewString(server.URL + "/T000/B000/verysecret")
	if _, err := hook.Post(t.Context(), client, to, []byte("{}"), time.Now); !errors.Is(err, chat.ErrRefused) || elsewhere != 0 {
		t.Errorf("%v, %d requests elsewhere", err, elsewhere)
	}
	server.Close()
	_, err := hook.Post(t.Context(), client, to, []byte("{}"), time.Now)
	if !errors.Is(err, chat.ErrUnavailable) || strings.Contains(err.Error(), "verysecret") || retry.IsPermanent(err) {
		t.Errorf("%v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := hook.Post(ctx, client, to, []byte("{}"), time.Now); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	guarded := hook.Client(&http.Client{Transport: refusing{}})
	if _, err := hook.Post(t.Context(), guarded, to, []byte("{}"), time.Now); !retry.IsPermanent(err) || fault.ReasonOf(err) != "private_address" {
		t.Errorf("a guard's refusal: %v", err)
	}
}

type refusing struct{}

func (refusing) RoundTrip(*http.Request) (*http.Response, error) {
	return nil, fault.New(fault.Forbidden, "private_address", "no")
}

// TestLongAnswer: a server cannot make us read for ever.
func TestLongAnswer(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		chunk := []byte(strings.Repeat("x", 1<<16))
		for range 64 {
			if _, err := w.Write(chunk); err != nil {
				return
			}
		}
	}))
	defer server.Close()
	text, err := hook.Post(t.Context(), hook.Client(server.Client()), secret.NewString(server.URL), nil, time.Now)
	if err != nil || len(text) != 1<<20 {
		t.Errorf("%d bytes, %v", len(text), err)
	}
}
