package ical

import (
	"slices"
	"strconv"
	"strings"
	"time"

	ics "github.com/arran4/golang-ical"
)

// Bounds on a sender's VTIMEZONE.
const (
	maxObservances = 256
	maxRules       = 32 // observances with a rule; further ones count once only
	maxLookBack    = 8  // candidate years searched for the last onset of a rule: the longest gap is that of a 29 February
)

// customZone is a VTIMEZONE that was read: offsets by the rules of its observances.
type customZone struct {
	location    string // X-LIC-LOCATION
	observances []observance
	first       int // the offset before any onset
	steps       int // taken so far by offset: observances and years that it has looked at
}

// observance is one STANDARD or DAYLIGHT block. Onsets are in UTC.
type observance struct {
	from, to int         // seconds
	onsets   []time.Time // DTSTART and RDATEs, ascending
	rule     *yearly
}

// yearly is the part of RRULE that time zones use.
type yearly struct {
	start      time.Time // the clock's reading, as UTC
	until      time.Time // the instant of the last onset; zero: for ever
	interval   int
	month      time.Month
	weekday    time.Weekday
	nth        int   // 0: by month day
	hasWeekday bool  // BYDAY is given
	monthDays  []int // candidates; empty: the day of start, or any with BYDAY
}

// readZones reads the VTIMEZONEs of an object by TZID; the first one of a name counts.
func readZones(components []ics.Component) map[string]*customZone {
	custom := map[string]*customZone{}
	for _, c := range components {
		tz, ok := c.(*ics.VTimezone)
		if !ok {
			continue
		}
		id := tz.GetProperty(ics.ComponentPropertyTzid)
		if id == nil || custom[strings.TrimSpace(id.Value)] != nil {
			continue
		}
		z := &customZone{}
		if p := tz.GetProperty("X-LIC-LOCATION"); p != nil {
			z.location = strings.TrimSpace(p.Value)
		}
		rules := 0
		for _, sub := range tz.Components {
			var base *ics.ComponentBase
			switch sub := sub.(type) {
			case *ics.Standard:
				base = &sub.ComponentBase
			case *ics.Daylight:
				base = &sub.ComponentBase
			default:
				continue
			}
			o, ok := readObservance(base)
			if !ok || len(z.observances) == maxObservances {
				continue
			}
			if o.rule != nil {
				if rules++; rules > maxRules {
					o.rule = nil
				}
			}
			z.observances = append(z.observances, o)
		}
		if len(z.observances) > 0 {
			earliest := slices.MinFunc(z.observances, func(a, b observance) int { return a.onsets[0].Compare(b.onsets[0]) })
			z.first = earliest.from
		}
		custom[strings.TrimSpace(id.Value)] = z
	}
	return custom
}

func readObservance(c *ics.ComponentBase) (o observance, ok bool) {
	value := func(name ics.ComponentProperty) string {
		if p := c.GetProperty(name); p != nil {
			return strings.TrimSpace(p.Value)
		}
		return ""
	}
	if o.to, ok = parseOffset(value("TZOFFSETTO")); !ok {
		return o, false
	}
	if o.from, ok = parseOffset(value("TZOFFSETFROM")); !ok {
		o.from = o.to
	}
	start, _, ok := parseClock(value(ics.ComponentPropertyDtStart))
	if !ok {
		return o, false
	}
	o.onsets = []time.Time{o.onset(start)}
	for _, p := range c.GetProperties(ics.ComponentPropertyRdate) {
		for item := range strings.SplitSeq(p.Value, ",") {
			item, _, _ = strings.Cut(item, "/")
			if at, utc, ok := parseClock(item); ok && utc {
				o.onsets = append(o.onsets, at)
			} else if ok {
				o.onsets = append(o.onsets, o.onset(at))
			}
		}
	}
	slices.SortFunc(o.onsets, time.Time.Compare)
	if rule := value(ics.ComponentPropertyRrule); rule != "" {
		o.rule = o.readRule(rule, start)
	}
	return o, true
}

func (o *observance) onset(wall time.Time) time.Time {
	return wall.Add(-time.Duration(o.from) * time.Second)
}

// readRule reads FREQ=YEARLY rules; others say nothing that a time zone needs and are ignored.
func (o *observance) readRule(rule string, start time.Time) *yearly {
	y := &yearly{start: start, interval: 1, month: start.Month()}
	count, isYearly := 0, false
	for part := range strings.SplitSeq(strings.ToUpper(rule), ";") {
		key, v, _ := strings.Cut(strings.TrimSpace(part), "=")
		switch key {
		case "FREQ":
			isYearly = v == "YEARLY"
		case "INTERVAL":
			if n, ok := digits(v); ok && n > 0 {
				y.interval = n
			}
		case "COUNT":
			count, _ = digits(v)
		case "UNTIL":
			at, utc, ok := parseClock(v)
			if ok && !utc {
				at = o.onset(at)
				if len(v) == len("20060102") {
					at = at.Add(24*time.Hour - time.Second)
				}
			}
			y.until = at
		case "BYMONTH":
			if n, ok := digits(v); ok && n >= 1 && n <= 12 {
				y.month = time.Month(n)
			}
		case "BYMONTHDAY":
			for item := range strings.SplitSeq(v, ",") {
				if n, err := strconv.Atoi(item); err == nil && n != 0 && n >= -31 && n <= 31 && len(y.monthDays) < 31 {
					y.monthDays = append(y.monthDays, n)
				}
			}
		case "BYDAY":
			y.nth, y.weekday, y.hasWeekday = parseByDay(v)
		}
	}
	if !isYearly {
		return nil
	}
	if count > 0 && count < 10_000 {
		last, _ := y.in(start.Year() + (count-1)*y.interval)
		y.until = o.onset(last)
	}
	return y
}

func parseByDay(s string) (nth int, weekday time.Weekday, ok bool) {
	s, _, _ = strings.Cut(s, ",")
	if len(s) < 2 {
		return 0, 0, false
	}
	at := strings.Index("SUMOTUWETHFRSA", s[len(s)-2:])
	if at < 0 || at%2 != 0 {
		return 0, 0, false
	}
	if n := s[:len(s)-2]; n != "" {
		var err error
		if nth, err = strconv.Atoi(n); err != nil || nth < -5 || nth > 5 {
			return 0, 0, false
		}
	}
	return nth, time.Weekday(at / 2), true
}

// in returns the clock's reading at the rule's onset of a year, if it has one.
func (y *yearly) in(year int) (time.Time, bool) {
	first := time.Date(year, y.month, 1, y.start.Hour(), y.start.Minute(), y.start.Second(), 0, time.UTC)
	length := first.AddDate(0, 1, -1).Day()
	day := 0
	switch {
	case y.hasWeekday && y.nth > 0:
		day = 1 + (int(y.weekday)-int(first.Weekday())+7)%7 + 7*(y.nth-1)
	case y.hasWeekday && y.nth < 0:
		last := first.AddDate(0, 1, -1)
		day = length - (int(last.Weekday())-int(y.weekday)+7)%7 + 7*(y.nth+1)
	case len(y.monthDays) > 0:
		for _, d := range y.monthDays {
			if d < 0 {
				d = length + 1 + d
			}
			if d >= 1 && d <= length && (!y.hasWeekday || first.AddDate(0, 0, d-1).Weekday() == y.weekday) && (day == 0 || d < day) {
				day = d
			}
		}
	case y.hasWeekday: // every such day of the month; the first starts the observance
		day = 1 + (int(y.weekday)-int(first.Weekday())+7)%7
	default:
		day = y.start.Day()
	}
	if day < 1 || day > length {
		return time.Time{}, false
	}
	return first.AddDate(0, 0, day-1), true
}

// before returns the last onset that is not after utc, and counts the years that it looks at.
func (o *observance) before(utc time.Time, steps *int) (last time.Time, ok bool) {
	n, exact := slices.BinarySearchFunc(o.onsets, utc, time.Time.Compare)
	if exact {
		return utc, true
	}
	if n == 0 && utc.Before(o.onsets[0]) {
		return last, false
	}
	last = o.onsets[n-1]
	y := o.rule
	if y == nil {
		return last, true
	}
	year := utc.Year() + 1
	if !y.until.IsZero() {
		year = min(year, y.until.Year()+1)
	}
	year -= ((year-y.start.Year())%y.interval + y.interval) % y.interval
	for n := 0; year >= y.start.Year() && n < maxLookBack; n++ {
		*steps++
		if wall, ok := y.in(year); ok {
			at := o.onset(wall)
			if !at.After(utc) && (y.until.IsZero() || !at.After(y.until)) && !wall.Before(y.start) {
				if at.After(last) {
					last = at
				}
				return last, true
			}
		}
		year -= y.interval
	}
	return last, true
}

func (z *customZone) offset(utc time.Time) int {
	var latest time.Time
	found, offset := false, z.first
	z.steps += len(z.observances)
	for i := range z.observances {
		if at, ok := z.observances[i].before(utc, &z.steps); ok && (!found || at.After(latest)) {
			latest, found, offset = at, true, z.observances[i].to
		}
	}
	return offset
}
