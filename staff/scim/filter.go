package scim

import (
	"encoding/json"
	"strings"
)

// Bounds of a filter.
const (
	mostFilter = 4096 // bytes
	mostDepth  = 32   // of parentheses, not and brackets
	mostTerms  = 100  // comparisons
)

// filter is a node of a parsed filter (RFC 7644 section 3.4.2.2).
type filter struct {
	op          string  // and, or, not, [], pr, eq, ne, co, sw, ew, gt, ge, lt, le
	left, right *filter // and, or; not and [] have left only
	name        string  // of the attribute, for the other operators
	value       any     // string, float64, bool or nil
	ref         ref     // what name means; set by bind
}

var comparisons = map[string]bool{
	"pr": true, "eq": true, "ne": true, "co": true, "sw": true, "ew": true, "gt": true, "ge": true, "lt": true, "le": true,
}

// parseFilter reads a filter. It returns ErrFilter.
func parseFilter(text string) (*filter, error) {
	p := &parser{rest: text}
	f, err := p.whole()
	if err == nil && p.rest != "" {
		err = ErrFilter
	}
	return f, err
}

// parser reads what is left of a filter from its beginning.
type parser struct {
	rest         string
	depth, terms int
}

func (p *parser) whole() (*filter, error) {
	if len(p.rest) > mostFilter {
		return nil, ErrFilter.WithMessage("the filter is too long")
	}
	p.space()
	return p.or()
}

func (p *parser) space() { p.rest = strings.TrimLeft(p.rest, " ") }

// take reads a sign, if it comes next.
func (p *parser) take(sign string) bool {
	rest, ok := strings.CutPrefix(p.rest, sign)
	if ok {
		p.rest = rest
		p.space()
	}
	return ok
}

// word looks at the next word.
func (p *parser) word() string {
	if i := strings.IndexAny(p.rest, ` ()[]"`); i >= 0 {
		return p.rest[:i]
	}
	return p.rest
}

// keyword reads a word without regard to case, if it comes next.
func (p *parser) keyword(word string) bool {
	if next := p.word(); !strings.EqualFold(next, word) {
		return false
	}
	p.rest = p.rest[len(word):]
	p.space()
	return true
}

// or reads terms with "or" between, which binds less than "and".
func (p *parser) or() (*filter, error) { return p.chain("or", p.and) }

func (p *parser) and() (*filter, error) { return p.chain("and", p.term) }

func (p *parser) chain(op string, next func() (*filter, error)) (*filter, error) {
	left, err := next()
	for err == nil && p.keyword(op) {
		var right *filter
		right, err = next()
		left = &filter{op: op, left: left, right: right}
	}
	return left, err
}

func (p *parser) term() (*filter, error) {
	if p.depth++; p.depth > mostDepth {
		return nil, ErrFilter.WithMessage("the filter is too deep")
	}
	defer func() { p.depth-- }()
	if p.take("(") {
		return p.until(")")
	}
	name := p.word()
	if strings.EqualFold(name, "not") {
		p.keyword("not")
		if !p.take("(") {
			return nil, ErrFilter
		}
		inner, err := p.until(")")
		return &filter{op: "not", left: inner}, err
	}
	if !isPath(name) {
		return nil, ErrFilter
	}
	p.rest = p.rest[len(name):]
	if p.take("[") {
		inner, err := p.until("]")
		return &filter{op: "[]", name: name, left: inner}, err
	}
	p.space()
	return p.comparison(name)
}

func (p *parser) until(sign string) (*filter, error) {
	f, err := p.or()
	if err == nil && !p.take(sign) {
		err = ErrFilter
	}
	return f, err
}

func (p *parser) comparison(name string) (*filter, error) {
	op := strings.ToLower(p.word())
	if p.terms++; !comparisons[op] || p.terms > mostTerms {
		return nil, ErrFilter
	}
	p.rest = p.rest[len(op):]
	f := &filter{op: op, name: name}
	if op == "pr" {
		p.space()
		return f, nil
	}
	if !strings.HasPrefix(p.rest, " ") {
		return nil, ErrFilter
	}
	p.space()
	token := p.literal()
	p.rest = p.rest[len(token):]
	p.space()
	if err := json.Unmarshal([]byte(token), &f.value); err != nil {
		return nil, ErrFilter
	}
	switch f.value.(type) {
	case string, float64, bool, nil:
		return f, nil
	}
	return nil, ErrFilter
}

// literal looks at the next JSON string, or at the next word.
func (p *parser) literal() string {
	if !strings.HasPrefix(p.rest, `"`) {
		return p.word()
	}
	for i := 1; i < len(p.rest); i++ {
		switch p.rest[i] {
		case '\\':
			i++
		case '"':
			return p.rest[:i+1]
		}
	}
	return p.rest
}

// isPath says whether a text has the form of an attribute's name, perhaps with a URN in front and a part behind.
func isPath(name string) bool {
	if name == "" || !isLetter(name[0]) {
		return false
	}
	for i := range len(name) {
		if c := name[i]; !isLetter(c) && !('0' <= c && c <= '9') && !strings.ContainsRune("$-_.:", rune(c)) {
			return false
		}
	}
	return true
}

func isLetter(c byte) bool { return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' }
