package graphsync

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"
	"golang.org/x/sync/errgroup"
	"golang.org/x/time/rate"

	"github.com/renkei-go/renkei/foundation/secret"
	"github.com/renkei-go/renkei/transport/retry"
)

// Limits of Microsoft Graph ("Combine multiple HTTP requests using JSON batching", "Add members").
const (
	MaxBatch = 20 // requests in a $batch
	MaxBind  = 20 // members that one PATCH of a group adds
)

// Parallel is how many batches are on their way at once: answers take their time, and one after the other would not use
// up the limit of writes.
const Parallel = 4

// DefaultWrites is how many writes a second a Client allows itself. Graph allows an application 3,000 in 150 seconds per
// tenant, which others may share.
const DefaultWrites = 16

// lostTries is how often in a row a call is made that gets no answer at all. Whoever asked for it is told soon, and may come again.
const lostTries = 5

// maxAnswer bounds what is read of an answer, in bytes.
const maxAnswer = 32 << 20

// ClientConfig says how to reach Microsoft Graph as an application (client credentials).
type ClientConfig struct {
	TenantID     string        // required: the directory's id or one of its domains
	ClientID     string        // required
	ClientSecret secret.String // required

	// BaseURL is Graph's address and version. Default https://graph.microsoft.com/v1.0; national clouds and tests have
	// others.
	BaseURL string
	// TokenURL gives tokens. Default https://login.microsoftonline.com/{TenantID}/oauth2/v2.0/token.
	TokenURL string
	// HTTP makes the requests. Default: a client with a time limit of 60 seconds.
	HTTP *http.Client
	// WritesPerSecond limits what changes something; each request of a batch counts. Default DefaultWrites.
	WritesPerSecond float64
	// Retry says when to try again what was throttled (429), failed on the other side (5xx) or got no answer; a longer
	// Retry-After goes before. Default: 10 tries from 1 second to 2 minutes. Without an answer there are at most 5.
	Retry retry.Policy
	// Now and Sleep are the clock. Default time.Now, and a wait that ends with its context.
	Now   func() time.Time
	Sleep func(ctx context.Context, d time.Duration) error
}

// Validate returns everything that is wrong with the configuration, joined.
func (c ClientConfig) Validate() error {
	var errs []error
	if c.TenantID == "" || c.ClientID == "" || c.ClientSecret.IsZero() {
		errs = append(errs, errors.New("graphsync: TenantID, ClientID and ClientSecret are required"))
	}
	if strings.ContainsAny(c.TenantID, "/?#") {
		errs = append(errs, errors.New("graphsync: TenantID is an id or a domain"))
	}
	for name, address := range map[string]string{"BaseURL": c.BaseURL, "TokenURL": c.TokenURL} {
		if u, err := url.Parse(address); address != "" && (err != nil || u.Scheme != "https" || u.Host == "") {
			errs = append(errs, fmt.Errorf("graphsync: %s must be an https URL", name))
		}
	}
	if c.WritesPerSecond < 0 {
		errs = append(errs, errors.New("graphsync: WritesPerSecond cannot be negative"))
	}
	return errors.Join(errs...)
}

// Client speaks to Microsoft Graph. It waits its turn when it is throttled, tries again what is lost, and keeps to its own
// limit of writes. It is safe for concurrent use.
type Client struct {
	cfg   ClientConfig
	base  *url.URL
	limit *rate.Limiter
	turn  chan struct{} // who waits for the limit

	mu     sync.Mutex
	tokens oauth2.TokenSource // nil: to be made anew
}

// NewClient makes a Client; it asks for nothing yet.
func NewClient(cfg ClientConfig) (*Client, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	if cfg.BaseURL == "" {
		cfg.BaseURL = "https://graph.microsoft.com/v1.0"
	}
	cfg.BaseURL = strings.TrimRight(cfg.BaseURL, "/")
	if cfg.TokenURL == "" {
		cfg.TokenURL = "https://login.microsoftonline.com/" + cfg.TenantID + "/oauth2/v2.0/token"
	}
	if cfg.HTTP == nil {
		cfg.HTTP = &http.Client{Timeout: time.Minute}
	}
	if cfg.WritesPerSecond == 0 {
		cfg.WritesPerSecond = DefaultWrites
	}
	if cfg.Retry == (retry.Policy{}) {
		cfg.Retry = retry.Policy{First: time.Second, Max: 2 * time.Minute, Multiplier: 2, Jitter: 0.5, Tries: 10}
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Sleep == nil {
		cfg.Sleep = sleep
	}
	base, err := url.Parse(cfg.BaseURL)
	if err != nil {
		return nil, err
	}
	return &Client{cfg: cfg, base: base, limit: rate.NewLimiter(rate.Limit(cfg.WritesPerSecond), MaxBatch), turn: make(chan struct{}, 1)}, nil
}

func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

// Request is a call to Graph.
type Request struct {
	Method string
	Path   string            // after the base URL, e.g. "/users/1"; or a link that Graph gave
	Header map[string]string // beside those that every call has
	Body   any               // sent as JSON; nil: none
}

func (r Request) writes() bool { return r.Method != http.MethodGet }

// Response is an answer that is not an error.
type Response struct {
	Status int
	Header http.Header
	Body   json.RawMessage
}

// Do makes one call, again if need be: every call of this package may be made twice. It returns an *Error for an answer
// that says no, and ErrForeignLink for a link to somewhere else, which must not see the token.
func (c *Client) Do(ctx context.Context, r Request) (Response, error) {
	var silent silence
	for tries := 1; ; tries++ {
		if r.writes() {
			if err := c.pace(ctx, 1); err != nil {
				return Response{}, err
			}
		}
		answer, err := c.once(ctx, r)
		if err == nil || !again(err) || (tries > 1 && isStatus(err, http.StatusUnauthorized)) {
			return answer, err
		}
		if err := c.wait(ctx, tries, &silent, err); err != nil {
			return Response{}, err
		}
	}
}

// silence counts the tries without an answer since the last one that had one.
type silence int

// wait waits before the next try, or returns why there is none.
func (c *Client) wait(ctx context.Context, tries int, silent *silence, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	*silent++
	if _, answered := errors.AsType[*Error](err); answered {
		*silent = 0
	}
	delay, more := c.cfg.Retry.Next(tries, err)
	if !more || *silent >= lostTries {
		return err
	}
	return c.cfg.Sleep(ctx, delay)
}

// pace waits until n writes are within the limit, one caller after the other.
func (c *Client) pace(ctx context.Context, n int) error {
	select {
	case c.turn <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-c.turn }()
	now := c.cfg.Now()
	if d := c.limit.ReserveN(now, n).DelayFrom(now); d > 0 {
		return c.cfg.Sleep(ctx, d)
	}
	return ctx.Err()
}

// once makes a call a single time. What may be tried again is an *Error, or carries no fault at all.
func (c *Client) once(ctx context.Context, r Request) (Response, error) {
	address, err := c.address(r.Path)
	if err != nil {
		return Response{}, err
	}
	var body io.Reader
	if r.Body != nil {
		data, err := json.Marshal(r.Body)
		if err != nil {
			return Response{}, err
		}
		body = bytes.NewReader(data)
	}
	req, err := http.NewRequestWithContext(ctx, r.Method, address, body)
	if err != nil {
		return Response{}, err
	}
	token, err := c.token()
	if err != nil {
		return Response{}, err
	}
	token.SetAuthHeader(req)
	req.Header.Set("Accept", "application/json")
	req.Header.Set("x-ms-throttle-priority", "low")
	if r.Body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	for name, value := range r.Header {
		req.Header.Set(name, value)
	}
	answer, err := c.cfg.HTTP.Do(req)
	if err != nil {
		return Response{}, lost(err)
	}
	defer func() { _ = answer.Body.Close() }()
	data, err := io.ReadAll(io.LimitReader(answer.Body, maxAnswer+1))
	if err != nil {
		return Response{}, lost(err)
	}
	if len(data) > maxAnswer {
		return Response{}, ErrUnreadable
	}
	out := Response{answer.StatusCode, answer.Header, data}
	if answer.StatusCode >= http.StatusMultipleChoices {
		e := errorOf(out, c.cfg.Now())
		if e.Status == http.StatusUnauthorized {
			c.forget()
		}
		return Response{}, retry.After(e, e.RetryAfter)
	}
	return out, nil
}

// address completes a path, and checks that a link leads to Graph.
func (c *Client) address(path string) (string, error) {
	if strings.HasPrefix(path, "/") {
		return c.cfg.BaseURL + path, nil
	}
	u, err := url.Parse(path)
	if err != nil || u.Scheme != c.base.Scheme || u.Host != c.base.Host || u.User != nil {
		return "", ErrForeignLink
	}
	return path, nil
}

// token returns a token that is still good.
func (c *Client) token() (*oauth2.Token, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.tokens == nil {
		ctx := context.WithValue(context.Background(), oauth2.HTTPClient, c.cfg.HTTP)
		c.tokens = (&clientcredentials.Config{
			ClientID: c.cfg.ClientID, ClientSecret: c.cfg.ClientSecret.Reveal(), TokenURL: c.cfg.TokenURL,
			Scopes: []string{c.base.Scheme + "://" + c.base.Host + "/.default"}, AuthStyle: oauth2.AuthStyleInParams,
		}).TokenSource(ctx)
	}
	token, err := c.tokens.Token()
	if err != nil {
		return nil, tokenFault(err)
	}
	return token, nil
}

// forget makes the next call ask for a new token.
func (c *Client) forget() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.tokens = nil
}

// Batch makes the calls, MaxBatch together and Parallel of those at once, and returns an answer or an error for each, in
// the order given. Calls that were throttled or failed on the other side are made again, without the others.
func (c *Client) Batch(ctx context.Context, requests []Request) ([]Response, []error) {
	answers, errs := make([]Response, len(requests)), make([]error, len(requests))
	var group errgroup.Group
	group.SetLimit(Parallel)
	for start := 0; start < len(requests); start += MaxBatch {
		open := make([]int, min(MaxBatch, len(requests)-start))
		for n := range open {
			open[n] = start + n
		}
		group.Go(func() error {
			c.insist(ctx, requests, open, answers, errs)
			return nil
		})
	}
	_ = group.Wait() // each call has its own error
	return answers, errs
}

// insist makes some of the calls until none of them is to be made again.
func (c *Client) insist(ctx context.Context, requests []Request, open []int, answers []Response, errs []error) {
	var silent silence
	for tries := 1; ; tries++ {
		open = c.batch(ctx, requests, open, answers, errs)
		if len(open) == 0 {
			return
		}
		worst := errs[open[0]]
		for _, i := range open {
			if longest(errs[i]) > longest(worst) {
				worst = errs[i]
			}
		}
		if err := c.wait(ctx, tries, &silent, worst); err != nil {
			for _, i := range open {
				errs[i] = err
			}
			return
		}
	}
}

func longest(err error) time.Duration {
	d, _ := retry.AskedFor(err)
	return d
}

type batchItem struct {
	ID     string            `json:"id"`
	Method string            `json:"method"`
	URL    string            `json:"url"`
	Header map[string]string `json:"headers,omitempty"`
	Body   any               `json:"body,omitempty"`
}

type batchAnswer struct {
	Responses []struct {
		ID     string            `json:"id"`
		Status int               `json:"status"`
		Header map[string]string `json:"headers"`
		Body   json.RawMessage   `json:"body"`
	} `json:"responses"`
}

// batch makes some of the calls a single time and returns those that are to be made again.
func (c *Client) batch(ctx context.Context, requests []Request, some []int, answers []Response, errs []error) (failed []int) {
	writes := 0
	items := make([]batchItem, len(some))
	for n, i := range some {
		r := requests[i]
		if r.writes() {
			writes++
		}
		items[n] = batchItem{strconv.Itoa(i), r.Method, r.Path, r.Header, r.Body}
		if r.Body != nil {
			items[n].Header = map[string]string{"Content-Type": "application/json"}
			maps.Copy(items[n].Header, r.Header)
		}
		errs[i] = ErrUnanswered // until there is an answer
	}
	err := c.pace(ctx, writes)
	var got batchAnswer
	if err == nil {
		var out Response
		out, err = c.once(ctx, Request{Method: http.MethodPost, Path: "/$batch", Body: map[string]any{"requests": items}})
		if err == nil && json.Unmarshal(out.Body, &got) != nil {
			err = ErrUnreadable
		}
	}
	if err != nil {
		for _, i := range some {
			errs[i] = err
		}
		if again(err) {
			return some
		}
		return nil
	}
	asked := map[string]int{}
	for _, i := range some {
		asked[strconv.Itoa(i)] = i
	}
	for _, a := range got.Responses {
		i, ok := asked[a.ID]
		if !ok {
			continue
		}
		answers[i], errs[i] = Response{a.Status, http.Header{}, a.Body}, nil
		for name, value := range a.Header {
			answers[i].Header.Set(name, value)
		}
		if a.Status >= http.StatusMultipleChoices {
			e := errorOf(answers[i], c.cfg.Now())
			errs[i] = retry.After(e, e.RetryAfter)
		}
	}
	for _, i := range some {
		if errs[i] != nil && again(errs[i]) {
			failed = append(failed, i)
		}
	}
	return failed
}
