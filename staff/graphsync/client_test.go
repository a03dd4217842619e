package graphsync_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/renkei-go/renkei/foundation/secret"
	"github.com/renkei-go/renkei/staff/graphsync"
	"github.com/renkei-go/renkei/staff/graphsync/graphtest"
	"github.com/renkei-go/renkei/transport/retry"
)

var t0 = time.Date(2030, 1, 15, 9, 0, 0, 0, time.UTC)

// clock is a time that passes only while somebody sleeps.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) Sleep(ctx context.Context, d time.Duration) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
	return ctx.Err()
}

// client speaks to the fake in the time of the clock.
func client(tb testing.TB, s *graphtest.Server, c *clock, change ...func(*graphsync.ClientConfig)) *graphsync.Client {
	tb.Helper()
	cfg := graphsync.ClientConfig{
		TenantID: graphtest.TenantID, ClientID: graphtest.ClientID, ClientSecret: secret.NewString(graphtest.ClientSecret),
		BaseURL: s.BaseURL(), TokenURL: s.TokenURL(), HTTP: s.HTTP(), Now: c.Now, Sleep: c.Sleep,
	}
	for _, f := range change {
		f(&cfg)
	}
	out, err := graphsync.NewClient(cfg)
	if err != nil {
		tb.Fatal(err)
	}
	return out
}

func patches(ids []string, title string) []graphsync.Request {
	var out []graphsync.Request
	for _, id := range ids {
		out = append(out, graphsync.Request{Method: http.MethodPatch, Path: "/users/" + id, Body: map[string]any{"jobTitle": title}})
	}
	return out
}

func addUsers(s *graphtest.Server, n int) []string {
	var ids []string
	for i := range n {
		ids = append(ids, s.AddUser(graphtest.User{Name: fmt.Sprint("User ", i), UPN: fmt.Sprintf("u%d@%s", i, graphtest.TenantID), EmployeeID: fmt.Sprint("E", i), Enabled: true}))
	}
	return ids
}

func TestClientConfig(t *testing.T) {
	good := graphsync.ClientConfig{TenantID: "t", ClientID: "c", ClientSecret: secret.NewString("s")}
	for name, c := range map[string]struct {
		change func(*graphsync.ClientConfig)
		ok     bool
	}{
		"defaults":  {func(*graphsync.ClientConfig) {}, true},
		"no secret": {func(c *graphsync.ClientConfig) { c.ClientSecret = secret.String{} }, false},
		"plain":     {func(c *graphsync.ClientConfig) { c.BaseURL = "http://graph.example/v1.0" }, false},
		"a path":    {func(c *graphsync.ClientConfig) { c.TenantID = "a/b" }, false},
		"backwards": {func(c *graphsync.ClientConfig) { c.WritesPerSecond = -1 }, false},
	} {
		cfg := good
		c.change(&cfg)
		if err := cfg.Validate(); (err == nil) != c.ok {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestBatch: answers come in any order, single ones are throttled or fail and are made again, the rest is not.
func TestBatch(t *testing.T) {
	c := &clock{now: t0}
	tried := map[string]int{}
	s := graphtest.New(t, graphtest.Config{Faults: func(c graphtest.Call) graphtest.Fault {
		if tried[c.Path]++; c.InBatch && c.Path[len(c.Path)-1] == '7' && tried[c.Path] < 3 {
			return graphtest.Fault{Status: []int{429, 503}[tried[c.Path]-1], RetryAfter: 30}
		}
		return graphtest.Fault{}
	}})
	ids := addUsers(s, 47)
	requests := append(patches(ids, "Nurse"), graphsync.Request{Method: http.MethodPatch, Path: "/users/nobody", Body: map[string]any{"jobTitle": "x"}})
	answers, errs := client(t, s, c).Batch(t.Context(), requests)
	for i, err := range errs {
		if last := i == len(errs)-1; last != (err != nil) || (!last && answers[i].Status != http.StatusNoContent) {
			t.Errorf("request %d: %d %v", i, answers[i].Status, err)
		}
	}
	var e *graphsync.Error
	if !errors.As(errs[len(errs)-1], &e) || e.Status != http.StatusNotFound || !e.Has(graphsync.CodeNotFound) || e.RequestID == "" {
		t.Errorf("got %+v", e)
	}
	for _, u := range s.Users() {
		if u.JobTitle != "Nurse" {
			t.Errorf("%s is %q", u.UPN, u.JobTitle)
		}
	}
	for path, n := range tried {
		if want := map[bool]int{true: 3, false: 1}[path != "/$batch" && path[len(path)-1] == '7']; path != "/$batch" && n != want {
			t.Errorf("%s was made %d times", path, n)
		}
	}
	if waited := c.Now().Sub(t0); waited < 60*time.Second {
		t.Errorf("waited %s, not for Retry-After", waited)
	}
}

// TestLostAnswers: storms of errors, answers that are lost after the work was done, and a token that is no longer good.
func TestLostAnswers(t *testing.T) {
	c := &clock{now: t0}
	s := graphtest.New(t, graphtest.Config{Faults: func(c graphtest.Call) graphtest.Fault {
		switch {
		case c.N%43 == 5:
			return graphtest.Fault{Lose: true}
		case c.N%7 == 1:
			return graphtest.Fault{Status: http.StatusTooManyRequests, RetryAfter: 5}
		case c.N%7 == 2:
			return graphtest.Fault{Status: http.StatusBadGateway}
		}
		return graphtest.Fault{}
	}})
	ids := addUsers(s, 30)
	graph := client(t, s, c)
	_, errs := graph.Batch(t.Context(), patches(ids, "Cook"))
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
	s.RevokeTokens()
	if a, found, err := graph.Account(t.Context(), ids[3]); err != nil || !found || a.JobTitle != "Cook" {
		t.Errorf("%+v %v %v", a, found, err)
	}
	if _, found, err := graph.Account(t.Context(), "nobody@"+graphtest.TenantID); err != nil || found {
		t.Errorf("found %v, %v", found, err)
	}
}

// TestLostAfterThrottling: one lost answer is no silence, however often the call was throttled before it.
func TestLostAfterThrottling(t *testing.T) {
	s := graphtest.New(t, graphtest.Config{Faults: func(c graphtest.Call) graphtest.Fault {
		if c.N <= 6 {
			return graphtest.Fault{Status: http.StatusTooManyRequests, RetryAfter: 5}
		}
		return graphtest.Fault{Lose: c.N == 7}
	}})
	ids := addUsers(s, 1)
	if _, found, err := client(t, s, &clock{now: t0}).Account(t.Context(), ids[0]); err != nil || !found {
		t.Errorf("found %v, %v", found, err)
	}
}

func TestRefusals(t *testing.T) {
	c := &clock{now: t0}
	s := graphtest.New(t, graphtest.Config{})
	wrong := client(t, s, c, func(c *graphsync.ClientConfig) { c.ClientSecret = secret.NewString("wrong") })
	if _, _, err := wrong.Account(t.Context(), "x"); !errors.Is(err, graphsync.ErrCredentials) {
		t.Errorf("a wrong secret: %v", err)
	}
	for _, link := range []string{"https://evil.example/v1.0/users", "http" + s.BaseURL()[5:] + "/users", "//evil.example", "https://a@" + s.BaseURL()[8:] + "/users"} {
		_, err := client(t, s, c).Do(t.Context(), graphsync.Request{Method: http.MethodGet, Path: link})
		if link == "//evil.example" {
			if err == nil { // is a path of Graph's
				t.Errorf("%s was answered", link)
			}
		} else if !errors.Is(err, graphsync.ErrForeignLink) {
			t.Errorf("%s: %v", link, err)
		}
	}
	nobody := client(t, s, c, func(c *graphsync.ClientConfig) { c.BaseURL = "https://127.0.0.1:1/v1.0" })
	if _, _, err := nobody.Account(t.Context(), "x"); !errors.Is(err, graphsync.ErrUnanswered) || c.Now().Sub(t0) > time.Minute {
		t.Errorf("nobody there: %v after %s", err, c.Now().Sub(t0))
	}
	s.SetFaults(func(graphtest.Call) graphtest.Fault { return graphtest.Fault{Status: http.StatusServiceUnavailable} })
	if _, _, err := client(t, s, c).Account(t.Context(), "x"); err == nil || c.Now().Sub(t0) < time.Minute {
		t.Errorf("gave up with %v after %s", err, c.Now().Sub(t0))
	}
}

// TestQuota: writes run at 95 % of the limit or more, and never above it.
func TestQuota(t *testing.T) {
	c := &clock{now: t0}
	s := graphtest.New(t, graphtest.Config{Writes: 16, Now: c.Now})
	ids := addUsers(s, 400)
	for round := range 4 {
		if _, errs := client(t, s, c).Batch(t.Context(), patches(ids, fmt.Sprint("Title ", round))); errors.Join(errs...) != nil {
			t.Fatal(errors.Join(errs...))
		}
	}
	writes := 0
	for _, call := range s.Calls() {
		if call.Writes() {
			writes++
		}
	}
	perSecond := float64(writes) / c.Now().Sub(t0).Seconds()
	t.Logf("%d writes at %.2f a second", writes, perSecond)
	if perSecond < 0.95*16 || perSecond > 1.06*16 {
		t.Errorf("%.2f writes a second, want 16", perSecond)
	}
}

// meeting is a transport whose batches wait for each other until as many as expected are on their way.
type meeting struct {
	http.RoundTripper
	all sync.WaitGroup
}

func (m *meeting) RoundTrip(r *http.Request) (*http.Response, error) {
	if strings.HasSuffix(r.URL.Path, "/$batch") {
		m.all.Done()
		m.all.Wait()
	}
	return m.RoundTripper.RoundTrip(r)
}

// TestParallel: as many batches as that are on their way at once.
func TestParallel(t *testing.T) {
	s := graphtest.New(t, graphtest.Config{})
	ids := addUsers(s, graphsync.Parallel*graphsync.MaxBatch)
	m := &meeting{RoundTripper: s.HTTP().Transport}
	m.all.Add(graphsync.Parallel)
	graph := client(t, s, &clock{now: t0}, func(c *graphsync.ClientConfig) {
		c.HTTP = &http.Client{Transport: m}
		c.Retry = retry.Policy{Tries: 1}
	})
	if _, errs := graph.Batch(t.Context(), patches(ids, "Nurse")); errors.Join(errs...) != nil {
		t.Fatal(errors.Join(errs...))
	}
}

// TestDelta: pages, what changed, what is gone, and a link that is no longer good.
func TestDelta(t *testing.T) {
	s := graphtest.New(t, graphtest.Config{PageSize: 4})
	ids := addUsers(s, 10)
	graph := client(t, s, &clock{now: t0})
	follow := func(link string) (ids map[string]bool, next string) {
		t.Helper()
		ids = map[string]bool{}
		for next == "" {
			page, err := graph.Delta(t.Context(), link)
			if err != nil {
				t.Fatal(err)
			}
			for _, c := range page.Changes {
				ids[c.ID] = c.Removed
			}
			link, next = page.More, page.Next
		}
		return ids, next
	}
	all, next := follow(graphsync.FirstUsers)
	if len(all) != 10 {
		t.Errorf("%d users", len(all))
	}
	s.RemoveUser(ids[2])
	s.EditUser(ids[3], map[string]any{"jobTitle": "Chef"})
	changed, next := follow(next)
	if len(changed) != 2 || !changed[ids[2]] || changed[ids[3]] {
		t.Errorf("changed %v", changed)
	}
	s.ExpireDelta()
	if _, err := graph.Delta(t.Context(), next); !errors.Is(err, graphsync.ErrResync) {
		t.Errorf("an expired link: %v", err)
	}
	if again, _ := follow(graphsync.FirstUsers); len(again) != 9 {
		t.Errorf("%d users", len(again))
	}
}
