// Package renkei is the map of the module; it holds no code. Renkei (連携, "linking up") connects an organisation's
// systems of record to the outside tools that people use, and never lets an outside tool become the truth.
//
// Import the package you need; each works alone:
//
//   - [github.com/renkei-go/renkei/ackflow]: requests to acknowledge a message, links, verdicts, reminders, escalation
//   - [github.com/renkei-go/renkei/approval]: policies, requests, decisions, deadlines
//   - [github.com/renkei-go/renkei/staff]: the directory of people, API keys, subscriptions, imports and exports
//   - [github.com/renkei-go/renkei/calendar]: events, resources, privacy views; calendar/delegation for acting for others
//   - [github.com/renkei-go/renkei/transport]: events through an outbox, deliveries, notices, senders
//   - github.com/renkei-go/renkei/foundation/...: errors, identity, audit, paging, secrets, database, HTTP
//
// The reference server, `go run ./refserver --demo`, shows all of them together; examples/ has small programs.
//
// # Floors
//
// A package imports from its own tree and from lower floors only:
//
//	7  examples
//	6  refserver
//	5  calendar
//	4  approval   staff
//	3  ackflow    opinio
//	2  transport
//	1  foundation
//
// An adapter lives under the package whose interface it implements, and a package never imports its own subfolders. A
// domain states its need of another one as an interface in its own words; a bridge implements it and is the only package
// that sees both: calendar/approvalgate, approval/ackguard, staff/opiniohires. The test in arch_test.go holds all this.
//
// Every domain d has d/dbun (its store on PostgreSQL and SQLite), d/dhttp (its routes, mountable anywhere) and d/dtest
// (the suite that any store must pass).
package renkei
