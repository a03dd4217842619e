//go:build !race

package server_test

// oneIn is the share of the hostile calls that are made: all of them.
const oneIn = 1
