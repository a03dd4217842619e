package rsvp

import "strings"

// authResult is one result of an Authentication-Results field. Names and the result are in lower case.
type authResult struct {
	method string            // "dkim", "dmarc", …
	result string            // "pass", …
	props  map[string]string // "header.d": the first of each name
}

// readAuthResults reads the value of an Authentication-Results field (RFC 8601 §2.2). Comments and quoted strings, which
// may hold what a stranger wrote, never count as results. ok is false when one of them does not end.
func readAuthResults(value string) (authservID string, results []authResult, ok bool) {
	s := authScanner{rest: value}
	authservID = s.word(";")
	for s.word(";") != "" { // the version
	}
	for s.take(';') {
		var r authResult
		for name := s.word("=;"); name != ""; name = s.word("=;") {
			if !s.take('=') {
				continue // "none", or nothing that is known
			}
			name, text := strings.ToLower(name), s.word(";")
			if r.method == "" {
				r.method, _, _ = strings.Cut(name, "/") // with its version
				r.result, r.props = strings.ToLower(text), map[string]string{}
			} else if _, known := r.props[name]; !known {
				r.props[name] = text
			}
		}
		if r.method != "" {
			results = append(results, r)
		}
	}
	return authservID, results, !s.broken && s.rest == ""
}

// authScanner reads the words of a header field with comments in it.
type authScanner struct {
	rest   string
	broken bool // a comment or a quoted string does not end
}

// skip passes over white space and comments, which nest (RFC 5322 §3.2.2).
func (s *authScanner) skip() {
	depth := 0
	for i := 0; i < len(s.rest); i++ {
		switch c := s.rest[i]; {
		case c == '(':
			depth++
		case c == ')' && depth > 0:
			depth--
		case c == '\\' && depth > 0:
			i++
		case depth == 0 && c != ' ' && c != '\t':
			s.rest = s.rest[i:]
			return
		}
	}
	s.rest, s.broken = "", s.broken || depth > 0
}

// take passes over c if it comes next.
func (s *authScanner) take(c byte) bool {
	s.skip()
	if s.rest == "" || s.rest[0] != c {
		return false
	}
	s.rest = s.rest[1:]
	return true
}

// word returns what goes up to white space, a comment or a byte of stop, without the quotes of what is quoted in it.
func (s *authScanner) word(stop string) string {
	s.skip()
	var word strings.Builder
	quoted := false
	for i := 0; i < len(s.rest); i++ {
		switch c := s.rest[i]; {
		case c == '"':
			quoted = !quoted
		case quoted && c == '\\' && i+1 < len(s.rest):
			i++
			word.WriteByte(s.rest[i])
		case !quoted && (c == ' ' || c == '\t' || c == '(' || strings.IndexByte(stop, c) >= 0):
			s.rest = s.rest[i:]
			return word.String()
		default:
			word.WriteByte(c)
		}
	}
	s.rest, s.broken = "", s.broken || quoted
	return word.String()
}
