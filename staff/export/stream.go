package export

import (
	"bytes"
	"io"
	"strings"

	"golang.org/x/text/encoding/japanese"

	"github.com/renkei-go/renkei/staff"
)

// Format is the form of an export.
type Format string

// The formats.
const (
	JSON   Format = "json"   // {"items":[{…},…]}
	NDJSON Format = "ndjson" // an object per line
	CSV    Format = "csv"    // RFC 4180 with a header row
)

// Stream is an export that has begun. Write it once, or Close it. It is for one goroutine.
type Stream struct {
	request Request
	name    string
	columns []Column
	today   staff.Date
	next    func() ([]staff.Record, error, bool)
	stop    func()
	batch   []staff.Record
	more    bool
	heads   [][]byte // of each column, ready to write
}

// Columns returns the columns that are written: those of the mapping that the reader may see.
func (s *Stream) Columns() []Column { return s.columns }

// ContentType returns the media type.
func (s *Stream) ContentType() string {
	switch {
	case s.request.Format == NDJSON:
		return "application/x-ndjson"
	case s.request.ShiftJIS:
		return "text/csv; charset=Shift_JIS; header=present"
	case s.request.Format == CSV:
		return "text/csv; charset=utf-8; header=present"
	}
	return "application/json"
}

// Filename returns a name for who saves it.
func (s *Stream) Filename() string { return s.name + "." + string(s.request.Format) }

// Close ends a stream that was not written.
func (s *Stream) Close() { s.stop() }

// Count is told after each batch how many people have been written.
type Count func(people int64)

// Send writes the export, in one Write per batch, and returns how many people it has. When it fails in the middle,
// what was written is not whole.
func (s *Stream) Send(w io.Writer, told Count) (int64, error) {
	defer s.stop()
	var people int64
	buffer := s.begin(nil)
	for s.more {
		for i := range s.batch {
			if s.request.Limit > 0 && people == int64(s.request.Limit) {
				s.more = false
				break
			}
			buffer = s.record(buffer, &s.batch[i], people == 0)
			people++
		}
		if err := s.flush(w, buffer); err != nil {
			return people, err
		}
		buffer = buffer[:0]
		if told != nil {
			told(people)
		}
		if !s.more {
			break
		}
		var err error
		if s.batch, err, s.more = s.next(); err != nil {
			return people, err
		}
	}
	if s.request.Format == JSON {
		buffer = append(buffer, "]}\n"...)
	}
	return people, s.flush(w, buffer)
}

func (s *Stream) flush(w io.Writer, b []byte) error {
	if s.request.ShiftJIS {
		b = toShiftJIS(b)
	}
	if len(b) == 0 {
		return nil
	}
	_, err := w.Write(b)
	return err
}

// begin writes what comes before the first person.
func (s *Stream) begin(b []byte) []byte {
	for _, c := range s.columns {
		s.heads = append(s.heads, append(staff.AppendString(nil, c.Header), ':'))
	}
	switch s.request.Format {
	case JSON:
		return append(b, `{"items":[`...)
	case CSV:
		if s.request.BOM {
			b = append(b, "\xef\xbb\xbf"...)
		}
		for i, c := range s.columns {
			if i > 0 {
				b = append(b, ',')
			}
			b = quoted(append(b, staff.GuardFormula(c.Header)...), len(b))
		}
		return append(b, "\r\n"...)
	case NDJSON: // its lines are all there is
	}
	return b
}

func (s *Stream) record(b []byte, r *staff.Record, first bool) []byte {
	if s.request.Format == CSV {
		for i, c := range s.columns {
			if i > 0 {
				b = append(b, ',')
			}
			start := len(b)
			b = sources[c.Source].append(b, s.today, r)
			b = quoted(guarded(b, start), start)
		}
		return append(b, "\r\n"...)
	}
	if s.request.Format == JSON && !first {
		b = append(b, ',')
	}
	b = append(b, '{')
	for i, c := range s.columns {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, s.heads[i]...)
		start := len(b)
		b = sources[c.Source].append(append(b, '"'), s.today, r)
		b = escaped(b, start)
	}
	b = append(b, '}')
	if s.request.Format == NDJSON {
		b = append(b, '\n')
	}
	return b
}

// guarded keeps the cell that begins at start from being a formula.
func guarded(b []byte, start int) []byte {
	if len(b) == start || (b[start] > '@' && b[start] < 0x80) {
		return b
	}
	cell := string(b[start:])
	if safe := staff.GuardFormula(cell); len(safe) != len(cell) {
		return append(b[:start], safe...)
	}
	return b
}

// quoted quotes the cell that begins at start where RFC 4180 wants it.
func quoted(b []byte, start int) []byte {
	cell := b[start:]
	if !bytes.ContainsAny(cell, "\",\r\n") && !bytes.HasPrefix(cell, []byte(" ")) {
		return b
	}
	text := strings.ReplaceAll(string(cell), `"`, `""`)
	return append(append(append(b[:start], '"'), text...), '"')
}

// escaped ends the JSON string that was opened at start, and escapes it where that is needed.
func escaped(b []byte, start int) []byte {
	for _, c := range b[start+1:] {
		if c < ' ' || c == '"' || c == '\\' || c >= 0x80 {
			text := string(b[start+1:])
			return staff.AppendString(b[:start], text)
		}
	}
	return append(b, '"')
}

// geta is what Japanese printers set for a character that is not there.
const geta = "〓"

// toShiftJIS encodes UTF-8.
func toShiftJIS(b []byte) []byte {
	encoder := japanese.ShiftJIS.NewEncoder()
	if out, err := encoder.Bytes(b); err == nil {
		return out
	}
	var out []byte
	for _, r := range string(b) {
		char, err := encoder.String(string(r))
		if err != nil {
			char, _ = encoder.String(geta) // is in Shift_JIS
		}
		out = append(out, char...)
	}
	return out
}
