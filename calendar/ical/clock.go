package ical

import (
	"strings"
	"time"

	ics "github.com/arran4/golang-ical"
)

// parseClock reads a DATE or DATE-TIME (RFC 5545 §3.3.4, §3.3.5); the reading is returned as if it were UTC. Dashes and
// colons, which RFC 3339 has and iCalendar has not, are forgiven.
func parseClock(s string) (at time.Time, utc, ok bool) {
	s = strings.TrimSpace(s)
	if strings.ContainsAny(s, "-:") {
		s = strings.NewReplacer("-", "", ":", "").Replace(s)
	}
	s, utc = strings.CutSuffix(strings.ToUpper(s), "Z")
	var date, clock int
	switch {
	case len(s) == 8:
		date, ok = digits(s)
	case len(s) == 15 && s[8] == 'T':
		if date, ok = digits(s[:8]); ok {
			clock, ok = digits(s[9:])
		}
	case len(s) == 13 && s[8] == 'T': // no seconds
		if date, ok = digits(s[:8]); ok {
			clock, ok = digits(s[9:])
			clock *= 100
		}
	}
	year, month, day := date/10000, date/100%100, date%100
	hour, minute, second := clock/10000, clock/100%100, clock%100
	if !ok || year == 0 || hour > 24 || minute > 59 || second > 60 || hour == 24 && minute+second > 0 {
		return time.Time{}, false, false
	}
	if second == 60 { // a leap second; time.Time has none
		second = 59
	}
	at = time.Date(year, time.Month(month), day, 0, 0, 0, 0, time.UTC)
	if at.Month() != time.Month(month) || at.Day() != day {
		return time.Time{}, false, false
	}
	return at.Add(time.Duration(hour*3600+minute*60+second) * time.Second), utc, true
}

// isDate says whether a property's value is a date without a time.
func isDate(p *ics.IANAProperty) bool {
	return len(strings.NewReplacer("-", "", " ", "").Replace(p.Value)) == len("20060102")
}

// time reads a time property with its zone; code is "" or a warning, and ok is false when there is no readable time.
func (z *zones) time(p *ics.IANAProperty) (t Time, code string, ok bool) {
	value, _, _ := strings.Cut(p.Value, ",")
	at, utc, ok := parseClock(value)
	if !ok {
		return t, WarnBadTime, false
	}
	t.At = at
	if t.AllDay = isDate(p); t.AllDay || utc {
		return t, "", true
	}
	tzid := strings.TrimSpace(param(p, "TZID"))
	if tzid == "" {
		t.Floating = true
		return t, "", true
	}
	r := z.resolve(tzid)
	t.TZID, t.Zone = tzid, r.iana
	known := r.zone != nil
	if known {
		t.At, known = z.instant(at, r.zone)
	}
	if !known {
		t.Floating = true
		return t, WarnUnknownTimeZone, true
	}
	return t, "", true
}

// parseDuration reads a DURATION (RFC 5545 §3.3.6) as nominal days and exact time.
func parseDuration(s string) (days int, exact time.Duration, ok bool) {
	s = strings.ToUpper(strings.TrimSpace(s))
	s = strings.TrimPrefix(s, "+")
	s, ok = strings.CutPrefix(s, "P")
	number, inTime := "", false
	for i := 0; ok && i < len(s); i++ {
		c := s[i]
		if c >= '0' && c <= '9' {
			number += s[i : i+1]
			continue
		}
		if c == 'T' && number == "" {
			inTime = true
			continue
		}
		n, good := digits(number)
		if !good || len(number) > 6 {
			return 0, 0, false
		}
		number = ""
		switch {
		case c == 'W' && !inTime:
			days += 7 * n
		case c == 'D' && !inTime:
			days += n
		case c == 'H' && inTime:
			exact += time.Duration(n) * time.Hour
		case c == 'M' && inTime:
			exact += time.Duration(n) * time.Minute
		case c == 'S' && inTime:
			exact += time.Duration(n) * time.Second
		default:
			return 0, 0, false
		}
	}
	return days, exact, ok && number == "" && s != ""
}

// addDuration adds nominal days on the clock of t's zone, then the exact time.
func (z *zones) addDuration(t Time, days int, exact time.Duration) Time {
	if days != 0 {
		var in zone = fixed(0)
		if r := z.known[t.TZID]; !t.AllDay && !t.Floating && t.TZID != "" && r.zone != nil {
			in = r.zone
		}
		wall := t.At.Add(time.Duration(in.offset(t.At)) * time.Second)
		t.At = instant(wall.AddDate(0, 0, days), in)
	}
	t.At = t.At.Add(exact)
	return t
}
