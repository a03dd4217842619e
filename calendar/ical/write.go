package ical

import (
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	ics "github.com/arran4/golang-ical"

	"github.com/renkei-go/renkei/foundation/fault"
	"github.com/renkei-go/renkei/foundation/identity"
)

const (
	layoutDate  = "20060102"
	layoutLocal = "20060102T150405"
	layoutUTC   = "20060102T150405Z"
)

// defaultProdID names the product when Calendar.ProdID is empty.
const defaultProdID = "-//Renkei//Renkei Calendar//EN"

// Calendar is one VCALENDAR to be written. Texts may hold anything: what iCalendar cannot carry is removed.
type Calendar struct {
	Method string   // one of the Method… constants; empty: none, as in a stored file
	ProdID string   // default "-//Renkei//Renkei Calendar//EN"
	Name   string   // of a feed (NAME and X-WR-CALNAME); empty: none
	Events []VEvent // at least one unless Method is PUBLISH or empty
}

// VEvent is an event to be written. Instants may be in any location; they are written in TimeZone, to the second.
type VEvent struct {
	UID           string    // required
	Sequence      int       // not negative
	DTStamp       time.Time // required: when this message was made
	Start         time.Time // required
	End           time.Time // exclusive; zero: none
	TimeZone      string    // IANA; empty or UTC: times are written in UTC
	AllDay        bool      // Start and End are dates, those of their instants in TimeZone
	RecurrenceID  *Time     // nil: the whole series, or an event that does not recur; Time.At and Time.AllDay count
	ThisAndFuture bool      // the recurrence id and all later instances
	RRule         string    // the value of RRULE; empty: none
	ExDates       []time.Time
	Summary       string
	Location      string
	Description   string
	Comment       string
	Status        string // e.g. CONFIRMED; empty: none
	Class         string // e.g. PRIVATE; empty: none
	Transp        string // OPAQUE or TRANSPARENT; empty: none
	URL           string // absolute; empty: none
	Organizer     *Organizer
	Attendees     []Attendee
	Created       time.Time // zero: none
	LastModified  time.Time // zero: none
}

// Write serialises a calendar by RFC 5545: CRLF, lines of at most 75 octets that are never cut inside a character,
// parameters quoted and escaped by RFC 6868, and a VTIMEZONE with recurrence rules for every TZID. No value can start a
// content line of its own. Equal input gives equal bytes. It returns ErrUnwritable with one field per bad value.
func Write(c Calendar) ([]byte, error) {
	w := writer{locations: map[string]*time.Location{}, spans: map[string]span{}}
	cal := &ics.Calendar{}
	cal.SetVersion("2.0")
	cal.SetProductId(c.prodID())
	cal.SetCalscale("GREGORIAN")
	if c.Method != "" {
		cal.SetMethod(ics.Method(w.token("method", c.Method)))
	}
	if name := oneLine(c.Name); name != "" {
		cal.SetName(name)
	}
	if len(c.Events) == 0 && c.Method != "" && !strings.EqualFold(c.Method, MethodPublish) {
		w.bad("events", "must not be empty")
	}
	events := make([]*ics.VEvent, 0, len(c.Events))
	for i := range c.Events {
		w.path = fmt.Sprintf("events[%d].", i)
		events = append(events, w.event(&c.Events[i]))
	}
	if w.err != nil {
		return nil, w.err
	}
	for _, name := range w.zoneNames() {
		cal.Components = append(cal.Components, timezone(name, w.locations[name], w.spans[name]))
	}
	for _, e := range events {
		cal.AddVEvent(e)
	}
	return encode(cal), nil
}

func (c Calendar) prodID() string {
	if id := oneLine(c.ProdID); id != "" {
		return id
	}
	return defaultProdID
}

// writer collects the bad fields and the time zones in use.
type writer struct {
	path      string
	err       *fault.Error
	locations map[string]*time.Location
	spans     map[string]span
}

func (w *writer) bad(field, message string) {
	if w.err == nil {
		w.err = ErrUnwritable
	}
	w.err = w.err.WithField(w.path+field, message)
}

func (w *writer) zoneNames() []string {
	names := make([]string, 0, len(w.spans))
	for name := range w.spans {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// token checks an enumerated value: letters, digits and dashes.
func (w *writer) token(field, value string) string {
	name, ok := token(value)
	if !ok {
		w.bad(field, "must be an iCalendar token")
	}
	return name
}

func (w *writer) event(v *VEvent) *ics.VEvent {
	e := &ics.VEvent{}
	text := func(name ics.ComponentProperty, value string) {
		if value = sanitize(value); value != "" {
			e.AddProperty(name, value)
		}
	}
	stamp := func(name ics.ComponentProperty, at time.Time) {
		if !at.IsZero() {
			e.AddProperty(name, at.UTC().Format(layoutUTC))
		}
	}
	uid := oneLine(v.UID)
	if uid == "" {
		w.bad("uid", "is required")
	}
	text(ics.ComponentPropertyUniqueId, uid)
	if v.DTStamp.IsZero() {
		w.bad("dtstamp", "is required")
	}
	stamp(ics.ComponentPropertyDtstamp, v.DTStamp)
	if v.Sequence < 0 {
		w.bad("sequence", "must not be negative")
	}
	e.AddProperty(ics.ComponentPropertySequence, strconv.Itoa(v.Sequence))
	w.times(e, v)
	text(ics.ComponentPropertySummary, oneLine(v.Summary))
	text(ics.ComponentPropertyLocation, v.Location)
	text(ics.ComponentPropertyDescription, v.Description)
	text(ics.ComponentPropertyComment, v.Comment)
	for _, p := range []struct {
		name         ics.ComponentProperty
		field, value string
	}{
		{ics.ComponentPropertyStatus, "status", v.Status},
		{ics.ComponentPropertyClass, "class", v.Class},
		{ics.ComponentPropertyTransp, "transp", v.Transp},
	} {
		if p.value != "" {
			e.AddProperty(p.name, w.token(p.field, p.value))
		}
	}
	if v.URL != "" {
		if u, err := url.Parse(v.URL); err == nil && u.IsAbs() {
			e.AddProperty(ics.ComponentPropertyUrl, u.String())
		} else {
			w.bad("url", "must be an absolute URL")
		}
	}
	if o := v.Organizer; o != nil {
		params := parameters(o.Name)
		w.addresses(params, "SENT-BY", "organizer.sent_by", o.SentBy)
		w.person(e, ics.ComponentPropertyOrganizer, "organizer.email", o.Email, params)
	}
	for i := range v.Attendees {
		w.attendee(e, &v.Attendees[i], fmt.Sprintf("attendees[%d].", i))
	}
	stamp(ics.ComponentPropertyCreated, v.Created)
	stamp(ics.ComponentPropertyLastModified, v.LastModified)
	return e
}

// times adds everything that is written in the event's time zone.
func (w *writer) times(e *ics.VEvent, v *VEvent) {
	loc := w.location(v.TimeZone)
	if loc == nil {
		w.bad("time_zone", "must be an IANA time zone")
		loc = time.UTC
	}
	if v.Start.IsZero() {
		w.bad("start", "is required")
		return
	}
	rule := strings.ToUpper(v.RRule)
	if strings.Trim(rule, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789=;,+-") != "" || rule != "" && !strings.Contains(rule, "FREQ=") {
		w.bad("rrule", "must be a recurrence rule")
	}
	clock := clock{loc: loc, name: v.TimeZone, allDay: v.AllDay, recurring: rule != "", writer: w}
	clock.add(e, ics.ComponentPropertyDtStart, v.Start)
	if !v.End.IsZero() {
		if v.End.Before(v.Start) || v.AllDay && v.End.In(loc).Format(layoutDate) <= v.Start.In(loc).Format(layoutDate) {
			w.bad("end", "must be after the start")
		}
		clock.add(e, ics.ComponentPropertyDtEnd, v.End)
	}
	if rule != "" {
		e.AddProperty(ics.ComponentPropertyRrule, rule)
	}
	for _, at := range v.ExDates {
		clock.add(e, ics.ComponentPropertyExdate, at)
	}
	if id := v.RecurrenceID; id != nil {
		var params []ics.PropertyParameter
		if v.ThisAndFuture {
			params = append(params, parameterOf("RANGE", "THISANDFUTURE"))
		}
		if clock.allDay = id.AllDay; clock.allDay {
			clock.loc = time.UTC // a date that was read is at midnight UTC
		}
		clock.add(e, ics.ComponentPropertyRecurrenceId, id.At, params...)
	}
}

// location loads a zone once; it returns nil for a name that is none.
func (w *writer) location(name string) *time.Location {
	if name == "" {
		return time.UTC
	}
	if loc := w.locations[name]; loc != nil {
		return loc
	}
	loc, _ := iana(name).zone.(location)
	w.locations[name] = loc.Location
	return loc.Location
}

// person adds an ORGANIZER or ATTENDEE.
func (w *writer) person(e *ics.VEvent, name ics.ComponentProperty, field, email string, params map[string][]string) {
	uri := mailto(email)
	if uri == "" {
		w.bad(field, "must be a mail address")
		return
	}
	list := make([]ics.PropertyParameter, 0, len(params))
	for key, values := range params {
		list = append(list, parameterOf(key, values...))
	}
	e.AddProperty(name, uri, list...)
}

func (w *writer) attendee(e *ics.VEvent, a *Attendee, path string) {
	params := parameters(a.Name)
	params["PARTSTAT"] = []string{w.token(path+"partstat", or(a.Partstat, PartstatNeedsAction))}
	params["ROLE"] = []string{w.token(path+"role", or(a.Role, "REQ-PARTICIPANT"))}
	if a.RSVP {
		params["RSVP"] = []string{"TRUE"}
	}
	w.addresses(params, "SENT-BY", path+"sent_by", a.SentBy)
	w.addresses(params, "DELEGATED-TO", path+"delegated_to", a.DelegatedTo...)
	w.addresses(params, "DELEGATED-FROM", path+"delegated_from", a.DelegatedFrom...)
	w.person(e, ics.ComponentPropertyAttendee, path+"email", a.Email, params)
}

func (w *writer) addresses(params map[string][]string, name, field string, emails ...string) {
	for _, email := range emails {
		if email == "" {
			continue
		}
		uri := mailto(email)
		if uri == "" {
			w.bad(field, "must be a mail address")
			return
		}
		params[name] = append(params[name], uri)
	}
}

func parameters(name string) map[string][]string {
	params := map[string][]string{}
	if name = displayName(name); name != "" {
		params["CN"] = []string{name}
	}
	return params
}

// displayName has no backslash: it is no escape in a parameter, but many readers take it for one, and lose the quote.
func displayName(s string) string { return strings.ReplaceAll(oneLine(s), `\`, "/") }

func or(value, otherwise string) string {
	if value == "" {
		return otherwise
	}
	return value
}

// mailto returns the URI of an address in its normal form (RFC 6068 §2), "" for what is no address.
func mailto(email string) string {
	email = identity.NormalEmail(email)
	if email == "" || identity.NormalEmail(email) != email { // an IDN that no reader would take back
		return ""
	}
	var b strings.Builder
	b.WriteString("mailto:")
	for i := range len(email) {
		if c := email[i]; isTokenByte(c) || strings.IndexByte("@._~!$'*+/=", c) >= 0 {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return b.String()
}

func parameterOf(name string, values ...string) ics.PropertyParameter {
	return &ics.KeyValues{Key: name, Value: values}
}

// clock writes instants as the clocks of an event's zone show them.
type clock struct {
	loc       *time.Location
	name      string
	allDay    bool
	recurring bool
	writer    *writer
}

// add adds a time property, and notes that its zone is in use.
func (c clock) add(e *ics.VEvent, name ics.ComponentProperty, at time.Time, params ...ics.PropertyParameter) {
	local := at.In(c.loc)
	switch {
	case local.Year() < 1 || local.Year() > 9999:
		c.writer.bad("start", "must be in the years 1 to 9999")
	case c.allDay:
		e.AddProperty(name, local.Format(layoutDate), append(params, parameterOf("VALUE", "DATE"))...)
	case c.isUTC() || !c.recurring && !c.isFirst(local):
		e.AddProperty(name, at.UTC().Format(layoutUTC), params...)
	default:
		s := c.writer.spans[c.name]
		s.include(at, c.recurring)
		c.writer.spans[c.name] = s
		e.AddProperty(name, local.Format(layoutLocal), append(params, parameterOf("TZID", c.name))...)
	}
}

func (c clock) isUTC() bool {
	switch c.name {
	case "", "UTC", "Etc/UTC", "GMT", "Etc/GMT":
		return true
	}
	return false
}

// isFirst says whether the clock's reading means this instant. The second of two equal readings has no local form
// (RFC 5545 §3.3.5); it is written in UTC, except in a series, which needs its zone more than that.
func (c clock) isFirst(local time.Time) bool {
	_, seconds := local.Zone()
	wall := local.UTC().Add(time.Duration(seconds) * time.Second)
	return instant(wall, location{c.loc}).Equal(local)
}
