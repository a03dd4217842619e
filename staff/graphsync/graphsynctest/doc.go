// Package graphsynctest is the conformance suite of graphsync.Store.
package graphsynctest
