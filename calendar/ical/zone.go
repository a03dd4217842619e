package ical

import (
	"strings"
	"time"

	"github.com/renkei-go/renkei/foundation/check"
)

// The bounds on time zones.
const (
	maxZones     = 256     // names that are looked up for one object: each may read the zone database
	maxZoneSteps = 400_000 // through the VTIMEZONEs of one input; the common one takes about 16 for a time
)

// zone tells the offset from UTC, in seconds, at an instant.
type zone interface{ offset(utc time.Time) int }

// location is a zone of the IANA database.
type location struct{ *time.Location }

func (l location) offset(utc time.Time) int {
	_, seconds := utc.In(l.Location).Zone()
	return seconds
}

// fixed is a zone that never changes, in seconds.
type fixed int

func (f fixed) offset(time.Time) int { return int(f) }

// instant returns the instant at which the clocks of z show wall (given as if it were UTC). A reading that the clocks
// skip is taken with the offset before the gap; of a reading that comes twice the first is meant (RFC 5545 §3.3.5).
func instant(wall time.Time, z zone) time.Time {
	const day = 24 * time.Hour
	before := z.offset(wall.Add(-day))
	first := wall.Add(-time.Duration(before) * time.Second)
	if z.offset(first) == before {
		return first
	}
	after := z.offset(wall.Add(day))
	second := wall.Add(-time.Duration(after) * time.Second)
	if z.offset(second) == after {
		return second
	}
	return first
}

// zones resolves the TZIDs of one object and remembers the answers.
type zones struct {
	custom map[string]*customZone
	known  map[string]resolved
	steps  *int // taken through the input's own zones, by all of its objects
}

// instant is the function of that name; false when the input's own zones have been worked on long enough.
func (z *zones) instant(wall time.Time, in zone) (time.Time, bool) {
	c, ok := in.(*customZone)
	if !ok {
		return instant(wall, in), true
	}
	if *z.steps >= maxZoneSteps {
		return wall, false
	}
	before := c.steps
	at := instant(wall, c)
	*z.steps += c.steps - before
	return at, true
}

type resolved struct {
	zone zone   // nil: unknown
	iana string // "" when it has no IANA name
}

func (z *zones) resolve(tzid string) resolved {
	if r, ok := z.known[tzid]; ok {
		return r
	}
	if len(z.known) >= maxZones {
		return resolved{}
	}
	r := z.lookup(tzid)
	if z.known == nil {
		z.known = map[string]resolved{}
	}
	z.known[tzid] = r
	return r
}

// lookup prefers what cannot go stale: an IANA name with a region, then a Windows name; then the sender's own VTIMEZONE;
// at last names that need guessing.
func (z *zones) lookup(tzid string) resolved {
	if strings.ContainsRune(tzid, '/') {
		if r := iana(tzid); r.zone != nil {
			return r
		}
	}
	if name := windowsZone(tzid); name != "" {
		if r := iana(name); r.zone != nil {
			return r
		}
	}
	if c := z.custom[tzid]; c != nil {
		if r := iana(c.location); r.zone != nil {
			return r
		}
		if len(c.observances) > 0 {
			return resolved{zone: c}
		}
	}
	if r := iana(tzid); r.zone != nil {
		return r
	}
	// Globally unique names carry the IANA name at their end: /example.org/2007/America/New_York.
	for rest := tzid; ; {
		_, tail, ok := strings.Cut(rest, "/")
		if !ok || !strings.ContainsRune(tail, '/') {
			break
		}
		if r := iana(tail); r.zone != nil {
			return r
		}
		rest = tail
	}
	if seconds, ok := offsetName(tzid); ok {
		return resolved{zone: fixed(seconds)}
	}
	return resolved{}
}

// iana loads a zone by its IANA name.
func iana(name string) resolved {
	if !check.IsTimeZone(name) {
		return resolved{}
	}
	loc, err := time.LoadLocation(name)
	if err != nil {
		return resolved{}
	}
	return resolved{zone: location{loc}, iana: name}
}

// offsetName reads the names UTC+9, GMT-03:00, UTC+0530.
func offsetName(s string) (int, bool) {
	s = strings.ToUpper(strings.TrimSpace(s))
	rest, ok := strings.CutPrefix(s, "UTC")
	if !ok {
		rest, ok = strings.CutPrefix(s, "GMT")
	}
	if !ok || len(rest) < 2 {
		return 0, false
	}
	digits := strings.Replace(rest[1:], ":", "", 1)
	if len(digits) <= 2 {
		digits = strings.Repeat("0", 2-len(digits)) + digits + "00"
	}
	return parseOffset(rest[:1] + digits)
}

// parseOffset reads a UTC-OFFSET, RFC 5545 §3.3.14: ±hhmm or ±hhmmss, in seconds.
func parseOffset(s string) (int, bool) {
	s = strings.TrimSpace(s)
	if len(s) != 5 && len(s) != 7 || s[0] != '+' && s[0] != '-' {
		return 0, false
	}
	seconds, factor := 0, 3600
	for at := 1; at < len(s); at += 2 {
		n, ok := digits(s[at : at+2])
		if !ok || n > 59 {
			return 0, false
		}
		seconds += n * factor
		factor /= 60
	}
	if seconds >= 24*3600 {
		return 0, false
	}
	if s[0] == '-' {
		seconds = -seconds
	}
	return seconds, true
}

// digits reads a short decimal number without a sign.
func digits(s string) (int, bool) {
	n := 0
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' || i > 8 {
			return 0, false
		}
		n = n*10 + int(s[i]-'0')
	}
	return n, s != ""
}
