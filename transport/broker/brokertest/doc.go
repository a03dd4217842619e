// Package brokertest is the suite that every broker must pass, against a real server.
package brokertest
