package ical

import (
	"slices"
	"strings"
)

// source is the canonical text of one VCALENDAR, which golang-ical reads, beside its raw lines.
type source struct {
	head  strings.Builder // the calendar's own properties: golang-ical refuses them behind a component
	body  strings.Builder // the components, BEGIN and END balanced
	raw   strings.Builder
	kinds []string
}

// scanner turns content lines into sources.
type scanner struct {
	warn       *warnings
	sources    []*source
	stack      []string // the open components; stack[0] is VCALENDAR
	skipped    int      // depth of the component that is being left out
	components int
}

// scan sorts lines into VCALENDARs. It returns ErrTooComplex for too many components.
func scan(lines []contentLine, warn *warnings) ([]*source, error) {
	s := scanner{warn: warn}
	for _, line := range lines {
		p, code, ok := parseLine(line.text)
		if code != "" {
			warn.add(line.no, code)
		}
		if !ok {
			continue
		}
		switch p.name {
		case "BEGIN":
			s.begin(line, p.value)
		case "END":
			s.end(line, p.value)
		default:
			s.property(line, p)
		}
		if s.components > MaxComponents {
			return nil, ErrTooComplex
		}
	}
	if len(s.stack) > 1 {
		warn.add(lines[len(lines)-1].no, WarnUnbalanced)
	}
	s.closeTo(0)
	return s.sources, nil
}

func (s *scanner) current() *source { return s.sources[len(s.sources)-1] }

// open starts a VCALENDAR.
func (s *scanner) open() {
	s.closeTo(0)
	s.skipped = 0
	s.sources = append(s.sources, &source{})
	s.stack = append(s.stack, "VCALENDAR")
	s.current().raw.WriteString("BEGIN:VCALENDAR\r\n")
}

// closeTo closes components until depth many are open.
func (s *scanner) closeTo(depth int) {
	for len(s.stack) > depth {
		name := s.stack[len(s.stack)-1]
		s.stack = s.stack[:len(s.stack)-1]
		c := s.current()
		c.raw.WriteString("END:" + name + "\r\n")
		if len(s.stack) > 0 {
			c.body.WriteString("END:" + name + "\r\n")
		}
	}
}

func (s *scanner) begin(line contentLine, value string) {
	name, ok := token(value)
	if !ok {
		s.warn.add(line.no, WarnBadLine)
		return
	}
	s.components++
	if name == "VCALENDAR" {
		if len(s.stack) > 0 && s.stack[0] == name && len(s.current().kinds) == 0 && s.current().head.Len() == 0 {
			s.warn.add(line.no, WarnUnbalanced)
			return // the same BEGIN twice
		}
		if len(s.stack) > 1 || s.skipped > 0 {
			s.warn.add(line.no, WarnUnbalanced)
		}
		s.open()
		return
	}
	if s.skipped > 0 {
		s.skipped++
		return
	}
	if len(s.stack) == 0 {
		if !isCalendarComponent(name) {
			s.warn.add(line.no, WarnBadLine)
			s.skipped = 1
			return
		}
		s.warn.add(line.no, WarnBareComponent)
		s.open()
	}
	if len(s.stack) == MaxDepth {
		s.warn.add(line.no, WarnTooDeep)
		s.skipped = 1
		return
	}
	c := s.current()
	if len(s.stack) == 1 {
		c.kinds = append(c.kinds, name)
	}
	s.stack = append(s.stack, name)
	c.raw.WriteString("BEGIN:" + name + "\r\n")
	c.body.WriteString("BEGIN:" + name + "\r\n")
}

func (s *scanner) end(line contentLine, value string) {
	name, ok := token(value)
	if s.skipped > 0 && name != "VCALENDAR" {
		s.skipped--
		return
	}
	at := -1
	if ok {
		at = lastIndex(s.stack, name)
	}
	if at < 0 || at != len(s.stack)-1 {
		s.warn.add(line.no, WarnUnbalanced)
	}
	if at >= 0 {
		s.skipped = 0
		s.closeTo(at)
	}
}

func (s *scanner) property(line contentLine, p property) {
	if s.skipped > 0 {
		return
	}
	if len(s.stack) == 0 {
		s.warn.add(line.no, WarnBadLine)
		return
	}
	c := s.current()
	c.raw.WriteString(line.text)
	c.raw.WriteString("\r\n")
	if len(s.stack) == 1 {
		p.canonical(&c.head)
	} else {
		p.canonical(&c.body)
	}
}

func lastIndex(stack []string, name string) int {
	for i, s := range slices.Backward(stack) {
		if s == name {
			return i
		}
	}
	return -1
}

func isCalendarComponent(name string) bool {
	switch name {
	case "VEVENT", "VTODO", "VJOURNAL", "VFREEBUSY", "VTIMEZONE", "VALARM", "VAVAILABILITY":
		return true
	}
	return false
}
