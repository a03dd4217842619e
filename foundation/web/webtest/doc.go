// Package webtest is the conformance suite for implementations of web.IdempotencyStore.
package webtest
