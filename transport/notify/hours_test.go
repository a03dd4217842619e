package notify

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

// zones have changes of every kind: none, by an hour, by half an hour, at midnight, a day left out, in Ramadan.
var zones = []string{
	"UTC", "Asia/Tokyo", "America/New_York", "Europe/London", "Australia/Lord_Howe", "America/St_Johns", "Asia/Kathmandu", "Africa/Casablanca",
	"Pacific/Apia", "America/Sao_Paulo", "Asia/Beirut", "America/Havana",
}

func zone(t interface{ Fatal(...any) }, name string) *time.Location {
	loc, err := time.LoadLocation(name)
	if err != nil {
		t.Fatal(err)
	}
	return loc
}

// somewhen draws an instant, half of the time within a day of a change of the clocks.
func somewhen(t *rapid.T) time.Time {
	loc := zone(t, rapid.SampledFrom(zones).Draw(t, "zone"))
	at := time.Unix(rapid.Int64Range(1_262_304_000, 2_000_000_000).Draw(t, "time"), 0).In(loc) // 2010 to 2033
	if _, change := at.ZoneBounds(); !change.IsZero() && rapid.Bool().Draw(t, "near a change") {
		at = change.In(loc).Add(time.Duration(rapid.Int64Range(-86_400, 86_400).Draw(t, "seconds")) * time.Second)
	}
	return at
}

func minutes(t *rapid.T, label string) time.Duration {
	return time.Duration(rapid.IntRange(0, 24*60-1).Draw(t, label)) * time.Minute
}

// firstMinute walks minute by minute, which is exact since clocks change at full minutes, from the one at or after t.
func firstMinute(t time.Time, ok func(time.Time) bool) time.Time {
	for t = t.Add(-(wall(t) % time.Minute)); !ok(t); {
		t = t.Add(time.Minute)
	}
	return t
}

// TestQuietHours: the end is the first instant from now on that is outside, which a walk through the day finds too.
func TestQuietHours(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		at := somewhen(t)
		s := span{minutes(t, "from"), minutes(t, "to")}
		if s.from == s.to {
			return
		}
		got := s.end(at)
		if !s.holds(wall(at)) {
			if !got.Equal(at) {
				t.Fatalf("not quiet at %s, but waits until %s", at, got)
			}
			return
		}
		want := firstMinute(at, func(u time.Time) bool { return !s.holds(wall(u)) })
		if !got.Equal(want) || got.Location() != at.Location() {
			t.Fatalf("%v at %s: until %s, want %s", s, at, got, want)
		}
	})
}

// TestNextAt: the first instant after now that shows the time, or the change that leaves it out.
func TestNextAt(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		at, w := somewhen(t), minutes(t, "time of day")
		got := nextAt(at, w)
		want := firstMinute(at, func(u time.Time) bool {
			if !u.After(at) {
				return false
			}
			if wall(u) == w {
				return true
			}
			_, before := u.Add(-time.Minute).Zone()
			_, after := u.Zone()
			jump := time.Duration(after-before) * time.Second
			skipped := (w - wall(u) + jump + 2*day) % day
			return jump > 0 && skipped < jump
		})
		if !got.Equal(want) {
			t.Fatalf("%s after %s: %s, want %s", w, at, got, want)
		}
	})
}

func TestQuietHoursByHand(t *testing.T) {
	for _, c := range []struct{ zone, start, end, now, until string }{
		{"Asia/Tokyo", "22:00", "07:00", "2030-01-15T21:59:59+09:00", "2030-01-15T21:59:59+09:00"},
		{"Asia/Tokyo", "22:00", "07:00", "2030-01-15T22:00:00+09:00", "2030-01-16T07:00:00+09:00"},
		{"Asia/Tokyo", "22:00", "07:00", "2030-01-16T06:59:59+09:00", "2030-01-16T07:00:00+09:00"},
		{"Asia/Tokyo", "22:00", "07:00", "2030-01-16T07:00:00+09:00", "2030-01-16T07:00:00+09:00"},
		{"Asia/Tokyo", "12:00", "13:00", "2030-01-16T12:30:00+09:00", "2030-01-16T13:00:00+09:00"},
		{"Asia/Tokyo", "22:00", "00:00", "2030-01-16T23:30:00+09:00", "2030-01-17T00:00:00+09:00"},
		// In New York clocks go from 2:00 to 3:00 on 10 March 2030, and from 2:00 back to 1:00 on 3 November.
		{"America/New_York", "22:00", "07:00", "2030-03-09T23:00:00-05:00", "2030-03-10T07:00:00-04:00"},
		{"America/New_York", "22:00", "02:30", "2030-03-10T01:00:00-05:00", "2030-03-10T03:00:00-04:00"},
		{"America/New_York", "22:00", "07:00", "2030-11-02T23:00:00-04:00", "2030-11-03T07:00:00-05:00"},
		{"America/New_York", "22:00", "01:30", "2030-11-03T01:00:00-04:00", "2030-11-03T01:30:00-04:00"},
		{"America/New_York", "22:00", "01:30", "2030-11-03T01:00:00-05:00", "2030-11-03T01:30:00-05:00"},
	} {
		loc := zone(t, c.zone)
		now, _ := time.Parse(time.RFC3339, c.now)
		want, _ := time.Parse(time.RFC3339, c.until)
		if got := (&QuietHours{Start: c.start, End: c.end}).quietUntil(now.In(loc)); !got.Equal(want) {
			t.Errorf("%s–%s %s at %s: %s, want %s", c.start, c.end, c.zone, c.now, got.Format(time.RFC3339), c.until)
		}
	}
	for _, bad := range []string{"", "7:00", "24:00", "22:60", "22:00:00", "-1:00", "２２:00", " 7:00"} {
		if _, err := clock(bad); err == nil {
			t.Errorf("%q is a time of day", bad)
		}
	}
	now := time.Now()
	if got := (&QuietHours{Start: "x", End: "y"}).quietUntil(now); !got.Equal(now) {
		t.Error("what cannot be read holds a notice back")
	}
}
