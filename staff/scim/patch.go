package scim

import (
	"errors"
	"maps"
	"reflect"
	"slices"
	"strings"
)

// mostOperations is how many operations a PATCH may have.
const mostOperations = 1000

// Operation is one of a PATCH (RFC 7644 section 3.5.2).
type operation struct {
	Op    string `json:"op"`
	Path  string `json:"path"`
	Value any    `json:"value"`
}

// path is where an operation applies.
type path struct {
	ref   ref
	where *filter // which values of a multi-valued attribute; nil: all
	whole *schema // the path is the URN of a schema
}

// parsePath reads a path: a name, or "emails[type eq \"work\"].value". It returns ErrPath, or ErrFilter for what is wrong
// between the brackets.
func (r resource) parsePath(text string) (path, error) {
	name, rest, filtered := strings.Cut(strings.TrimSpace(text), "[")
	if s, after, ok := r.schemaOf(name); ok && after == "" && !filtered {
		return path{whole: s}, nil
	}
	if r.hides(name) {
		return path{}, errHidden
	}
	at, ok := r.resolve(name)
	if !ok || !isPath(name) {
		return path{}, ErrPath
	}
	if !filtered {
		return path{ref: at}, nil
	}
	end := strings.LastIndexByte(rest, ']')
	if end < 0 || at.sub != nil || !at.attr.multi {
		return path{}, ErrPath
	}
	where, err := parseFilter(rest[:end])
	if err == nil {
		err = where.bind(within(at.attr))
	}
	if err != nil {
		return path{}, err
	}
	if part := rest[end+1:]; part != "" {
		sub, dotted := strings.CutPrefix(part, ".")
		if at.sub = named(at.attr.sub, sub); !dotted || at.sub == nil {
			return path{}, ErrPath
		}
	}
	return path{ref: at, where: where}, nil
}

// apply changes a resource in its form as a tree. It returns ErrSyntax, ErrPath, ErrFilter, ErrNoTarget, ErrMutability or
// ErrValue. What is not known is left alone when it comes in a value, as Entra's clients need it, and is ErrPath as a path.
func (r resource) apply(tree map[string]any, op operation) error {
	kind := strings.ToLower(op.Op)
	if kind != "add" && kind != "replace" && kind != "remove" {
		return ErrSyntax.WithMessage("op must be add, replace or remove")
	}
	if op.Path == "" {
		if kind == "remove" {
			return ErrNoTarget
		}
		return r.applyObject(tree, kind, op.Value)
	}
	p, err := r.parsePath(op.Path)
	if err != nil {
		return err
	}
	if p.whole != nil {
		if kind == "remove" {
			return ErrNoTarget
		}
		return r.applyObject(tree, kind, map[string]any{p.whole.urn: op.Value})
	}
	if p.ref.attr.readOnly || p.ref.target().readOnly {
		return ErrMutability
	}
	if kind == "remove" {
		return remove(tree, p, op.Value)
	}
	v, err := p.ref.target().normal(op.Value)
	if err != nil {
		return err
	}
	if p.where != nil {
		return setWhere(tree, p, kind, v)
	}
	merge(tree, kind, given{p.ref, v})
	return nil
}

func (r resource) applyObject(tree map[string]any, kind string, value any) error {
	object, ok := value.(map[string]any)
	if !ok {
		return ErrValue.WithMessage("without a path the value must be an object")
	}
	for _, name := range slices.Sorted(maps.Keys(object)) {
		if !strings.Contains(name, "[") {
			continue
		}
		// Entra names values by a filter here too: "emails[type eq \"work\"].value".
		if err := r.apply(tree, operation{Op: kind, Path: name, Value: object[name]}); err != nil && !errors.Is(err, ErrPath) {
			return err
		}
	}
	all, err := r.read(object)
	for _, g := range all {
		merge(tree, kind, g)
	}
	return err
}

// merge adds or replaces an attribute. Adding joins lists and the parts of complex attributes; replacing joins the parts
// too, because they are attributes of their own (RFC 7644 section 3.5.2.3).
func merge(tree map[string]any, kind string, g given) {
	if parts, ok := g.value.(map[string]any); ok && g.ref.sub == nil && !g.ref.attr.multi {
		for name, v := range parts {
			put(tree, ref{g.ref.urn, g.ref.attr, named(g.ref.attr.sub, name)}, v)
		}
		return
	}
	list, ok := g.value.([]any)
	if !ok || kind == "replace" {
		put(tree, g.ref, g.value)
		return
	}
	have := values(tree, ref{g.ref.urn, g.ref.attr, nil})
	for _, v := range list {
		have = join(have, v)
	}
	put(tree, g.ref, have)
}

// join adds a value to a list unless it is there. A new primary one takes the place of the old one.
func join(list []any, v any) []any {
	for _, old := range list {
		if reflect.DeepEqual(old, v) {
			return list
		}
	}
	if part, ok := v.(map[string]any); ok && part["primary"] == true {
		demote(list)
	}
	return append(list, v)
}

func demote(list []any) {
	for _, old := range list {
		if part, ok := old.(map[string]any); ok {
			delete(part, "primary")
		}
	}
}

// setWhere changes the values that a filter selects. Where there are none, one that the filter would select is made if
// the filter says how it looks: Entra replaces "emails[type eq \"work\"].value" of who has no mail address.
func setWhere(tree map[string]any, p path, kind string, v any) error {
	all := ref{p.ref.urn, p.ref.attr, nil}
	list := values(tree, all)
	hit := false
	for i, item := range list {
		part, ok := item.(map[string]any)
		if !ok || !p.where.match(part) {
			continue
		}
		hit = true
		if p.ref.sub != nil {
			if p.ref.sub.name == "primary" && v == true {
				demote(list)
			}
			set(part, p.ref.sub.name, v)
			continue
		}
		whole, err := oneOf(v)
		if err != nil {
			return err
		}
		if kind == "replace" {
			part = map[string]any{}
			list[i] = part
		}
		maps.Copy(part, whole)
	}
	if hit {
		put(tree, all, list)
		return nil
	}
	part := map[string]any{}
	if !p.where.describe(part) {
		return ErrNoTarget
	}
	if p.ref.sub != nil {
		set(part, p.ref.sub.name, v)
	} else {
		whole, err := oneOf(v)
		if err != nil {
			return err
		}
		maps.Copy(part, whole)
	}
	put(tree, all, join(list, part))
	return nil
}

// oneOf is the one value that is to take the place of each that a filter selects.
func oneOf(v any) (map[string]any, error) {
	list, _ := v.([]any)
	if len(list) != 1 {
		return nil, ErrValue.WithMessage("one value is needed")
	}
	part, ok := list[0].(map[string]any)
	if !ok {
		return nil, ErrValue
	}
	return part, nil
}

// describe fills in what a filter of "eq" and "and" says of a value, and says whether it is one.
func (f *filter) describe(part map[string]any) bool {
	switch f.op {
	case "and":
		return f.left.describe(part) && f.right.describe(part)
	case "eq":
		if f.value == nil || f.ref.attr.kind == kindDateTime {
			return false
		}
		part[f.ref.attr.name] = f.value
		return true
	}
	return false
}

// remove takes away an attribute, the values of it that a filter selects, or, as Entra asks for it, those that are given.
func remove(tree map[string]any, p path, value any) error {
	all := ref{p.ref.urn, p.ref.attr, nil}
	gone := func(part map[string]any) bool { return p.where.match(part) }
	if p.where == nil {
		given, err := p.ref.attr.normal(value)
		if err != nil {
			return err
		}
		some, ok := given.([]any)
		if !ok || p.ref.sub != nil {
			put(tree, p.ref, nil)
			return nil
		}
		gone = func(part map[string]any) bool {
			for _, g := range some {
				if named, ok := g.(map[string]any); ok && text(named, "value") == text(part, "value") {
					return true
				}
			}
			return false
		}
	}
	var kept []any
	for _, item := range values(tree, all) {
		part, ok := item.(map[string]any)
		if !ok || !gone(part) {
			kept = append(kept, item)
			continue
		}
		if p.ref.sub != nil {
			delete(part, p.ref.sub.name)
			kept = append(kept, part)
		}
	}
	if kept == nil {
		put(tree, all, nil)
		return nil
	}
	put(tree, all, kept)
	return nil
}
