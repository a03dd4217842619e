package ical

import (
	"fmt"
	"slices"
	"strings"
	"time"

	ics "github.com/arran4/golang-ical"
)

const (
	firstYear = 1970 // where observances start unless an event is older
	foresight = 30   // years beyond the last event in which a rule must hold to be written without an end
	maxSpan   = 100  // years of one calendar for which irregular transitions are looked for
	rdateTail = 10   // years beyond a series' start for which irregular transitions are listed
)

// span is the time for which a zone is in use.
type span struct {
	from, to  time.Time
	recurring bool // a series may go on after to
}

func (s *span) include(at time.Time, recurring bool) {
	if s.from.IsZero() || at.Before(s.from) {
		s.from = at
	}
	if at.After(s.to) {
		s.to = at
	}
	s.recurring = s.recurring || recurring
}

// transition is one change of a zone's offset.
type transition struct {
	at       time.Time // UTC
	wall     time.Time // what the clocks showed at the change, as UTC
	from, to int       // seconds
	name     string    // abbreviation afterwards
	daylight bool
}

// alike says whether two transitions may belong to the same observance.
func (t transition) alike(o transition) bool {
	return t.from == o.from && t.to == o.to && t.name == o.name && t.daylight == o.daylight
}

// run is transitions that one yearly rule makes, or one irregular transition.
type run struct {
	list        []transition
	low, high   int // the earliest and the latest day of the month
	sameWeekday bool
	nth         int  // the weekday's number in the month that fits all, 1 to 4; 0: none
	last        bool // it was always the last such weekday of the month
}

// timezone makes the VTIMEZONE of a zone for the time in which it is used: observances with yearly rules, which is what
// clients understand best, and dates where the zone has no rule (RFC 5545 §3.6.5).
func timezone(name string, loc *time.Location, s span) *ics.VTimezone {
	tz := &ics.VTimezone{}
	tz.AddProperty(ics.ComponentPropertyTzid, name)
	begin := time.Date(max(1, min(firstYear, s.from.Year()-1)), 1, 1, 0, 0, 0, 0, time.UTC)
	if longest := s.from.AddDate(maxSpan, 0, 0); s.to.After(longest) {
		s.to = longest
	}
	horizon := s.to.Year() + foresight
	all := transitions(loc, begin, time.Date(horizon+1, 1, 1, 0, 0, 0, 0, time.UTC))

	// What is over before the first event plays no part, except the offset in force. A day of margin on each side covers
	// the look-ahead and look-back that readers do to find gaps.
	var inForce time.Time
	for _, t := range all {
		if t.at.Before(s.from.AddDate(0, 0, -2)) {
			inForce = t.at
		}
	}
	needed := s.to.AddDate(1, 0, 0)
	if s.recurring {
		needed = s.to.AddDate(rdateTail, 0, 0)
	}
	if inForce.IsZero() {
		t := begin.In(loc)
		abbreviation, offset := t.Zone()
		tz.Components = append(tz.Components, component(transition{wall: begin, from: offset, to: offset,
			name: abbreviation, daylight: t.IsDST()}, ""))
	}
	var singles []transition
	for _, r := range runs(all) {
		end := r.list[len(r.list)-1]
		switch {
		case end.at.Before(inForce):
		case len(r.list) >= foresight/2 && end.at.Year() >= horizon:
			tz.Components = append(tz.Components, component(r.list[0], r.rule()))
		case len(r.list) > 1 && !r.list[0].at.After(needed):
			tz.Components = append(tz.Components, component(r.list[0], r.rule()+";UNTIL="+end.at.Format(layoutUTC)))
		default:
			for _, t := range r.list {
				if !t.at.Before(inForce) && !t.at.After(needed) {
					singles = append(singles, t)
				}
			}
		}
	}
	tz.Components = append(tz.Components, dated(singles)...)
	return tz
}

// transitions lists the changes in [begin, end). ZoneBounds has a seam at the end of each year beyond the zone's table,
// where nothing changes; in leap years it even stands still there, so it is stepped over.
func transitions(loc *time.Location, begin, end time.Time) []transition {
	var list []transition
	for t := begin.In(loc); ; {
		_, next := t.ZoneBounds()
		if next.IsZero() || !next.Before(end) {
			return list
		}
		if !next.After(t) {
			t = t.AddDate(0, 0, 2)
			continue
		}
		t = next
		before, from := next.Add(-time.Second).Zone()
		abbreviation, to := next.Zone()
		if from == to && before == abbreviation {
			continue
		}
		// Negative daylight saving (Dublin, Casablanca) marks winter; clients expect DAYLIGHT to be the later clock.
		daylight := next.IsDST()
		if before := next.Add(-time.Second).IsDST(); before != daylight && from != to {
			daylight = to > from
		}
		list = append(list, transition{at: next.UTC(), wall: next.UTC().Add(time.Duration(from) * time.Second),
			from: from, to: to, name: abbreviation, daylight: daylight})
	}
}

// runs groups transitions into runs of consecutive years, in order of their first transition.
func runs(all []transition) []*run {
	var list []*run
	open := map[int][]*run{} // by the year of their last transition
	for _, t := range all {
		year := t.wall.Year()
		joined := false
		for i, r := range open[year-1] {
			if r.join(t) {
				open[year-1] = slices.Delete(open[year-1], i, i+1)
				open[year] = append(open[year], r)
				joined = true
				break
			}
		}
		if !joined {
			r := start(t)
			list = append(list, r)
			open[year] = append(open[year], r)
		}
	}
	return list
}

func start(t transition) *run {
	nth, last := weekOf(t.wall)
	return &run{list: []transition{t}, low: t.wall.Day(), high: t.wall.Day(), sameWeekday: true, nth: nth, last: last}
}

// weekOf says which one of its weekday in the month a day is, and whether it is the last one; the fifth is just the last.
func weekOf(day time.Time) (nth int, last bool) {
	nth = (day.Day()-1)/7 + 1
	last = day.AddDate(0, 0, 7).Month() != day.Month()
	if nth == 5 {
		nth = 0
	}
	return nth, last
}

// join takes t as the next year's transition if a rule still fits all.
func (r *run) join(t transition) bool {
	prev := r.list[len(r.list)-1]
	if !prev.alike(t) || prev.wall.Month() != t.wall.Month() || prev.wall.Sub(midnight(prev.wall)) != t.wall.Sub(midnight(t.wall)) {
		return false
	}
	nth, last := weekOf(t.wall)
	joined := run{
		list: append(r.list, t), low: min(r.low, t.wall.Day()), high: max(r.high, t.wall.Day()),
		sameWeekday: r.sameWeekday && t.wall.Weekday() == prev.wall.Weekday(), last: r.last && last,
	}
	if r.nth == nth {
		joined.nth = nth
	}
	if !joined.regular() {
		return false
	}
	*r = joined
	return true
}

// regular says whether one rule makes all transitions of the run: the same day of the month, or the same weekday in the
// same week of the month or in the same seven days of it.
func (r *run) regular() bool {
	return r.low == r.high || r.sameWeekday && (r.last || r.nth > 0 || r.high-r.low <= 6)
}

func midnight(t time.Time) time.Time { return t.Truncate(24 * time.Hour) }

// rule returns the RRULE that makes the run.
func (r *run) rule() string {
	first := r.list[0].wall
	rule := fmt.Sprintf("FREQ=YEARLY;BYMONTH=%d", first.Month())
	weekday := strings.ToUpper(first.Weekday().String()[:2])
	switch {
	case !r.sameWeekday:
		return fmt.Sprintf("%s;BYMONTHDAY=%d", rule, first.Day())
	case r.last:
		return fmt.Sprintf("%s;BYDAY=-1%s", rule, weekday)
	case r.nth > 0:
		return fmt.Sprintf("%s;BYDAY=%d%s", rule, r.nth, weekday)
	}
	days := make([]string, 7) // "the Sunday on or after the 2nd" and the like
	for i := range days {
		days[i] = fmt.Sprint(min(r.low, 25) + i)
	}
	return fmt.Sprintf("%s;BYDAY=%s;BYMONTHDAY=%s", rule, weekday, strings.Join(days, ","))
}

// component makes the STANDARD or DAYLIGHT block of an observance.
func component(t transition, rule string) ics.Component {
	var base *ics.ComponentBase
	var c ics.Component
	if t.daylight {
		d := &ics.Daylight{}
		base, c = &d.ComponentBase, d
	} else {
		s := &ics.Standard{}
		base, c = &s.ComponentBase, s
	}
	base.AddProperty(ics.ComponentPropertyDtStart, t.wall.Format(layoutLocal))
	base.AddProperty("TZOFFSETFROM", formatOffset(t.from))
	base.AddProperty("TZOFFSETTO", formatOffset(t.to))
	base.AddProperty("TZNAME", t.name)
	if rule != "" {
		base.AddProperty(ics.ComponentPropertyRrule, rule)
	}
	return c
}

// dated makes one block for each kind of irregular transition, with an RDATE for every one after the first.
func dated(list []transition) []ics.Component {
	var components []ics.Component
	for len(list) > 0 {
		first := list[0]
		c := component(first, "")
		var rest []transition
		for _, t := range list[1:] {
			if !t.alike(first) {
				rest = append(rest, t)
				continue
			}
			switch c := c.(type) {
			case *ics.Daylight:
				c.AddProperty(ics.ComponentPropertyRdate, t.wall.Format(layoutLocal))
			case *ics.Standard:
				c.AddProperty(ics.ComponentPropertyRdate, t.wall.Format(layoutLocal))
			}
		}
		components, list = append(components, c), rest
	}
	return components
}

// formatOffset writes a UTC-OFFSET, RFC 5545 §3.3.14.
func formatOffset(seconds int) string {
	sign := '+'
	if seconds < 0 {
		sign, seconds = '-', -seconds
	}
	s := fmt.Sprintf("%c%02d%02d", sign, seconds/3600, seconds/60%60)
	if seconds%60 != 0 {
		s += fmt.Sprintf("%02d", seconds%60)
	}
	return s
}
