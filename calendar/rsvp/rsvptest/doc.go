// Package rsvptest is the conformance suite of rsvp.Store: every implementation must pass [Run].
package rsvptest
