// Package stafftest is the conformance suite of staff.Store.
package stafftest
