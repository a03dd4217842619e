package rsvp_test

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"testing"
	"time"
	"unicode/utf16"

	"github.com/renkei-go/renkei/calendar"
	"github.com/renkei-go/renkei/calendar/rsvp"
)

func base64Of(b []byte) string { return base64.StdEncoding.EncodeToString(b) }

var (
	meetingSet     = []byte{0x90, 0xDA, 0xD8, 0x6E, 0x0B, 0x45, 0x1B, 0x10, 0x98, 0xDA, 0, 0xAA, 0, 0x3F, 0x13, 5}
	appointmentSet = []byte{2, 0x20, 6, 0, 0, 0, 0, 0, 0xC0, 0, 0, 0, 0, 0, 0, 0x46}
)

// encoder writes TNEF.
type encoder struct{ bytes.Buffer }

func (e *encoder) put(values ...any) *encoder {
	for _, v := range values {
		_ = binary.Write(e, binary.LittleEndian, v)
	}
	return e
}

func (e *encoder) attribute(level uint8, id uint32, data []byte) {
	sum := uint16(0)
	for _, b := range data {
		sum += uint16(b)
	}
	e.put(level, id, uint32(len(data)), data, sum)
}

func (e *encoder) padded(data []byte) {
	e.put(uint32(len(data)), data, make([]byte, -len(data)&3))
}

func (e *encoder) named(kind uint16, set []byte, lid uint32) *encoder {
	return e.put(kind, uint16(0x8123), set, uint32(0), lid)
}

func globalObjectID(uid string) []byte {
	e := &encoder{}
	e.put(make([]byte, 36), uint32(len(uid)+13))
	e.WriteString("vCal-Uid\x01\x00\x00\x00" + uid + "\x00")
	return e.Bytes()
}

// tnefReply is a meeting response as Exchange sends it; no class leaves it to the property.
func tnefReply(class, uid string, sequence int32) []byte {
	props := &encoder{}
	props.put(uint32(8))
	props.put(uint16(0x001F), uint16(0x8001), appointmentSet, uint32(1)) // named by a string
	props.padded([]byte("k\x00e\x00y\x00"))
	props.put(uint32(1))
	props.padded([]byte("v\x00"))
	props.put(uint16(0x001F), uint16(0x001A), uint32(1))
	text := &encoder{}
	text.put(utf16.Encode([]rune("IPM.Note\x00")))
	props.padded(text.Bytes())
	props.put(uint16(0x1003), uint16(0x1234), uint32(2), uint32(7), uint32(8)) // several numbers
	props.put(uint16(0x000B), uint16(0x0C17), uint32(1))
	props.named(0x0003, appointmentSet, 0x8201).put(sequence)
	stamp := time.Date(2030, 1, 14, 13, 0, 0, 0, time.UTC).UnixNano()/100 + 116444736000000000
	props.named(0x0040, meetingSet, 0x0001).put(stamp)
	props.named(0x0040, appointmentSet, 0x8220).put(stamp + 600_000_000)
	props.named(0x0102, meetingSet, 0x0023).put(uint32(1))
	props.padded(globalObjectID(uid))

	e := &encoder{}
	e.put(uint32(0x223E9F78), uint16(1))
	e.attribute(1, 0x00089006, []byte{0, 0, 1, 0})
	if class != "" {
		e.attribute(1, 0x00078008, []byte(class+"\x00"))
	}
	e.attribute(1, 0x00069003, props.Bytes())
	e.attribute(2, 0x00069002, make([]byte, 14))
	return e.Bytes()
}

func tnefMail(data []byte) []byte {
	return []byte(letter{kind: "application/ms-tnef", encoding: "base64"}.with(string(data)))
}

func TestTNEF(t *testing.T) {
	for class, want := range map[string]calendar.Partstat{
		"IPM.Microsoft Schedule.MtgRespP": calendar.Accepted,
		"IPM.Microsoft Schedule.MtgRespA": calendar.Tentative,
		"IPM.Microsoft Schedule.MtgRespN": calendar.Declined,
		"IPM.Schedule.Meeting.Resp.Pos":   calendar.Accepted,
		"IPM.Microsoft Schedule.MtgReq":   "",
		"":                                "",
	} {
		m := rsvp.Read(tnefMail(tnefReply(class, "the-uid", 4)), replyTo, time.Time{})
		if want == "" {
			if len(m.Replies) != 0 {
				t.Errorf("%s: %+v", class, m.Replies)
			}
			continue
		}
		if len(m.Replies) != 1 {
			t.Errorf("%s: %d replies", class, len(m.Replies))
			continue
		}
		r := m.Replies[0]
		stamp := time.Date(2030, 1, 14, 13, 0, 0, 0, time.UTC)
		if r.UID != "the-uid" || r.Partstat != want || r.Attendee != guest || !r.HasSequence || r.Sequence != 4 ||
			!r.Stamp.Equal(stamp) || !r.ReplyTime.Equal(stamp.Add(time.Minute)) {
			t.Errorf("%s: %+v", class, r)
		}
	}
	foreign := rsvp.Read(tnefMail(bytes.Replace(tnefReply("IPM.Microsoft Schedule.MtgRespP", "x", 0), []byte("vCal"), []byte("VCAL"), 1)), replyTo, time.Time{})
	if len(foreign.Replies) != 1 || len(foreign.Replies[0].UID) < 80 {
		t.Errorf("an id of Exchange's own is its bytes in hex: %+v", foreign.Replies)
	}
}

// TestTNEFDamaged cuts and bends every byte: nothing panics, and nothing but a whole answer is taken for one.
func TestTNEFDamaged(t *testing.T) {
	whole := tnefReply("IPM.Microsoft Schedule.MtgRespP", "the-uid", 0)
	for i := range whole {
		rsvp.Read(tnefMail(whole[:i]), replyTo, time.Time{})
		for _, b := range []byte{0, 0x7F, 0xFF} {
			bent := bytes.Clone(whole)
			bent[i] = b
			rsvp.Read(tnefMail(bent), replyTo, time.Time{})
		}
	}
}
