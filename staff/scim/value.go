package scim

import (
	"maps"
	"slices"
	"strings"
)

// boolean reads a boolean, also as text: Entra sends "True" and "False".
func boolean(v any) (bool, error) {
	switch v := v.(type) {
	case bool:
		return v, nil
	case string:
		switch strings.ToLower(v) {
		case "true":
			return true, nil
		case "false":
			return false, nil
		}
	}
	return false, ErrValue
}

// normal brings a value of an attribute into the form in which it is kept: booleans from text, a list of one value, a
// plain value of a complex attribute as its part "value", parts by their right names, unknown and readOnly parts left
// out. nil means none. It returns ErrValue.
func (a *attribute) normal(v any) (any, error) {
	if !a.multi {
		return a.normalOne(v)
	}
	list, ok := v.([]any)
	if !ok && v != nil {
		list = []any{v}
	}
	out := []any{}
	for _, item := range list {
		one, err := a.normalOne(item)
		if err != nil {
			return nil, err
		}
		if one != nil {
			out = append(out, one)
		}
	}
	if len(out) == 0 {
		return nil, nil
	}
	return out, nil
}

func (a *attribute) normalOne(v any) (any, error) {
	if v == nil {
		return nil, nil
	}
	switch a.kind {
	case kindBoolean:
		b, err := boolean(v)
		if err != nil {
			return nil, ErrValue.WithMessage(a.name + " must be true or false")
		}
		return b, nil
	case kindComplex:
		return a.normalParts(v)
	}
	text, ok := v.(string)
	if !ok {
		return nil, ErrValue.WithMessage(a.name + " must be text")
	}
	if text == "" {
		return nil, nil
	}
	return text, nil
}

func (a *attribute) normalParts(v any) (any, error) {
	object, ok := v.(map[string]any)
	if !ok {
		if named(a.sub, "value") == nil {
			return nil, ErrValue.WithMessage(a.name + " must be an object")
		}
		object = map[string]any{"value": v}
	}
	out := map[string]any{}
	for _, name := range slices.Sorted(maps.Keys(object)) {
		part := named(a.sub, name)
		if part == nil || part.readOnly {
			continue
		}
		one, err := part.normal(object[name])
		if err != nil {
			return nil, err
		}
		if one != nil {
			out[part.name] = one
		}
	}
	if len(out) == 0 {
		return nil, nil
	}
	return out, nil
}

// given is an attribute that a body or a value without a path sets.
type given struct {
	ref   ref
	value any // normal
}

// read returns what an object says of the attributes that may be written, in the order of names: at its top, in the
// object of an extension, or by dotted names and names with a URN in front. Unknown and readOnly attributes are left out
// (RFC 7644 section 3.3); those that are hidden from the caller are refused with ErrMutability.
func (r resource) read(object map[string]any) ([]given, error) {
	var out []given
	for _, name := range slices.Sorted(maps.Keys(object)) {
		s, rest, ok := r.schemaOf(name)
		if !ok {
			continue
		}
		if rest == "" {
			inner, ok := object[name].(map[string]any)
			if !ok {
				return nil, ErrSyntax
			}
			for _, part := range slices.Sorted(maps.Keys(inner)) {
				more, err := r.readOne(s.urn+":"+part, inner[part])
				if err != nil {
					return nil, err
				}
				out = append(out, more...)
			}
			continue
		}
		more, err := r.readOne(name, object[name])
		if err != nil {
			return nil, err
		}
		out = append(out, more...)
	}
	return out, nil
}

func (r resource) readOne(name string, value any) ([]given, error) {
	if r.hides(name) {
		return nil, errHidden
	}
	at, ok := r.resolve(name)
	if !ok || at.target().readOnly {
		return nil, nil
	}
	v, err := at.target().normal(value)
	if err != nil {
		return nil, err
	}
	return []given{{at, v}}, nil
}

// put sets what a ref means, or takes it away when v is nil.
func put(tree map[string]any, r ref, v any) {
	if r.urn != "" {
		inner, ok := tree[r.urn].(map[string]any)
		if !ok {
			inner = map[string]any{}
			tree[r.urn] = inner
		}
		tree = inner
	}
	if r.sub == nil {
		set(tree, r.attr.name, v)
		return
	}
	if r.attr.multi { // "emails.value": of all that there are, or of a new one
		list, _ := tree[r.attr.name].([]any)
		if len(list) == 0 && v != nil {
			list = []any{map[string]any{}}
			tree[r.attr.name] = list
		}
		for _, item := range list {
			if part, ok := item.(map[string]any); ok {
				set(part, r.sub.name, v)
			}
		}
		return
	}
	part, ok := tree[r.attr.name].(map[string]any)
	if !ok {
		part = map[string]any{}
		tree[r.attr.name] = part
	}
	set(part, r.sub.name, v)
}

func set(tree map[string]any, name string, v any) {
	if v == nil {
		delete(tree, name)
		return
	}
	tree[name] = v
}

// text returns the text at a path such as "name", "givenName" of a tree; "" for none.
func text(tree map[string]any, path ...string) string {
	for _, name := range path[:len(path)-1] {
		tree, _ = tree[name].(map[string]any)
	}
	s, _ := tree[path[len(path)-1]].(string)
	return s
}

// main returns the value of a multi-valued attribute that staff keeps: the primary one, else the one for work, else the
// first.
func main(tree map[string]any, name string) string {
	list, _ := tree[name].([]any)
	best, rank := "", 0
	for _, item := range list {
		part, _ := item.(map[string]any)
		v := text(part, "value")
		n := 1
		if strings.EqualFold(text(part, "type"), "work") {
			n = 2
		}
		if part["primary"] == true {
			n = 3
		}
		if v != "" && n > rank {
			best, rank = v, n
		}
	}
	return best
}
