// Package approvaltest proves an approval.Store ([Run]) and gives tests of whatever uses package approval its
// surroundings: [People], a directory, and [Ledger], which takes audit entries, events and notices as part of the
// transaction, so that what was rolled back is not in it.
package approvaltest
