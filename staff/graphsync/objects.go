package graphsync

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// Text is a string of which null means none.
type Text string

// UnmarshalJSON implements json.Unmarshaler.
func (t *Text) UnmarshalJSON(data []byte) error {
	var s *string
	if err := json.Unmarshal(data, &s); err != nil {
		return err
	}
	*t = ""
	if s != nil {
		*t = Text(*s)
	}
	return nil
}

// Account is a user of Entra, by the names that Graph gives its properties. Decoding into one leaves what is absent as it
// is.
type Account struct {
	ID         string `json:"id"`
	Name       Text   `json:"displayName"`
	UPN        Text   `json:"userPrincipalName"`
	EmployeeID Text   `json:"employeeId"`
	JobTitle   Text   `json:"jobTitle"`
	Enabled    bool   `json:"accountEnabled"`
	OnPremises bool   `json:"onPremisesSyncEnabled"` // mastered elsewhere: read-only here
	ManagerID  Text   `json:"managerId,omitempty"`   // of this package: Graph tells it as manager@delta
}

// Group is a group of Entra. Members are ids, sorted.
type Group struct {
	ID          string   `json:"id"`
	Name        Text     `json:"displayName"`
	Description Text     `json:"description"`
	UniqueName  Text     `json:"uniqueName"`
	Members     []string `json:"memberIds,omitempty"` // of this package: Graph tells them as members@delta
}

const (
	accountSelect = "id,displayName,userPrincipalName,employeeId,jobTitle,accountEnabled,onPremisesSyncEnabled"
	groupSelect   = "id,displayName,description,uniqueName"
)

// FirstUsers and FirstGroups are where a delta begins: with everything.
const (
	FirstUsers  = "/users/delta?$select=" + accountSelect + ",manager"
	FirstGroups = "/groups/delta?$select=" + groupSelect + ",members"
)

// Change is one object of a delta: what Graph tells of it, or that it is gone.
type Change struct {
	ID      string
	Removed bool
	Data    json.RawMessage
}

// DeltaPage is a page of a delta: More leads to the next page, or Next to the changes after this delta.
type DeltaPage struct {
	Changes    []Change
	More, Next string
}

// Delta reads a page of changes; link is FirstUsers, FirstGroups, or what an earlier page gave. It returns ErrResync when
// everything must be read anew.
func (c *Client) Delta(ctx context.Context, link string) (DeltaPage, error) {
	answer, err := c.Do(ctx, Request{Method: http.MethodGet, Path: link})
	var e *Error
	if errors.As(err, &e) && (e.Status == http.StatusGone || resync(e)) {
		return DeltaPage{}, ErrResync.Because(err)
	}
	if err != nil {
		return DeltaPage{}, err
	}
	var body struct {
		Value []json.RawMessage `json:"value"`
		More  string            `json:"@odata.nextLink"`
		Next  string            `json:"@odata.deltaLink"`
	}
	if err := json.Unmarshal(answer.Body, &body); err != nil || (body.More == "") == (body.Next == "") {
		return DeltaPage{}, ErrUnreadable
	}
	page := DeltaPage{More: body.More, Next: body.Next, Changes: make([]Change, len(body.Value))}
	for i, v := range body.Value {
		var head struct {
			ID      string          `json:"id"`
			Removed json.RawMessage `json:"@removed"`
		}
		if err := json.Unmarshal(v, &head); err != nil || head.ID == "" {
			return DeltaPage{}, ErrUnreadable
		}
		page.Changes[i] = Change{head.ID, head.Removed != nil, v}
	}
	return page, nil
}

// resync says whether Graph asks for a new beginning in one of its other ways.
func resync(e *Error) bool {
	if e.Status < http.StatusBadRequest || e.Status >= http.StatusInternalServerError {
		return false
	}
	return slices.ContainsFunc([]string{"syncStateNotFound", "resyncRequired", "syncStateInvalid"}, func(code string) bool {
		return strings.EqualFold(e.Code, code)
	})
}

// Account reads a user by id or user principal name; found is false when there is none.
func (c *Client) Account(ctx context.Context, id string) (a Account, found bool, err error) {
	answer, err := c.Do(ctx, Request{Method: http.MethodGet, Path: "/users/" + url.PathEscape(id) + "?$select=" + accountSelect})
	if isStatus(err, http.StatusNotFound) {
		return a, false, nil
	}
	if err != nil {
		return a, false, err
	}
	if err := json.Unmarshal(answer.Body, &a); err != nil || a.ID == "" {
		return a, false, ErrUnreadable
	}
	return a, true, nil
}

// Group reads a group without its members, by what comes after "/groups": "/ID" or "(uniqueName='…')".
func (c *Client) Group(ctx context.Context, which string) (g Group, found bool, err error) {
	answer, err := c.Do(ctx, Request{Method: http.MethodGet, Path: "/groups" + which + "?$select=" + groupSelect})
	if isStatus(err, http.StatusNotFound) {
		return g, false, nil
	}
	if err != nil {
		return g, false, err
	}
	if err := json.Unmarshal(answer.Body, &g); err != nil || g.ID == "" {
		return g, false, ErrUnreadable
	}
	return g, true, nil
}

// IsMember says whether a user is in a group.
func (c *Client) IsMember(ctx context.Context, user, group string) (bool, error) {
	answer, err := c.Do(ctx, Request{
		Method: http.MethodPost, Path: "/users/" + url.PathEscape(user) + "/checkMemberGroups", Body: map[string]any{"groupIds": []string{group}},
	})
	if err != nil {
		return false, err
	}
	var body struct {
		Value []string `json:"value"`
	}
	if err := json.Unmarshal(answer.Body, &body); err != nil {
		return false, ErrUnreadable
	}
	return slices.Contains(body.Value, group), nil
}
