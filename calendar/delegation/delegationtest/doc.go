// Package delegationtest is the conformance suite of delegation.Store.
package delegationtest
