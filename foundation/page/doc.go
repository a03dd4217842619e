// Package page is how lists are cut: a limit, and a cursor that says where the next page starts.
//
// A cursor is opaque, versioned and scoped to one listing, so that one listing's cursor is refused by another and an
// old form can be told from a broken one. It holds sort keys, nothing private, and it is not a secret.
package page
