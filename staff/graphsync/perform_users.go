package graphsync

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

// createUsers makes accounts. The user principal name is noted before, so that an account whose making was not written
// down is found again, and never made twice.
func (w *worker) createUsers(ctx context.Context, tasks []*task) error {
	var made []*task
	for _, t := range tasks {
		if missing, err := w.missing(ctx, t); err != nil {
			return err
		} else if missing {
			w.settle(t)
			continue
		}
		l := w.link(t.object())
		upn := t.step.after(FieldUPN)
		body := values(t.step.Edits)
		delete(body, FieldJobTitle)
		if title := t.step.after(FieldJobTitle); title != "" {
			body[FieldJobTitle] = title
		}
		body["accountEnabled"], body["mailNickname"] = true, nickname(upn, t.step.Person)
		body["passwordProfile"] = map[string]any{"forceChangePasswordNextSignIn": true, "password": w.cfg.Password()}
		t.request = Request{Method: http.MethodPost, Path: "/users", Body: body}
		found := l.Remote != "" // linked meanwhile
		if l.Pending != "" && !strings.EqualFold(l.Pending, upn) {
			var err error
			if found, err = w.find(ctx, l.Pending, t); err != nil {
				return err
			}
		}
		if found {
			w.settle(t)
			continue
		}
		l.Pending = upn
		made = append(made, t)
	}
	if err := w.save(ctx, nil); err != nil {
		return err
	}
	if err := w.call(ctx, made); err != nil {
		return err
	}
	for _, t := range made {
		if err := w.created(ctx, t); err != nil {
			return err
		}
		w.settle(t)
	}
	return nil
}

// created takes over a new account, or the one that was made before.
func (w *worker) created(ctx context.Context, t *task) error {
	if e, ok := errors.AsType[*Error](t.err); ok && e.Status == http.StatusBadRequest && e.Has(CodeConflict) {
		found, err := w.find(ctx, t.step.after(FieldUPN), t)
		if found {
			t.err = nil
		}
		return err
	}
	if t.err != nil {
		return nil //nolint:nilerr // it is the step's error
	}
	var a struct {
		ID string `json:"id"`
	}
	if json.Unmarshal(t.answer.Body, &a) != nil || a.ID == "" {
		return ErrUnreadable
	}
	w.own(t, a.ID)
	return nil
}

// find links the account of a name if it has the person's employee reference.
func (w *worker) find(ctx context.Context, upn string, t *task) (bool, error) {
	a, found, err := w.cfg.Graph.Account(ctx, upn)
	if err != nil || !found || !strings.EqualFold(string(a.EmployeeID), t.step.after(FieldEmployeeID)) {
		return false, err
	}
	w.own(t, a.ID)
	return true, nil
}

func (w *worker) own(t *task, id string) {
	l := w.link(t.object())
	l.Remote, l.Rule, l.Pending = id, RuleCreated, ""
}

// nickname is the mailNickname of an account: the local part of its name, of the characters that Entra takes.
func nickname(upn string, person int64) string {
	local, _, _ := strings.Cut(upn, "@")
	out := strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '.' || r == '-' || r == '_' {
			return r
		}
		return -1
	}, local)
	if out = cut(out, 64); out == "" {
		return "person-" + strconv.FormatInt(person, 10)
	}
	return out
}

// disableUsers disables accounts and ends their sessions. Each person is looked at again just before.
func (w *worker) disableUsers(ctx context.Context, tasks []*task) error {
	for _, t := range tasks {
		again, err := w.wantedAgain(ctx, *t.step)
		if err != nil {
			return err
		}
		remote := t.step.Remote
		if remote == "" {
			remote = w.remote(KindUser, t.step.Person)
		}
		switch {
		case again:
			t.skip = reasonWantedAgain
		case remote == "":
			t.skip = reasonNotMade
		}
		t.request = Request{Method: http.MethodPatch, Path: "/users/" + url.PathEscape(remote), Body: map[string]any{"accountEnabled": false}}
	}
	if err := w.call(ctx, tasks); err != nil {
		return err
	}
	var disabled []*task
	for _, t := range tasks {
		if t.skip == "" && t.err == nil {
			w.link(t.object()).DisabledAt = w.now()
			t.request = Request{Method: http.MethodPost, Path: t.request.Path + "/revokeSignInSessions", Body: map[string]any{}}
			disabled = append(disabled, t)
		}
	}
	if err := w.call(ctx, disabled); err != nil {
		return err
	}
	for _, t := range tasks {
		w.settle(t)
	}
	return nil
}
