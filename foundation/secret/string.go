package secret

import (
	"crypto/subtle"
	"fmt"
	"log/slog"
)

// Redacted is what a String shows of itself.
const Redacted = "[redacted]"

// String is a text that every fmt verb, encoding/json, encoding.TextMarshaler and slog show as "[redacted]". Only
// Reveal tells it. The zero value is empty. Compare with Equal: == compares identity, not text.
//
// It can be read from JSON and text, so that it serves in configuration and in request bodies.
type String struct {
	// A pointer, because fmt prints unexported fields of other structs by reflection, without asking Format:
	// it then shows an address.
	text *string
}

// NewString hides text.
func NewString(text string) String { return String{&text} }

// Reveal returns the text.
func (s String) Reveal() string {
	if s.text == nil {
		return ""
	}
	return *s.text
}

// IsZero says whether there is no text.
func (s String) IsZero() bool { return s.Reveal() == "" }

// Equal compares the texts in constant time.
func (s String) Equal(other String) bool { return Equal(s.Reveal(), other.Reveal()) }

// String returns "[redacted]".
func (String) String() string { return Redacted }

// GoString returns "[redacted]".
func (String) GoString() string { return Redacted }

// Format prints "[redacted]" for every verb.
func (String) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(Redacted)) }

// MarshalText returns "[redacted]"; encoding/json uses it too.
func (String) MarshalText() ([]byte, error) { return []byte(Redacted), nil }

// UnmarshalText takes the text; encoding/json uses it too.
func (s *String) UnmarshalText(text []byte) error {
	*s = NewString(string(text))
	return nil
}

// LogValue returns "[redacted]".
func (String) LogValue() slog.Value { return slog.StringValue(Redacted) }

// Equal compares two texts in a time that depends on their lengths only.
func Equal(a, b string) bool { return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }
