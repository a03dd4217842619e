// Package mailtest is an SMTP server that keeps what it gets, for tests and examples. It speaks real SMTP on a port of
// 127.0.0.1 and fails on request.
package mailtest
