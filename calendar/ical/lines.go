package ical

import (
	"bytes"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// contentLine is one unfolded line; no is the number of its first physical line.
type contentLine struct {
	no   int
	text string
}

// warnings collects up to MaxWarnings.
type warnings []Warning

func (w *warnings) add(line int, code string) {
	if len(*w) < MaxWarnings {
		*w = append(*w, Warning{Line: line, Code: code})
	}
}

// split cuts the input into unfolded, clean content lines. It takes CRLF, LF, CR and the CRCRLF of careless mail
// gateways for a line end, and skips blank lines. It stops when there are more lines than any input may have.
func split(raw []byte, warn *warnings) []contentLine {
	text := string(bytes.TrimPrefix(decodeUTF16(raw), []byte("\xef\xbb\xbf")))
	var (
		lines []contentLine
		open  contentLine
		parts []string // of the open line; folded lines are joined once, a bad fold may cut through a UTF-8 sequence
		size  int
	)
	flush := func() {
		switch {
		case size > MaxLine:
			warn.add(open.no, WarnLineTooLong)
		case len(parts) > 0:
			open.text = clean(strings.Join(parts, ""), open.no, warn)
			if strings.TrimSpace(open.text) != "" {
				lines = append(lines, open)
			}
		}
		parts, size = parts[:0], 0
	}
	for no := 1; text != "" && len(lines) <= MaxProperties; no++ {
		line := text
		if end := strings.IndexAny(text, "\r\n"); end >= 0 {
			line = text[:end]
			text = text[end:]
			text = strings.TrimPrefix(strings.TrimLeft(text, "\r"), "\n")
		} else {
			text = ""
		}
		if line == "" {
			continue
		}
		folded := line[0] == ' ' || line[0] == '\t'
		if folded && len(parts) > 0 {
			line = line[1:]
		} else {
			flush()
			open.no = no
		}
		if size += len(line); size <= MaxLine {
			parts = append(parts, line)
		}
	}
	flush()
	return lines
}

// decodeUTF16 returns UTF-8 for input that starts with a UTF-16 byte order mark or with an ASCII letter in two bytes.
func decodeUTF16(raw []byte) []byte {
	if len(raw) < 2 {
		return raw
	}
	at, high := 2, 0
	switch {
	case raw[0] == 0xfe && raw[1] == 0xff:
	case raw[0] == 0xff && raw[1] == 0xfe:
		high = 1
	case raw[0] == 0 && raw[1] != 0:
		at = 0
	case raw[0] != 0 && raw[1] == 0:
		at, high = 0, 1
	default:
		return raw
	}
	units := make([]uint16, 0, len(raw)/2)
	for ; at+1 < len(raw); at += 2 {
		units = append(units, uint16(raw[at+high])<<8|uint16(raw[at+1-high]))
	}
	return []byte(string(utf16.Decode(units)))
}

// clean removes control characters except the tab, and reads bytes that are no UTF-8 as Latin-1.
func clean(s string, no int, warn *warnings) string {
	plain := true
	for i := 0; i < len(s) && plain; i++ {
		plain = s[i] >= ' ' && s[i] < 0x7f || s[i] == '\t'
	}
	if plain {
		return s
	}
	var b strings.Builder
	b.Grow(len(s))
	latin := false
	for i := 0; i < len(s); {
		r, n := utf8.DecodeRuneInString(s[i:])
		if r == utf8.RuneError && n == 1 {
			r, latin = rune(s[i]), true
		}
		i += n
		if r == '\t' || r >= ' ' && (r < 0x7f || r > 0x9f) {
			b.WriteRune(r)
		}
	}
	if latin {
		warn.add(no, WarnCharset)
	}
	return b.String()
}
