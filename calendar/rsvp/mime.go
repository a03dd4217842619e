package rsvp

import (
	"bytes"
	"mime"
	"strings"
)

// The bounds of a mail's structure. What lies beyond is not looked at.
const (
	maxHead   = 256 << 10 // bytes of a part's header
	maxFields = 1000      // fields of a header
	maxDepth  = 10        // nested multiparts
	maxParts  = 200       // parts of a mail
)

type field struct{ name, value string }

// head is the header of a mail or a part, in order. Values are unfolded.
type head []field

// get returns the first field of the name.
func (h head) get(name string) string {
	for _, f := range h {
		if strings.EqualFold(f.name, name) {
			return f.value
		}
	}
	return ""
}

// all returns the values of every field of the name.
func (h head) all(name string) []string {
	var values []string
	for _, f := range h {
		if strings.EqualFold(f.name, name) {
			values = append(values, f.value)
		}
	}
	return values
}

// readHead cuts a header from its body. It bears LF newlines, an mbox "From " line, and lines that are no fields; ok is
// false when it is too large, or when there is no field at all.
func readHead(text []byte) (h head, body []byte, ok bool) {
	size := 0
	for len(text) > 0 {
		line, rest := cutLine(text)
		if size += len(line); size > maxHead || len(h) > maxFields {
			return nil, nil, false
		}
		text = rest
		if len(line) == 0 {
			return h, text, len(h) > 0
		}
		if line[0] == ' ' || line[0] == '\t' {
			if len(h) > 0 {
				h = fold(h, line, &text, &size)
			}
			continue
		}
		name, value, found := bytes.Cut(line, []byte(":"))
		if found && len(name) < 100 && bytes.IndexByte(name, ' ') < 0 {
			h = append(h, field{string(name), string(bytes.TrimSpace(value))})
		}
	}
	return h, nil, len(h) > 0 && size <= maxHead
}

// fold adds a continuation line and all that follow it to the last field, in one go: a field of ten thousand lines
// must not be copied ten thousand times.
func fold(h head, line []byte, text *[]byte, size *int) head {
	var b strings.Builder
	last := &h[len(h)-1]
	b.WriteString(last.value)
	for {
		b.WriteByte(' ')
		b.Write(bytes.TrimSpace(line))
		next, rest := cutLine(*text)
		if len(next) == 0 || next[0] != ' ' && next[0] != '\t' || *size > maxHead {
			last.value = b.String()
			return h
		}
		*size += len(next)
		line, *text = next, rest
	}
}

// cutLine returns the first line without its newline, and what follows.
func cutLine(text []byte) (line, rest []byte) {
	line, rest, _ = bytes.Cut(text, []byte("\n"))
	return bytes.TrimSuffix(line, []byte("\r")), rest
}

// contentType reads a Content-Type; where mime refuses it, the type alone counts and parameters are taken as they look.
func contentType(value string) (string, map[string]string) {
	kind, params, err := mime.ParseMediaType(value)
	if err == nil {
		return kind, params
	}
	pieces := strings.SplitN(value, ";", 20)
	params = map[string]string{}
	for _, piece := range pieces[1:] {
		name, v, _ := strings.Cut(piece, "=")
		name = strings.ToLower(strings.TrimSpace(name))
		if _, known := params[name]; !known {
			params[name] = strings.Trim(strings.TrimSpace(v), `"`)
		}
	}
	return strings.ToLower(strings.TrimSpace(pieces[0])), params
}

// part is a leaf of a mail, still encoded.
type part struct {
	head   head
	kind   string // media type, lower case
	params map[string]string
	body   []byte
	report bool // inside multipart/report
}

// walker visits the leaves of a mail. Mails inside the mail (message/rfc822) are leaves.
type walker struct {
	parts int
	visit func(part)
}

func (w *walker) walk(h head, body []byte, depth int, report bool) {
	if w.parts++; w.parts > maxParts || depth > maxDepth {
		return
	}
	kind, params := "text/plain", map[string]string(nil)
	if value := h.get("Content-Type"); value != "" {
		kind, params = contentType(value)
	}
	if !strings.HasPrefix(kind, "multipart/") {
		w.visit(part{h, kind, params, body, report})
		return
	}
	boundary := strings.TrimRight(params["boundary"], " ")
	if boundary == "" {
		return
	}
	w.split(body, boundary, depth+1, report || kind == "multipart/report")
}

// split walks the parts between the delimiter lines (RFC 2046 §5.1.1). A missing last one is borne.
func (w *walker) split(body []byte, boundary string, depth int, report bool) {
	// With the newline before it: a line of nothing but delimiters would else be read once for each.
	delimiter := []byte("\n--" + boundary)
	begin, at := -1, 0
	for at < len(body) && w.parts < maxParts {
		i := 0
		if at > 0 || !bytes.HasPrefix(body, delimiter[1:]) {
			if i = bytes.Index(body[at:], delimiter); i < 0 {
				break
			}
			i += at + 1
		}
		line, rest := cutLine(body[i:])
		at = max(at+1, len(body)-len(rest)-1) // the newline may begin the next delimiter
		end := bytes.TrimRight(line[len(delimiter)-1:], " \t")
		last := string(end) == "--"
		if len(end) > 0 && !last {
			continue
		}
		if begin >= 0 {
			w.piece(body[begin:i], depth, report)
		}
		begin = len(body) - len(rest)
		if last {
			return
		}
	}
	if begin >= 0 {
		w.piece(body[begin:], depth, report)
	}
}

func (w *walker) piece(text []byte, depth int, report bool) {
	if len(text) > 0 && (text[0] == '\n' || text[0] == '\r') { // no header: text/plain by RFC 2046 §5.1
		return
	}
	if h, body, ok := readHead(text); ok {
		w.walk(h, body, depth, report)
	}
}
