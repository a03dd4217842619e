// Package server is the reference server: every part of Renkei wired together.
//
//   - config.go  the one list of settings, as flags and as environment variables
//   - wire.go    constructs the parts; starts nothing
//   - mount.go   the one list of routes
//   - loops.go   every background loop
//   - demo.go    the demo company, its tokens and its clock
//
// [New] builds it and [Server.Run] serves until its context ends; main and the end-to-end tests use the same two calls.
package server
