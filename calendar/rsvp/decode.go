package rsvp

import (
	"bytes"
	"encoding/base64"
	"strings"

	"golang.org/x/text/encoding/htmlindex"
)

// decode undoes the transfer encoding as far as it can: bytes that have no business there are skipped.
func (p part) decode() []byte {
	switch strings.ToLower(strings.TrimSpace(p.head.get("Content-Transfer-Encoding"))) {
	case "base64":
		return fromBase64(p.body)
	case "quoted-printable":
		return fromQuotedPrintable(p.body)
	}
	return p.body
}

// text is decode in UTF-8. A character set that is missing, unknown or wrong leaves the bytes as they are: the reader of
// iCalendar mends them.
func (p part) text() []byte {
	raw := p.decode()
	switch name := strings.ToLower(strings.Trim(p.params["charset"], `"' `)); name {
	case "", "utf-8", "utf8", "us-ascii", "ascii":
		return raw
	default:
		charset, err := htmlindex.Get(name)
		if err != nil {
			return raw
		}
		text, err := charset.NewDecoder().Bytes(raw)
		if err != nil {
			return raw
		}
		return text
	}
}

// fromBase64 reads up to the padding; a cut last quantum gives what it holds.
func fromBase64(in []byte) []byte {
	if i := bytes.IndexByte(in, '='); i >= 0 {
		in = in[:i]
	}
	clean := make([]byte, 0, len(in))
	for _, c := range in {
		if c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '+' || c == '/' {
			clean = append(clean, c)
		}
	}
	if len(clean)%4 == 1 {
		clean = clean[:len(clean)-1]
	}
	n, _ := base64.RawStdEncoding.Decode(clean, clean) // in place: the output never overtakes the input
	return clean[:n]
}

// fromQuotedPrintable keeps an "=" that begins no escape.
func fromQuotedPrintable(in []byte) []byte {
	out := make([]byte, 0, len(in))
	for i := 0; i < len(in); i++ {
		if in[i] != '=' {
			out = append(out, in[i])
			continue
		}
		end := i + 1
		for end < len(in) && (in[end] == ' ' || in[end] == '\t' || in[end] == '\r') {
			end++
		}
		if end == len(in) || in[end] == '\n' {
			i = end
			continue
		}
		if i+2 < len(in) && hexDigit(in[i+1]) < 16 && hexDigit(in[i+2]) < 16 {
			out = append(out, hexDigit(in[i+1])<<4|hexDigit(in[i+2]))
			i += 2
			continue
		}
		out = append(out, '=')
	}
	return out
}

// hexDigit returns the digit's value, or 16.
func hexDigit(c byte) byte {
	switch {
	case c >= '0' && c <= '9':
		return c - '0'
	case c >= 'A' && c <= 'F':
		return c - 'A' + 10
	case c >= 'a' && c <= 'f':
		return c - 'a' + 10
	}
	return 16
}
