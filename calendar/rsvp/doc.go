// Package rsvp takes in the answers of guests outside (seed 003 §3.2; RFC 5546 §3.2.3, RFC 6047): replies by mail and
// clicks on the buttons of an invitation.
//
// Every answer becomes a row of one ledger with a [Decision], whatever its road, and an accepted one changes the
// attendee in the same transaction. A mail passes four steps: it is read with hard bounds ([Read]: MIME, iCalendar,
// TNEF), its sender is proven ([Proof]), it is judged against the event by a pure function ([Judge]), and the verdict is
// stored. Nobody is believed by the From header alone.
//
// Of a reply only PARTSTAT, COMMENT and DELEGATED-TO are taken over. A reply that is not believed is kept, so that the
// organizer can admit it.
//
// A guest who proposes another time (COUNTER, RFC 5546 §3.2.7) changes nothing: the proposal waits in the ledger until
// the organizer accepts it, which moves the event like any change, or declines it, which tells the guest
// (DECLINECOUNTER). It is about the SEQUENCE that it was made to, and stale once the event has another. Who holds an
// invitation gets it again by REFRESH (RFC 5546 §3.2.6), once in [RefreshEvery].
//
// The order of replies is SEQUENCE, then DTSTAMP, then the tie-break (X-MICROSOFT-CDO-REPLYTIME, else the mail's Date):
// some clients repeat the invitation's DTSTAMP in every answer. Only what is strictly older is dropped.
package rsvp
