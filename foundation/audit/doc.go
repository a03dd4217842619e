// Package audit records who did what to whom, in the transaction in which it was done, and makes later tampering
// visible.
//
// Rows are written by a [Recorder] together with the change. A sealer gives them their place in a per-tenant HMAC chain
// in batches shortly after: a chain head locked inside every transaction would make all writers of a tenant queue.
// [Verify] finds an edited row, a removed row and, given an exported head, a cut tail.
//
// Fields follow seed 003 §2.3: actor_id (who), subject_id (for whom), action, target_id, metadata.
package audit
