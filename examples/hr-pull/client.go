package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// person is what this system needs of a person of the staff service.
type person struct {
	ID        int64  `json:"id"`
	Name      string `json:"name"`
	Reference string `json:"employee_reference"`
	Start     string `json:"employment_start_date"`
	End       string `json:"employment_end_date"`
	Title     string `json:"job_title"`
	Manager   int64  `json:"line_manager_id"`
	Active    bool   `json:"is_active"`
	Grade     string `json:"salary_grade"`
}

// change is a line of the change log.
type change struct {
	Kind    string  `json:"kind"`
	ID      int64   `json:"id"`
	Deleted bool    `json:"deleted"`
	Data    *person `json:"data"` // as they are now
}

// errExpired says that the changes after the cursor are no longer kept.
var errExpired = errors.New("the cursor has expired")

// client asks the staff service.
type client struct {
	base, key string
	http      *http.Client
	wait      func(context.Context, time.Duration) error
}

// mostTries is how often a request is sent that was refused for now.
const mostTries = 5

// get reads an answer into v. It waits as it is told when it asks too much (429) or the service is away (5xx).
func (c *client) get(ctx context.Context, path string, query url.Values, v any) error {
	for try := 1; ; try++ {
		status, header, body, err := c.once(ctx, path, query)
		again := err != nil || status == http.StatusTooManyRequests || status >= http.StatusInternalServerError
		switch {
		case err == nil && status == http.StatusOK:
			return json.Unmarshal(body, v)
		case err == nil && status == http.StatusGone:
			return errExpired
		case !again || try == mostTries:
			if err == nil {
				err = fmt.Errorf("GET %s: %d %.200s", path, status, body)
			}
			return err
		}
		pause := time.Second << (try - 1)
		if seconds, err := strconv.Atoi(header.Get("Retry-After")); err == nil && seconds > 0 {
			pause = time.Duration(seconds) * time.Second
		}
		if err := c.wait(ctx, pause); err != nil {
			return err
		}
	}
}

func (c *client) once(ctx context.Context, path string, query url.Values) (int, http.Header, []byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.base+path+"?"+query.Encode(), nil)
	if err != nil {
		return 0, nil, nil, err
	}
	req.Header.Set("Authorization", "Bearer "+c.key)
	resp, err := c.http.Do(req)
	if err != nil {
		return 0, nil, nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(resp.Body, 32<<20))
	return resp.StatusCode, resp.Header, body, err
}

// everybody yields all people, also those who have left.
func (c *client) everybody(ctx context.Context, each func(person)) error {
	query := url.Values{"limit": {"200"}, "include_inactive": {"true"}}
	for {
		var page struct {
			Items []person `json:"items"`
			Next  string   `json:"next_cursor"`
		}
		if err := c.get(ctx, "/api/staff/people", query, &page); err != nil {
			return err
		}
		for _, p := range page.Items {
			each(p)
		}
		if page.Next == "" {
			return nil
		}
		query.Set("cursor", page.Next)
	}
}

// changes yields what has changed since the cursor and returns the next one.
func (c *client) changes(ctx context.Context, cursor string, each func(change)) (string, error) {
	for {
		var feed struct {
			Items  []change `json:"items"`
			Next   string   `json:"next_cursor"`
			Cursor string   `json:"cursor"`
		}
		if err := c.get(ctx, "/api/staff/changes", url.Values{"limit": {"200"}, "cursor": {cursor}}, &feed); err != nil {
			return "", err
		}
		for _, one := range feed.Items {
			each(one)
		}
		if cursor = feed.Cursor; feed.Next == "" {
			return cursor, nil
		}
	}
}
