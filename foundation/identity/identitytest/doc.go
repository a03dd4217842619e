// Package identitytest has what tests and examples need of a directory: [Directory], which holds its people in memory,
// and [RunDirectory], the conformance suite that every identity.Directory must pass.
package identitytest
