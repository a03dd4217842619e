package graphsync

import (
	"context"
	"net/http"
	"net/url"

	"github.com/renkei-go/renkei/foundation/fault"
	"github.com/renkei-go/renkei/staff"
)

// addMembers puts people into groups, MaxBind with one request. When that is refused, each is tried alone.
func (w *worker) addMembers(ctx context.Context, tasks []*task) error {
	var binds []*task
	parts := map[*task][]*task{}
	open := map[int64]*task{} // the last bind of a unit
	for _, t := range tasks {
		group, user := w.remote(KindGroup, t.step.Unit), w.remote(KindUser, t.step.Person)
		if group == "" || user == "" {
			t.skip = reasonNotMade
			continue
		}
		t.request = Request{
			Method: http.MethodPost, Path: "/groups/" + url.PathEscape(group) + "/members/$ref", Body: map[string]any{"@odata.id": w.cfg.Graph.ref("directoryObjects", user)},
		}
		b := open[t.step.Unit]
		if b == nil || len(parts[b]) == MaxBind {
			b = &task{request: Request{Method: http.MethodPatch, Path: "/groups/" + url.PathEscape(group)}}
			open[t.step.Unit], binds = b, append(binds, b)
		}
		parts[b] = append(parts[b], t)
	}
	for _, b := range binds {
		var refs []string
		for _, t := range parts[b] {
			refs = append(refs, w.cfg.Graph.ref("directoryObjects", w.remote(KindUser, t.step.Person)))
		}
		b.request.Body = map[string]any{"members@odata.bind": refs}
	}
	if err := w.call(ctx, binds); err != nil {
		return err
	}
	var alone []*task
	for _, b := range binds {
		if b.err != nil {
			alone = append(alone, parts[b]...)
		}
	}
	if err := w.call(ctx, alone); err != nil {
		return err
	}
	for _, t := range alone {
		if isStatus(t.err, http.StatusBadRequest) { // perhaps it was done before
			in, err := w.cfg.Graph.IsMember(ctx, w.remote(KindUser, t.step.Person), w.remote(KindGroup, t.step.Unit))
			if err != nil {
				return err
			}
			if in {
				t.err = nil
			}
		}
	}
	for _, t := range tasks {
		w.settle(t)
	}
	return nil
}

// inStaff does a step that only changes something here, with what becomes of it in one transaction.
func (w *worker) inStaff(ctx context.Context, p *Step) error {
	t := &task{step: p}
	if err := w.look(ctx, t); err != nil {
		return err
	}
	if t.skip != "" {
		w.settle(t)
		return w.save(ctx, []Step{*p})
	}
	err := w.keep(ctx, func(ctx context.Context) error {
		if err := w.local(ctx, t); err != nil {
			return err
		}
		w.settle(t)
		return w.write(ctx, []Step{*p})
	})
	if code := fault.CodeOf(err); err == nil || code == fault.Internal || code == fault.Unavailable {
		return err
	}
	t.err = err
	w.changed, w.gone = map[object]bool{}, map[object]bool{}
	w.settle(t)
	return w.save(ctx, []Step{*p})
}

// look asks Graph whether a person really is in a group, or out of it: deltas lag, and staff is not changed by mistake.
func (w *worker) look(ctx context.Context, t *task) error {
	p := t.step
	if (p.Op != OpAssign && p.Op != OpUnassign) || p.Why == WhyRolledBack {
		return nil
	}
	user, group := w.remote(KindUser, p.Person), w.remote(KindGroup, p.Unit)
	if user == "" || group == "" {
		t.skip = reasonNotMade
		return nil
	}
	in, err := w.cfg.Graph.IsMember(ctx, user, group)
	if err == nil && in != (p.Op == OpAssign) {
		t.skip = reasonChanged
	}
	return err
}

func (w *worker) local(ctx context.Context, t *task) error {
	p, o := t.step, t.object()
	switch p.Op {
	case OpLinkUser, OpLinkGroup:
		l := w.link(o)
		l.Remote, l.Rule, l.Pending = p.Remote, RuleEmployeeID, ""
		if p.Op == OpLinkGroup {
			l.Rule = RuleUniqueName
		}
		if p.Why == WhyRolledBack {
			l.Rule = RuleManual
		}
	case OpUnlinkUser:
		w.gone[o] = true
	case OpChangeUnit:
		return w.changeUnit(ctx, *p)
	case OpAssign:
		_, err := w.cfg.Staff.Assign(ctx, w.by, p.Person, staff.NewAssignment{UnitID: p.Unit})
		return err
	case OpUnassign:
		w.unsee(p.Unit, p.Person)
		return w.unassign(ctx, t)
	default: // not here
	}
	return nil
}

// changeUnit takes over what Entra owns of a unit.
func (w *worker) changeUnit(ctx context.Context, p Step) error {
	var e staff.UnitEdit
	for _, edit := range p.Edits {
		after := edit.After
		switch edit.Field {
		case FieldName:
			e.Name = &after
		case FieldDescription:
			e.Description = &after
		}
	}
	_, err := w.cfg.Staff.ChangeUnit(ctx, w.by, p.Unit, staff.AnyVersion, e)
	return err
}

// unassign ends a person's assignments to a unit.
func (w *worker) unassign(ctx context.Context, t *task) error {
	v, err := w.cfg.Staff.Get(ctx, w.by, t.step.Person)
	if err != nil {
		return err
	}
	today := w.cfg.Staff.Today()
	for _, a := range v.Person.Units {
		if a.UnitID == t.step.Unit && a.Current(today) {
			if err := w.cfg.Staff.Unassign(ctx, w.by, t.step.Person, a.ID, ""); err != nil {
				return err
			}
		}
	}
	return nil
}
