package ical

import (
	"time"

	"github.com/renkei-go/renkei/foundation/fault"
)

// The limits of Parse. More than that is refused, or left out with a warning where the rest stays readable.
const (
	MaxBytes      = 1 << 20  // bytes of one input; more is ErrTooLarge
	MaxDepth      = 8        // nested components, VCALENDAR included; deeper ones are left out
	MaxLine       = 64 << 10 // bytes of one unfolded content line; longer ones are left out
	MaxProperties = 50_000   // content lines of one input; more is ErrTooComplex
	MaxComponents = 10_000   // components of one input; more is ErrTooComplex
	MaxWarnings   = 100      // warnings reported; further ones are not listed
)

// The methods of iTIP, RFC 5546 §1.4.
const (
	MethodPublish        = "PUBLISH"
	MethodRequest        = "REQUEST"
	MethodReply          = "REPLY"
	MethodAdd            = "ADD"
	MethodCancel         = "CANCEL"
	MethodRefresh        = "REFRESH"
	MethodCounter        = "COUNTER"
	MethodDeclineCounter = "DECLINECOUNTER"
)

// The participation states of an event's attendee, RFC 5545 §3.2.12.
const (
	PartstatNeedsAction = "NEEDS-ACTION"
	PartstatAccepted    = "ACCEPTED"
	PartstatDeclined    = "DECLINED"
	PartstatTentative   = "TENTATIVE"
	PartstatDelegated   = "DELEGATED"
)

// The faults of this package. All are fault.Invalid: repeating the same input cannot help.
var (
	// ErrTooLarge is returned by Parse for more than MaxBytes.
	ErrTooLarge = fault.New(fault.Invalid, "calendar_too_large", "the calendar object is too large")
	// ErrTooComplex is returned by Parse for more than MaxProperties or MaxComponents.
	ErrTooComplex = fault.New(fault.Invalid, "calendar_too_complex", "the calendar object has too many lines or components")
	// ErrNotCalendar is returned by Parse when nothing in the input is a calendar component.
	ErrNotCalendar = fault.New(fault.Invalid, "not_a_calendar", "the input holds no calendar object")
	// ErrNotReply is returned by Object.Replies for another METHOD.
	ErrNotReply = fault.New(fault.Invalid, "not_a_reply", "the calendar object is not a reply")
	// ErrMalformedReply is returned by Object.Replies when no event names a UID and an attendee with a mail address.
	ErrMalformedReply = fault.New(fault.Invalid, "malformed_reply", "the reply does not say who answers which event")
	// ErrUnwritable is returned by Write with one field per value that iCalendar cannot carry.
	ErrUnwritable = fault.New(fault.Invalid, "calendar_unwritable", "the event cannot be written as a calendar object")
)

// The codes of a Warning.
const (
	WarnBadLine           = "bad_line"            // no content line; dropped
	WarnLineTooLong       = "line_too_long"       // above MaxLine; dropped
	WarnBadParameter      = "bad_parameter"       // a parameter without a value; dropped, the line stays
	WarnTooManyParameters = "too_many_parameters" // the line is dropped
	WarnCharset           = "charset"             // bytes that are no UTF-8, read as Latin-1
	WarnTooDeep           = "too_deep"            // below MaxDepth; the component is dropped
	WarnUnbalanced        = "unbalanced"          // BEGIN and END do not match; closed or dropped as fits
	WarnBareComponent     = "bare_component"      // a component outside of VCALENDAR
	WarnRejected          = "rejected"            // golang-ical refuses the object; dropped
	WarnBadTime           = "bad_time"            // a date or time that cannot be read; treated as absent
	WarnBadRecurrenceID   = "bad_recurrence_id"   // the event is dropped: it must not be taken for the series
	WarnBadSequence       = "bad_sequence"        // treated as absent
	WarnBadAddress        = "bad_address"         // an organizer or attendee without a mail address
	WarnUnknownTimeZone   = "unknown_time_zone"   // the time is treated as floating
)

// Warning says what Parse left out or mended. It holds no text of the input.
type Warning struct {
	Line int    // the first physical line, from 1; 0 when it concerns a value of an event
	Code string // one of the Warn… constants
}

// Object is one VCALENDAR (or the bare components of a stream that has none).
type Object struct {
	Method     string   // upper case; "" when absent
	ProdID     string   // the product that made it
	Events     []Event  // its VEVENTs in order
	Components []string // the kinds of all its top-level components in order, e.g. VTIMEZONE, VEVENT
	Raw        string   // its content lines as they came: unfolded, CRLF, control characters removed
}

// Event is a view of one VEVENT that was read. Texts are unescaped; every value is the sender's claim.
type Event struct {
	UID           string
	Sequence      int       // 0 when absent
	HasSequence   bool      // false: the sender said nothing, as MAPI-based clients do
	DTStamp       time.Time // UTC; zero when absent
	Start, End    Time      // zero At when absent; End is exclusive, derived from DURATION or Start when DTEND is absent
	RecurrenceID  *Time     // nil: the whole series
	ThisAndFuture bool      // RANGE=THISANDFUTURE of the recurrence id
	RRule         string    // raw; "" when absent
	Organizer     *Organizer
	Attendees     []Attendee
	Summary       string
	Location      string
	Description   string
	Comment       string    // several are joined by a line feed
	Status        string    // upper case
	ReplyTime     time.Time // X-MICROSOFT-CDO-REPLYTIME, UTC; zero when absent
}

// Organizer is the person who owns an event.
type Organizer struct {
	Email  string // read: in the form of identity.NormalEmail, "" when it is no mail address
	Name   string // one line
	SentBy string // the secretary who acts for the organizer; "" for none
}

// Attendee is a guest, or a resource.
type Attendee struct {
	Email         string // read: in the form of identity.NormalEmail, "" when it is no mail address
	Name          string // one line
	Partstat      string // upper case; default NEEDS-ACTION
	Role          string // upper case; default REQ-PARTICIPANT
	RSVP          bool
	SentBy        string   // who answered for the attendee; "" for none
	DelegatedTo   []string // mail addresses
	DelegatedFrom []string // mail addresses
}

// Time is a date or a date with time. Compare instants by At.
type Time struct {
	At       time.Time // UTC; midnight UTC of the date when AllDay; the clock's reading taken as UTC when Floating
	AllDay   bool      // a date without a time
	Floating bool      // no zone was given, or none that is known: use In
	TZID     string    // the zone's name as sent; "" for UTC, dates and floating times
	Zone     string    // the IANA name of the zone if it has one, else ""
}

// IsZero says whether there is no time at all.
func (t Time) IsZero() bool { return t.At.IsZero() }

// In returns the instant, in UTC. A date or a floating time is read in loc; for every other time loc does not matter.
// A reading that the clocks skip is taken with the offset before the gap, one that comes twice is the first
// (RFC 5545 §3.3.5).
func (t Time) In(loc *time.Location) time.Time {
	if !t.AllDay && !t.Floating {
		return t.At
	}
	return instant(t.At, location{loc})
}
