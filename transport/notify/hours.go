package notify

import "time"

// span is a part of every day by the clock on the wall, [from, to), across midnight when to is less than from.
type span struct{ from, to time.Duration }

const day = 24 * time.Hour

// holds says whether clocks that show the time of day w are in the span.
func (s span) holds(w time.Duration) bool {
	if s.from <= s.to {
		return s.from <= w && w < s.to
	}
	return w >= s.from || w < s.to
}

// end returns the first instant from t on at which clocks in t's zone show a time outside the span: t itself if they do
// now. Where clocks are put forward over the end, that is the moment of the change; where they are put back, the span
// may be entered twice.
func (s span) end(t time.Time) time.Time {
	for s.holds(wall(t)) {
		next := t.Add(until(wall(t), s.to))
		if _, change := t.ZoneBounds(); !change.IsZero() && change.Before(next) {
			next = change.In(t.Location())
		}
		t = next
	}
	return t
}

// nextAt returns the first instant after t at which clocks in t's zone show the time of day w, or at which they are put
// forward over it.
func nextAt(t time.Time, w time.Duration) time.Time {
	for {
		next := t.Add(until(wall(t), w))
		_, change := t.ZoneBounds()
		if change.IsZero() || next.Before(change) {
			return next
		}
		change = change.In(t.Location())
		_, before := t.Zone()
		_, after := change.Zone()
		jump := time.Duration(after-before) * time.Second
		skipped := until(wall(change)-jump, w) % day // from what clocks would have shown to w
		if wall(change) == w || jump > 0 && skipped < jump {
			return change
		}
		t = change
	}
}

// until is how long clocks take from one time of day to another: (0, 24 h].
func until(from, to time.Duration) time.Duration {
	d := (to - from) % day
	if d <= 0 {
		d += day
	}
	return d
}

// wall is what the clock on the wall shows.
func wall(t time.Time) time.Duration {
	h, m, s := t.Clock()
	return time.Duration(h)*time.Hour + time.Duration(m)*time.Minute + time.Duration(s)*time.Second + time.Duration(t.Nanosecond())
}

// nextHour returns the next full hour of the clocks in t's zone.
func nextHour(t time.Time) time.Time { return t.Add(time.Hour - wall(t)%time.Hour) }
