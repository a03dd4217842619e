package ical

import (
	"testing"
	"time"
)

// TestWriteFarYears writes events at both ends of the calendar: the work must not grow out of hand.
func TestWriteFarYears(t *testing.T) {
	for _, year := range []int{1, 1600, 2500, 9998} {
		for _, zone := range []string{"Europe/Berlin", "Africa/Casablanca"} {
			v := sample()
			v.TimeZone, v.RRule = zone, "FREQ=DAILY"
			v.Start = time.Date(year, 7, 1, 0, 0, 0, 0, time.UTC)
			v.End = v.Start.Add(time.Hour)
			begun := time.Now()
			raw := write(t, Calendar{Events: []VEvent{v}})
			checkForm(t, raw)
			if took := time.Since(begun); took > 20*time.Second { // the machine may be busy
				t.Errorf("year %d in %s took %v", year, zone, took)
			}
		}
	}
}
