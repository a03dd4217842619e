package scim

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// bind resolves the names in a filter and checks that operators and values suit them. It returns ErrFilter. A term on a
// multi-valued or complex attribute as a whole means its value (RFC 7644 section 3.4.2.2).
func (f *filter) bind(resolve func(name string) (ref, bool)) error {
	switch f.op {
	case "and", "or":
		if err := f.left.bind(resolve); err != nil {
			return err
		}
		return f.right.bind(resolve)
	case "not":
		return f.left.bind(resolve)
	}
	var ok bool
	if f.ref, ok = resolve(f.name); !ok {
		return ErrFilter
	}
	if f.op == "[]" {
		if f.ref.sub != nil || len(f.ref.attr.sub) == 0 {
			return ErrFilter
		}
		return f.left.bind(within(f.ref.attr))
	}
	if f.op == "pr" {
		return nil
	}
	if f.ref.sub == nil && f.ref.attr.kind == kindComplex {
		if f.ref.sub = named(f.ref.attr.sub, "value"); f.ref.sub == nil {
			return ErrFilter
		}
	}
	return f.suit(f.ref.target())
}

// within resolves the names of the parts of an attribute.
func within(a *attribute) func(name string) (ref, bool) {
	return func(name string) (ref, bool) {
		part := named(a.sub, name)
		return ref{attr: part}, part != nil
	}
}

// suit checks the value and brings it into the form to compare with.
func (f *filter) suit(a *attribute) error {
	if f.value == nil {
		if f.op != "eq" && f.op != "ne" {
			return ErrFilter
		}
		return nil
	}
	switch a.kind {
	case kindBoolean:
		v, err := boolean(f.value)
		if err != nil || f.op != "eq" && f.op != "ne" {
			return ErrFilter
		}
		f.value = v
	case kindDateTime:
		text, _ := f.value.(string)
		t, err := time.Parse(time.RFC3339, text)
		if err != nil || f.op == "co" || f.op == "sw" || f.op == "ew" {
			return ErrFilter
		}
		f.value = t
	default:
		text, ok := f.value.(string)
		if n, isNumber := f.value.(float64); isNumber { // ids and employee numbers without their quotes
			text, ok = strconv.FormatFloat(n, 'f', -1, 64), true
		}
		if !ok {
			return ErrFilter
		}
		f.value = fold(a, text)
	}
	return nil
}

func fold(a *attribute, text string) string {
	if a.exact {
		return text
	}
	return strings.ToLower(text)
}

// match says whether a resource, or a value of a multi-valued attribute, is what the filter selects. The filter is bound.
func (f *filter) match(tree map[string]any) bool {
	switch f.op {
	case "and":
		return f.left.match(tree) && f.right.match(tree)
	case "or":
		return f.left.match(tree) || f.right.match(tree)
	case "not":
		return !f.left.match(tree)
	case "[]":
		for _, v := range values(tree, f.ref) {
			if part, ok := v.(map[string]any); ok && f.left.match(part) {
				return true
			}
		}
		return false
	}
	all := values(tree, f.ref)
	switch {
	case f.op == "pr":
		return len(all) > 0
	case f.value == nil:
		return (len(all) == 0) == (f.op == "eq")
	case f.op == "ne":
		eq := *f
		eq.op = "eq"
		return !eq.match(tree)
	}
	return slices.ContainsFunc(all, f.compare)
}

func (f *filter) compare(have any) bool {
	switch want := f.value.(type) {
	case bool:
		return have == want
	case time.Time:
		text, _ := have.(string)
		t, err := time.Parse(time.RFC3339, text)
		return err == nil && ordered(f.op, t.Compare(want))
	case string:
		text, ok := have.(string)
		if !ok {
			return false
		}
		text = fold(f.ref.target(), text)
		switch f.op {
		case "co":
			return strings.Contains(text, want)
		case "sw":
			return strings.HasPrefix(text, want)
		case "ew":
			return strings.HasSuffix(text, want)
		}
		return ordered(f.op, cmp.Compare(text, want))
	}
	return false
}

func ordered(op string, c int) bool {
	switch op {
	case "eq":
		return c == 0
	case "gt":
		return c > 0
	case "ge":
		return c >= 0
	case "lt":
		return c < 0
	}
	return c <= 0
}

// values are what a resource has at a ref, each value of a list by itself.
func values(tree map[string]any, r ref) []any {
	if r.urn != "" {
		tree, _ = tree[r.urn].(map[string]any)
	}
	v, ok := tree[r.attr.name]
	if !ok {
		return nil
	}
	list, ok := v.([]any)
	if !ok {
		list = []any{v}
	}
	if r.sub == nil {
		return list
	}
	var out []any
	for _, item := range list {
		part, _ := item.(map[string]any)
		if v, ok := part[r.sub.name]; ok {
			out = append(out, v)
		}
	}
	return out
}

// only returns the value to which a filter pins an attribute, wherever else it narrows: "a eq x", perhaps with "and".
func (f *filter) only(name string) (string, bool) {
	switch f.op {
	case "and":
		if v, ok := f.left.only(name); ok {
			return v, true
		}
		return f.right.only(name)
	case "[]":
		if f.ref.attr.name == name {
			return f.left.only("value")
		}
	case "eq":
		v, ok := f.value.(string)
		return v, ok && f.ref.attr.name == name && (f.ref.sub == nil || f.ref.sub.name == "value")
	}
	return "", false
}

// needs says whether a filter looks at an attribute.
func (f *filter) needs(name string) bool {
	if f == nil {
		return false
	}
	return f.ref.attr != nil && f.ref.attr.name == name || f.left.needs(name) || f.right.needs(name)
}
