package ical

import (
	"bytes"
	"slices"
	"strings"
	"unicode/utf8"

	ics "github.com/arran4/golang-ical"
)

// maxOctets is the length of a content line without its line break, RFC 5545 §3.1.
const maxOctets = 75

// encode serialises a component tree. golang-ical's own serialiser is not used: it writes LF, puts backslashes into
// parameters and lets a line break in a parameter start a new content line.
func encode(cal *ics.Calendar) []byte {
	var b bytes.Buffer
	writeLine(&b, "BEGIN:VCALENDAR")
	for i := range cal.CalendarProperties {
		encodeProperty(&b, &cal.CalendarProperties[i].BaseProperty)
	}
	for _, c := range cal.Components {
		encodeComponent(&b, c)
	}
	writeLine(&b, "END:VCALENDAR")
	return b.Bytes()
}

func encodeComponent(b *bytes.Buffer, c ics.Component) {
	var kind ics.ComponentType
	switch c.(type) {
	case *ics.VEvent:
		kind = ics.ComponentVEvent
	case *ics.VTimezone:
		kind = ics.ComponentVTimezone
	case *ics.Standard:
		kind = ics.ComponentStandard
	case *ics.Daylight:
		kind = ics.ComponentDaylight
	}
	writeLine(b, "BEGIN:"+string(kind))
	properties := c.UnknownPropertiesIANAProperties()
	for i := range properties {
		encodeProperty(b, &properties[i].BaseProperty)
	}
	for _, sub := range c.SubComponents() {
		encodeComponent(b, sub)
	}
	writeLine(b, "END:"+string(kind))
}

func encodeProperty(b *bytes.Buffer, p *ics.BaseProperty) {
	var line strings.Builder
	line.WriteString(p.IANAToken)
	names := make([]string, 0, len(p.ICalParameters))
	for name := range p.ICalParameters {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		line.WriteString(";" + name)
		for i, v := range p.ICalParameters[name] {
			line.WriteByte("=,"[min(i, 1)])
			if v = encodeParam(v); mustQuote(name, v) {
				v = `"` + v + `"`
			}
			line.WriteString(v)
		}
	}
	line.WriteByte(':')
	if value := sanitize(p.Value); p.GetValueType() == ics.ValueDataTypeText {
		line.WriteString(ics.ToText(value))
	} else {
		line.WriteString(strings.ReplaceAll(value, "\n", ""))
	}
	writeLine(b, line.String())
}

// mustQuote says whether a parameter value goes between quotes. Tokens such as PARTSTAT=ACCEPTED stay bare, because some
// clients do not know them otherwise; names and addresses are always quoted.
func mustQuote(name, value string) bool {
	switch name {
	case "CN", "SENT-BY", "DELEGATED-TO", "DELEGATED-FROM", "MEMBER", "DIR", "ALTREP":
		return true
	}
	for i := range len(value) {
		if c := value[i]; !isTokenByte(c) && c != '/' && c != '_' && c != '+' && c != '.' {
			return true
		}
	}
	return value == ""
}

// writeLine folds at 75 octets, between characters, and ends with CRLF.
func writeLine(b *bytes.Buffer, line string) {
	for room := maxOctets; len(line) > room; room = maxOctets - 1 {
		cut := room
		for !utf8.RuneStart(line[cut]) {
			cut--
		}
		b.WriteString(line[:cut])
		b.WriteString("\r\n ")
		line = line[cut:]
	}
	b.WriteString(line)
	b.WriteString("\r\n")
}

// sanitize unifies everything that any reader may take for a line break (CR, LF, VT, FF, NEL, LS, PS) to a line feed,
// turns tabs into spaces, removes other control characters and replaces what is no UTF-8.
func sanitize(s string) string {
	plain := true
	for i := 0; i < len(s) && plain; i++ {
		plain = s[i] >= ' ' && s[i] < 0x7f
	}
	if plain {
		return s
	}
	s = strings.ReplaceAll(s, "\r\n", "\n")
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n', r == '\r', r == '\v', r == '\f', r == '\u0085', r == '\u2028', r == '\u2029':
			return '\n'
		case r == '\t':
			return ' '
		case r < ' ', r >= 0x7f && r <= 0x9f:
			return -1
		}
		return r // strings.Map gives U+FFFD for bytes that are no UTF-8
	}, s)
}
