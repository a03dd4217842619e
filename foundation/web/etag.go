package web

import (
	"strconv"
	"strings"

	"github.com/renkei-go/renkei/foundation/fault"
)

// ErrIfMatchRequired is 428: the operation changes something that others may have changed (RFC 6585 section 3).
// ErrVersionMismatch is 412: it has been changed (RFC 9110 section 15.5.13).
var (
	ErrIfMatchRequired = fault.New(fault.Precondition, "if_match_required", "If-Match with the version last seen is needed")
	ErrVersionMismatch = fault.New(fault.Precondition, "version_mismatch", "it was changed meanwhile")
)

// AnyVersion is what If-Match: * asks for. Versions begin at 1.
const AnyVersion int64 = 0

// ETag is the strong entity tag of a version (RFC 9110 section 8.8.3): ETag(3) is `"v3"`.
func ETag(version int64) string { return `"v` + strconv.FormatInt(version, 10) + `"` }

// IfMatch reads If-Match: a tag that ETag made, the bare version number, or "*" for AnyVersion. It returns
// ErrIfMatchRequired for none, and ErrVersionMismatch for what no version can match: weak tags, lists, other forms.
func IfMatch(header string) (int64, error) {
	header = strings.TrimSpace(header)
	switch header {
	case "":
		return 0, ErrIfMatchRequired
	case "*":
		return AnyVersion, nil
	}
	text := header
	if len(text) >= 2 && text[0] == '"' && text[len(text)-1] == '"' {
		text = text[1 : len(text)-1]
	}
	text = strings.TrimPrefix(text, "v")
	if strings.HasPrefix(text, "+") {
		return 0, ErrVersionMismatch
	}
	version, err := strconv.ParseInt(text, 10, 64)
	if err != nil || version < 1 {
		return 0, ErrVersionMismatch
	}
	return version, nil
}

// Precondition is the If-Match header; embed it in the input of an operation that changes a versioned thing.
type Precondition struct {
	IfMatch string `header:"If-Match" doc:"The ETag last seen, or * for any."`
}

// Version returns the version that the caller has seen, AnyVersion for "*", or the errors of IfMatch.
func (p Precondition) Version() (int64, error) { return IfMatch(p.IfMatch) }
