// Package ical reads and writes iCalendar objects (RFC 5545) for iTIP by mail (RFC 5546, RFC 6047).
//
// It is the only importer of golang-ical and stands on both sides of it. Calendar data comes from strangers, so
// [Parse] is a bounded, lenient reader: it limits size, depth and counts, brings the text into the canonical form that
// golang-ical understands, drops what cannot be read with a [Warning], and gives plain views ([Object], [Event]).
// [Write] goes the other way: it builds golang-ical's component tree from plain values and serialises it with an
// encoder of its own, which is byte-correct where the library's is not (folding, parameter quoting, RFC 6868, and
// CR/LF in a guest's name).
//
// A parsed object is never written again: its text is kept as it came in [Object.Raw].
//
// The package is pure: no I/O besides time.LoadLocation, no clock, no state. Everything is safe for concurrent use.
// Programs that must not depend on the machine's time zone database import time/tzdata.
package ical
