//go:build race

package server_test

// oneIn is the share of the hostile calls that are made. The race detector wants each kind of call, not each value, and makes
// a call many times as slow.
const oneIn = 7
