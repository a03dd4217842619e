package graphsync

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// each does steps that are one request each.
func (w *worker) each(ctx context.Context, tasks []*task) error {
	for _, t := range tasks {
		if err := w.prepare(ctx, t); err != nil {
			return err
		}
	}
	if err := w.call(ctx, tasks); err != nil {
		return err
	}
	for _, t := range tasks {
		gone := t.step.Op == OpDeleteUser || t.step.Op == OpDeleteGroup || t.step.Op == OpRemoveMember ||
			t.step.Op == OpSetManager && t.request.Method == http.MethodDelete
		if gone && isStatus(t.err, http.StatusNotFound) {
			t.err = nil // it was done before
		}
		var err error
		switch {
		case t.step.Op == OpCreateGroup:
			err = w.createdGroup(ctx, t)
		case t.skip == "" && t.err == nil:
			w.done(t)
		}
		if err != nil {
			return err
		}
		w.settle(t)
	}
	return nil
}

// prepare makes the request of a step, or says why it is skipped.
func (w *worker) prepare(ctx context.Context, t *task) error {
	p := t.step
	o := t.object()
	remote := p.Remote
	if remote == "" {
		remote = w.remote(o.kind, o.local)
	}
	if remote == "" && p.Op != OpCreateGroup {
		t.skip = reasonNotMade
		return nil
	}
	path := "/users/" + url.PathEscape(remote)
	if o.kind == KindGroup {
		path = "/groups/" + url.PathEscape(remote)
	}
	switch p.Op {
	case OpUpdateUser, OpUpdateGroup:
		if missing, err := w.missing(ctx, t); err != nil || missing {
			return err
		}
		edits := p.Edits
		if p.Why == WhyRolledBack {
			var err error
			if edits, err = w.unchanged(ctx, *p, remote); err != nil {
				return err
			}
			if len(edits) == 0 {
				t.skip = reasonChanged
			}
		}
		t.request = Request{Method: http.MethodPatch, Path: path, Body: values(edits)}
	case OpEnableUser:
		t.request = Request{Method: http.MethodPatch, Path: path, Body: map[string]any{"accountEnabled": true}}
	case OpRestoreUser:
		t.request = Request{Method: http.MethodPost, Path: "/directory/deletedItems/" + url.PathEscape(remote) + "/restore", Body: map[string]any{}}
	case OpDeleteUser:
		again, err := w.wantedAgain(ctx, *p)
		if err != nil {
			return err
		}
		if again {
			t.skip = reasonWantedAgain
		}
		t.request = Request{Method: http.MethodDelete, Path: path}
	case OpDeleteGroup:
		t.request = Request{Method: http.MethodDelete, Path: path}
	case OpSetManager:
		w.prepareManager(t, path)
	case OpCreateGroup:
		body := values(p.Edits)
		body["mailEnabled"], body["securityEnabled"], body["groupTypes"] = false, true, []string{}
		body["mailNickname"] = w.uniqueName(p.Unit)
		t.request = Request{Method: http.MethodPatch, Path: "/groups" + w.byName(p.Unit), Header: map[string]string{"Prefer": "create-if-missing"}, Body: body}
	case OpRemoveMember:
		w.prepareRemoval(t)
	default: // is not one request
	}
	return nil
}

// missing skips a task that would tell Entra of a person who is no more, and takes away what it says; or make an account for
// who has left since.
func (w *worker) missing(ctx context.Context, t *task) (bool, error) {
	if t.step.Person == 0 {
		return false, nil
	}
	person, there, err := w.personNow(ctx, t.step.Person)
	switch {
	case err != nil:
		return false, err
	case !there:
		t.skip, t.step.Edits = reasonErased, nil
	case t.step.Op == OpCreateUser && !person.Wanted:
		t.skip = reasonChanged
	}
	return t.skip != "", nil
}

func (w *worker) prepareManager(t *task, path string) {
	manager := t.step.after(FieldManager)
	if manager == "" && t.step.Manager != 0 {
		if manager = w.remote(KindUser, t.step.Manager); manager == "" {
			t.skip = reasonNotMade
			return
		}
	}
	t.request = Request{Method: http.MethodDelete, Path: path + "/manager/$ref"}
	if manager != "" {
		t.request = Request{Method: http.MethodPut, Path: path + "/manager/$ref", Body: map[string]any{"@odata.id": w.cfg.Graph.ref("users", manager)}}
	}
}

func (w *worker) prepareRemoval(t *task) {
	group, user := w.remote(KindGroup, t.step.Unit), w.remote(KindUser, t.step.Person)
	if group == "" || user == "" {
		t.skip = reasonNotMade
		return
	}
	// Never without /$ref, which would remove the account itself.
	t.request = Request{Method: http.MethodDelete, Path: "/groups/" + url.PathEscape(group) + "/members/" + url.PathEscape(user) + "/$ref"}
}

func (w *worker) uniqueName(unit int64) string {
	return w.cfg.Rules.UniqueName + strconv.FormatInt(unit, 10)
}

func (w *worker) byName(unit int64) string {
	return "(uniqueName='" + strings.ReplaceAll(w.uniqueName(unit), "'", "''") + "')"
}

// ref is how Graph refers to an object.
func (c *Client) ref(set, id string) string {
	return c.cfg.BaseURL + "/" + set + "/" + url.PathEscape(id)
}

// values are what a PATCH says; null clears a field.
func values(edits []Edit) map[string]any {
	out := map[string]any{}
	for _, e := range edits {
		if out[e.Field] = e.After; e.After == "" {
			out[e.Field] = nil
		}
	}
	return out
}

// unchanged returns those edits of a roll-back whose fields are still as the other run left them.
func (w *worker) unchanged(ctx context.Context, p Step, remote string) ([]Edit, error) {
	var now map[string]string
	if p.Op == OpUpdateUser {
		a, _, err := w.cfg.Graph.Account(ctx, remote)
		if err != nil {
			return nil, err
		}
		now = map[string]string{FieldName: string(a.Name), FieldUPN: string(a.UPN), FieldEmployeeID: string(a.EmployeeID), FieldJobTitle: string(a.JobTitle)}
	} else {
		g, _, err := w.cfg.Graph.Group(ctx, "/"+url.PathEscape(remote))
		if err != nil {
			return nil, err
		}
		now = map[string]string{FieldName: string(g.Name), FieldDescription: string(g.Description)}
	}
	var out []Edit
	for _, e := range p.Edits {
		if now[e.Field] == e.Before {
			out = append(out, e)
		}
	}
	return out, nil
}

// wantedAgain says whether whoever was to lose an account is to have one after all, by now. A roll-back is somebody's
// decision.
func (w *worker) wantedAgain(ctx context.Context, p Step) (bool, error) {
	if p.Why == WhyRolledBack {
		return false, nil
	}
	person, _, err := w.personNow(ctx, p.Person)
	return person.Wanted, err
}

// done takes over what follows from a step that was done.
func (w *worker) done(t *task) {
	o := t.object()
	switch t.step.Op {
	case OpEnableUser:
		w.link(o).DisabledAt = time.Time{}
	case OpDeleteUser, OpDeleteGroup:
		w.gone[o] = true
	case OpRestoreUser:
		l := w.link(o)
		l.Remote, l.Rule, l.DisabledAt = t.step.Remote, RuleManual, w.now()
	case OpRemoveMember:
		w.unsee(t.step.Unit, t.step.Person)
	default: // nothing does
	}
}

// createdGroup links a new group, or the one that was there because an answer was lost.
func (w *worker) createdGroup(ctx context.Context, t *task) error {
	if t.err != nil && !isStatus(t.err, http.StatusBadRequest) {
		return nil // it is the step's
	}
	var made struct {
		ID string `json:"id"`
	}
	if t.answer.Status == http.StatusCreated && (json.Unmarshal(t.answer.Body, &made) != nil || made.ID == "") {
		return ErrUnreadable
	}
	if made.ID == "" {
		return w.findGroup(ctx, t) // perhaps refused because it is there
	}
	l := w.link(t.object())
	l.Remote, l.Rule = made.ID, RuleCreated
	return nil
}

// findGroup links the group that has the unit's unique name. If there is none the step has failed.
func (w *worker) findGroup(ctx context.Context, t *task) error {
	g, found, err := w.cfg.Graph.Group(ctx, w.byName(t.step.Unit))
	if err != nil {
		return err
	}
	if !found {
		if t.err == nil {
			t.err = &Error{Status: http.StatusNotFound, Code: CodeNotFound}
		}
		return nil
	}
	l := w.link(t.object())
	l.Remote, l.Rule, t.err = g.ID, RuleCreated, nil
	return nil
}

// unsee takes a person from those who were seen in a group.
func (w *worker) unsee(unit, person int64) {
	l := w.link(object{KindGroup, unit})
	var rest []int64
	for _, id := range l.Seen {
		if id != person {
			rest = append(rest, id)
		}
	}
	l.Seen = rest
}
