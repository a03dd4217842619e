// Package auditbun keeps the audit trail in PostgreSQL or SQLite: it implements audit.Recorder, audit.Reader and
// audit.SealStore.
//
// Record is one insert in the transaction in ctx and touches no shared row. A sealer finds entries by having no seal,
// never by their id or time, so one of a slow transaction is sealed when it has committed and none is skipped. The row of
// audit_chains is the lock that keeps several sealers from one chain, and the note of where it ends.
package auditbun
