// Package check judges a struct by its `validate` tags and answers with one fault that names every bad field. It is the
// only importer of go-playground/validator, so that no other package speaks its error types.
//
// Domains call it below HTTP, so that Go callers get the same answers as HTTP clients; HTTP puts "body." in front of the
// locations by [Prefix].
//
// Besides validator's own tags there are:
//
//	text            valid UTF-8 without control characters; text=multiline allows \n, \t and \r\n
//	single_line     as text, and none of the Unicode line breaks (U+2028, U+2029)
//	maxrunes=N      at most N characters
//	iana_tz         an IANA time zone that this machine knows ("UTC" is one, "" and "Local" are none)
//	email_addr      an address that identity.NormalEmail accepts
package check
