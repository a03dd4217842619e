package scim

import (
	"context"
	"slices"
	"strings"
)

// scanBatch is how many resources a filter without an index reads at a time.
const scanBatch = 500

// list returns a cut of the resources that the filter selects, and how many there are, in the order of ids.
func (s *Server) list(ctx context.Context, c caller, kind Kind, f *filter, offset, limit int, read func(ids []int64) ([]map[string]any, error)) ([]map[string]any, int64, error) {
	if f == nil {
		total, err := s.cfg.Store.CountVisible(ctx, c.by.Tenant, kind)
		if err != nil || limit == 0 || int64(offset) >= total {
			return nil, total, err
		}
		ids, err := s.cfg.Store.Visible(ctx, c.by.Tenant, kind, 0, offset, limit)
		if err != nil {
			return nil, 0, err
		}
		page, err := read(ids)
		return page, total, err
	}
	var all []map[string]any
	for after, seen := int64(0), 0; ; {
		ids, err := s.cfg.Store.Visible(ctx, c.by.Tenant, kind, after, 0, scanBatch)
		if err != nil {
			return nil, 0, err
		}
		if len(ids) == 0 {
			page, total := cut(nil, all, offset, limit)
			return page, total, nil
		}
		if seen += len(ids); seen > s.cfg.MostScanned {
			return nil, 0, ErrTooMany.WithMessage("the filter would look at too many resources; name an id, userName, externalId, employeeNumber, mail address or member with eq")
		}
		some, err := read(ids)
		if err != nil {
			return nil, 0, err
		}
		for _, tree := range some {
			if f.match(tree) {
				all = append(all, tree)
			}
		}
		after = ids[len(ids)-1]
	}
}

// cut returns part of those of all that the filter, if there is one, selects, and how many it selects.
func cut(f *filter, all []map[string]any, offset, limit int) ([]map[string]any, int64) {
	if f != nil {
		all = slices.DeleteFunc(all, func(tree map[string]any) bool { return !f.match(tree) })
	}
	total := int64(len(all))
	offset = min(offset, len(all))
	return all[offset:min(offset+limit, len(all))], total
}

// projection is which attributes a client wants to see (RFC 7644 section 3.4.2.5).
type projection struct{ only, without []ref }

// projectionOf reads attributes and excludedAttributes, lists of names with commas between. Unknown names select nothing.
func (r resource) projectionOf(only, without string) projection {
	read := func(list string) []ref {
		var out []ref
		for name := range strings.SplitSeq(list, ",") {
			name = strings.TrimSpace(name)
			if at, ok := r.resolve(name); ok {
				out = append(out, at)
			} else if s, rest, ok := r.schemaOf(name); ok && rest == "" && s.urn != r.core.urn {
				for i := range s.attributes {
					out = append(out, ref{urn: s.urn, attr: &s.attributes[i]})
				}
			}
		}
		return out
	}
	p := projection{without: read(without)}
	if strings.TrimSpace(only) != "" {
		p.only = append(read(only), ref{attr: named(common, "id")}, ref{attr: named(common, "schemas")})
	}
	return p
}

// asksFor says whether an attribute of the core schema is to be seen.
func (p projection) asksFor(name string) bool {
	is := func(r ref) bool { return r.urn == "" && r.attr.name == name }
	if p.only != nil {
		return slices.ContainsFunc(p.only, is)
	}
	return !slices.ContainsFunc(p.without, func(r ref) bool { return is(r) && r.sub == nil })
}

// of returns what of a resource is to be seen.
func (p projection) of(tree map[string]any) map[string]any {
	if p.only != nil {
		out := map[string]any{}
		for _, r := range p.only {
			copyTo(out, tree, r)
		}
		return out
	}
	for _, r := range p.without {
		if r.target().always {
			continue
		}
		if list, ok := at(tree, r.urn)[r.attr.name].([]any); ok && r.sub != nil {
			for _, item := range list {
				if part, ok := item.(map[string]any); ok {
					delete(part, r.sub.name)
				}
			}
			continue
		}
		if part, ok := at(tree, r.urn)[r.attr.name].(map[string]any); ok && r.sub != nil {
			delete(part, r.sub.name)
			continue
		}
		if r.sub == nil {
			delete(at(tree, r.urn), r.attr.name)
		}
	}
	return tree
}

func at(tree map[string]any, urn string) map[string]any {
	if urn == "" {
		return tree
	}
	inner, _ := tree[urn].(map[string]any)
	return inner
}

func copyTo(out, tree map[string]any, r ref) {
	have, ok := at(tree, r.urn)[r.attr.name]
	if !ok {
		return
	}
	if r.urn != "" {
		inner, ok := out[r.urn].(map[string]any)
		if !ok {
			inner = map[string]any{}
			out[r.urn] = inner
		}
		out = inner
	}
	if r.sub == nil {
		out[r.attr.name] = have
		return
	}
	pick := func(v, into any) any {
		part, _ := v.(map[string]any)
		picked, ok := into.(map[string]any)
		if !ok {
			picked = map[string]any{}
		}
		if v, ok := part[r.sub.name]; ok {
			picked[r.sub.name] = v
		}
		return picked
	}
	list, ok := have.([]any)
	if !ok {
		out[r.attr.name] = pick(have, out[r.attr.name])
		return
	}
	before, _ := out[r.attr.name].([]any)
	picked := make([]any, len(list))
	for i, v := range list {
		if before != nil {
			picked[i] = before[i]
		}
		picked[i] = pick(v, picked[i])
	}
	out[r.attr.name] = picked
}
