package graphtest

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// deltaItem is what a delta tells of an object; members of large groups come in several.
type deltaItem map[string]any

// delta tells what changed. A token holds the epoch in which it was given, from where, up to where and what was told:
// "epoch.from.upto.offset".
func (s *Server) delta(q request, t *table) answer {
	for _, name := range []string{"$top", "$orderby", "$expand"} {
		if q.query.Has(name) {
			return badRequest("The parameter " + name + " is not supported by delta.")
		}
	}
	epoch, from, upto, offset := s.epoch, 0, s.visible(), 0
	sel := q.query.Get("$select")
	if token := q.query.Get("$deltatoken"); token == "latest" {
		return answer{status: http.StatusOK, body: map[string]any{"value": []deltaItem{}, "@odata.deltaLink": s.deltaLink(q, upto, sel)}}
	} else if token != "" {
		if n, err := fmt.Sscanf(token, "%d.%d~%s", &epoch, &from, &sel); n < 2 || (err != nil && n != 2) {
			return refuse(http.StatusBadRequest, "syncStateInvalid", "Badly formed token.")
		}
		sel = strings.ReplaceAll(sel, "!", ",")
	}
	if token := q.query.Get("$skiptoken"); token != "" {
		if n, err := fmt.Sscanf(token, "%d.%d.%d.%d~%s", &epoch, &from, &upto, &offset, &sel); n < 4 || (err != nil && n != 4) {
			return refuse(http.StatusBadRequest, "syncStateInvalid", "Badly formed token.")
		}
		sel = strings.ReplaceAll(sel, "!", ",")
	}
	if epoch < s.epoch {
		a := refuse(http.StatusGone, "resyncRequired", "Resync required.")
		a.header = map[string]string{"Location": s.BaseURL() + "/" + q.path[0] + "/delta?$deltatoken="}
		return a
	}
	if from > upto { // what a lagging replica has not heard of
		upto = from
	}
	items := s.items(q.path[0], t, from, upto, sel)
	start := min(offset, len(items))
	end := min(start+s.cfg.PageSize, len(items))
	if s.cfg.Replay && start > 0 {
		start--
	}
	body := map[string]any{"@odata.context": s.BaseURL() + "/$metadata#" + q.path[0], "value": items[start:end]}
	if end < len(items) {
		token := fmt.Sprintf("%d.%d.%d.%d~%s", epoch, from, upto, end, strings.ReplaceAll(sel, ",", "!"))
		body["@odata.nextLink"] = s.BaseURL() + "/" + q.path[0] + "/delta?$skiptoken=" + url.QueryEscape(token)
	} else {
		next := upto
		if s.cfg.Replay {
			next = max(upto-1, 0)
		}
		body["@odata.deltaLink"] = s.deltaLink(q, next, sel)
	}
	return answer{status: http.StatusOK, body: body}
}

func (s *Server) deltaLink(q request, seq int, sel string) string {
	return s.BaseURL() + "/" + q.path[0] + "/delta?$deltatoken=" + url.QueryEscape(fmt.Sprintf("%d.%d~%s", s.epoch, seq, strings.ReplaceAll(sel, ",", "!")))
}

// items is all that a delta has to tell, kept for its next pages.
func (s *Server) items(kind string, t *table, from, upto int, sel string) []deltaItem {
	key := fmt.Sprintf("%s %d %d %s", kind, from, upto, sel)
	if items, ok := s.deltas[key]; ok {
		return items
	}
	clear(s.deltas)
	items := []deltaItem{}
	for _, id := range t.ids {
		h := t.history[id]
		if h[len(h)-1].seq <= from && from > 0 {
			continue
		}
		now, ok := t.at(id, upto)
		if !ok || (now.seq <= from && from > 0) {
			continue
		}
		before, _ := t.at(id, from)
		if from == 0 {
			before = version{}
		}
		items = append(items, s.told(id, before, now, sel, from == 0)...)
	}
	s.deltas[key] = items
	return items
}

func (s *Server) told(id string, before, now version, sel string, first bool) []deltaItem {
	if now.deleted {
		if first {
			return nil
		}
		return []deltaItem{{"id": id, "@removed": map[string]any{"reason": "changed"}}}
	}
	names := []string{"displayName"}
	if sel != "" {
		names = strings.Split(sel, ",")
	}
	item := deltaItem{"id": id}
	for _, name := range names {
		if value, ok := now.props[name]; ok {
			item[name] = value
		} else if _, was := before.props[name]; was {
			item[name] = nil
		}
	}
	if slices.Contains(names, "manager") && now.manager != before.manager {
		ref := map[string]any{"@odata.type": "#microsoft.graph.user", "id": now.manager}
		if now.manager == "" {
			ref["id"], ref["@removed"] = before.manager, map[string]any{"reason": "deleted"}
		}
		item["manager@delta"] = []any{ref}
	}
	items := []deltaItem{item}
	if !slices.Contains(names, "members") {
		return items
	}
	// Who is soft-deleted stays a member without a word.
	var refs []any
	for _, m := range differing(before.members, now.members) {
		ref := map[string]any{"@odata.type": "#microsoft.graph.user", "id": m}
		if !now.members[m] {
			ref["@removed"] = map[string]any{"reason": "deleted"}
		}
		refs = append(refs, ref)
	}
	for i := 0; i < len(refs); i += s.cfg.PageSize {
		if i > 0 {
			items = append(items, deltaItem{"id": id})
		}
		items[len(items)-1]["members@delta"] = refs[i:min(i+s.cfg.PageSize, len(refs))]
	}
	return items
}

// differing returns who is in one of the sets only, sorted.
func differing(a, b map[string]bool) []string {
	var out []string
	for m := range a {
		if !b[m] {
			out = append(out, m)
		}
	}
	for m := range b {
		if !a[m] {
			out = append(out, m)
		}
	}
	slices.Sort(out)
	return out
}
