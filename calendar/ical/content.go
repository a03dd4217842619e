package ical

import "strings"

// Bounds on one line: golang-ical copies the rest of the line for every parameter.
const (
	maxParameters = 32
	maxParamItems = 64
)

// property is a content line taken apart. Parameter values keep their RFC 6868 escapes.
type property struct {
	name   string
	params []parameter
	value  string
}

type parameter struct {
	name   string
	values []string
}

// parseLine takes a content line apart leniently. The code is "" or a warning; ok is false when the line is lost.
func parseLine(line string) (p property, code string, ok bool) {
	end := strings.IndexAny(line, ";:")
	if end < 0 {
		return p, WarnBadLine, false
	}
	if p.name, ok = token(line[:end]); !ok {
		return p, WarnBadLine, false
	}
	rest, items := line[end:], 0
	for rest[0] == ';' {
		rest = rest[1:]
		end := strings.IndexAny(rest, "=;:")
		if end < 0 {
			return p, WarnBadLine, false
		}
		name, good := token(rest[:end])
		if rest[end] != '=' { // vCalendar 1.0 writes ;QUOTED-PRINTABLE
			code = WarnBadParameter
			rest = rest[end:]
			continue
		}
		var values []string
		values, rest = parseValues(rest[end+1:])
		if rest == "" {
			return p, WarnBadLine, false
		}
		if items += len(values); len(p.params) == maxParameters || items > maxParamItems {
			return p, WarnTooManyParameters, false
		}
		if !good {
			code = WarnBadParameter
			continue
		}
		p.params = append(p.params, parameter{name, values})
	}
	p.value = rest[1:]
	return p, code, true
}

// token returns an upper-case name, or false.
func token(s string) (string, bool) {
	s = strings.TrimSpace(s)
	for i := range len(s) {
		if !isTokenByte(s[i]) {
			return "", false
		}
	}
	return strings.ToUpper(s), s != ""
}

func isTokenByte(c byte) bool {
	return c == '-' || c >= '0' && c <= '9' || c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z'
}

// parseValues reads a comma list of parameter values; rest starts with ';' or ':', or is empty when the line ends.
func parseValues(s string) (values []string, rest string) {
	for {
		var v string
		quoted := false
		if len(s) > 0 && s[0] == '"' {
			v, rest, quoted = parseQuoted(s)
		}
		if !quoted {
			v, rest = parseUnquoted(s)
		}
		values = append(values, v)
		if rest == "" || rest[0] != ',' || len(values) > maxParamItems {
			return values, rest
		}
		s = rest[1:]
	}
}

// parseQuoted reads a quoted value. Its end is a quote before a delimiter: stray quotes inside belong to the value.
func parseQuoted(s string) (value, rest string, ok bool) {
	for i := 1; i < len(s); i++ {
		if s[i] != '"' {
			continue
		}
		after := strings.TrimLeft(s[i+1:], " ")
		if after != "" && strings.IndexByte(",;:", after[0]) >= 0 {
			return strings.ReplaceAll(s[1:i], `"`, "^'"), after, true
		}
	}
	return "", "", false
}

// parseUnquoted reads a value up to a delimiter. It forgives the two mistakes that are common in the wild: a backslash
// before a delimiter, and a mailto URI without quotes.
func parseUnquoted(s string) (value, rest string) {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '\\' && i+1 < len(s) && strings.IndexByte(`,;:"'\`, s[i+1]) >= 0:
			i++
			if s[i] == '"' {
				b.WriteString("^'")
			} else {
				b.WriteByte(s[i])
			}
		case c == '"':
			b.WriteString("^'")
		case c == ':' && strings.EqualFold(b.String(), "mailto") && strings.IndexByte(s[i+1:], ':') >= 0:
			b.WriteByte(c)
		case c == ',' || c == ';' || c == ':':
			return b.String(), s[i:]
		default:
			b.WriteByte(c)
		}
	}
	return "", ""
}

// canonical writes the line in the form that golang-ical reads without loss: every parameter value quoted, backslashes
// doubled because it takes them for escapes.
func (p property) canonical(b *strings.Builder) {
	b.WriteString(p.name)
	for _, param := range p.params {
		b.WriteByte(';')
		b.WriteString(param.name)
		for i, v := range param.values {
			b.WriteByte("=,"[min(i, 1)])
			b.WriteByte('"')
			b.WriteString(strings.ReplaceAll(v, `\`, `\\`))
			b.WriteByte('"')
		}
	}
	b.WriteByte(':')
	b.WriteString(p.value)
	b.WriteString("\r\n")
}

// decodeParam undoes RFC 6868; an unknown escape stays as it is (RFC 6868 §3.1).
func decodeParam(s string) string {
	if strings.IndexByte(s, '^') < 0 {
		return s
	}
	return strings.NewReplacer("^n", "\n", "^N", "\n", "^^", "^", "^'", `"`).Replace(s)
}

// encodeParam is RFC 6868, after line breaks are unified and other control characters removed.
func encodeParam(s string) string {
	return strings.NewReplacer("^", "^^", "\n", "^n", `"`, "^'").Replace(sanitize(s))
}
