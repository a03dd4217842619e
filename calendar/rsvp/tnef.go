package rsvp

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"strings"
	"time"
	"unicode/utf16"
)

// Exchange sends a meeting response to some guests' organizers as TNEF only ("winmail.dat", MS-OXTNEF): the answer is in
// the message class, the UID in a named property. This reads just these.

const (
	tnefSignature   = 0x223E9F78
	attMessageClass = 0x00078008
	attMsgProps     = 0x00069003
	maxTNEFProps    = 2000
)

// The property sets, as they lie in the file (MS-OXPROPS §1.3.2).
var (
	psetMeeting     = string([]byte{0x90, 0xDA, 0xD8, 0x6E, 0x0B, 0x45, 0x1B, 0x10, 0x98, 0xDA, 0x00, 0xAA, 0x00, 0x3F, 0x13, 0x05})
	psetAppointment = string([]byte{0x02, 0x20, 0x06, 0x00, 0x00, 0x00, 0x00, 0x00, 0xC0, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x46})
)

// tnefReply is a meeting response in TNEF. Zero times and an absent sequence were not in it.
type tnefReply struct {
	partstat    string
	uid         string
	sequence    int
	hasSequence bool
	stamp       time.Time // when the attendee changed their answer, else the organizer's last change
	replyTime   time.Time
}

// The endings of the message class, in its transport form and in its store form (MS-OXOCAL §2.2.6).
var tnefClasses = map[string]string{
	"ipm.microsoft schedule.mtgrespp": "ACCEPTED", "ipm.schedule.meeting.resp.pos": "ACCEPTED",
	"ipm.microsoft schedule.mtgrespa": "TENTATIVE", "ipm.schedule.meeting.resp.tent": "TENTATIVE",
	"ipm.microsoft schedule.mtgrespn": "DECLINED", "ipm.schedule.meeting.resp.neg": "DECLINED",
}

// isTNEF says whether data begins as TNEF does.
func isTNEF(data []byte) bool {
	return len(data) >= 6 && binary.LittleEndian.Uint32(data) == tnefSignature
}

// readTNEF returns the meeting response in data; ok is false when it is none. Work is linear in len(data).
func readTNEF(data []byte) (r tnefReply, ok bool) {
	if !isTNEF(data) {
		return r, false
	}
	c := cursor{rest: data[6:]}
	for len(c.rest) > 0 && !c.failed {
		level := c.bytes(1)
		id := c.uint32()
		value := c.bytes(int(c.uint32()))
		c.bytes(2) // the checksum: what is damaged shows itself below
		if c.failed || level[0] != 1 {
			continue
		}
		switch id {
		case attMessageClass:
			r.class(string(value))
		case attMsgProps:
			r.properties(value)
		}
	}
	return r, r.partstat != "" && r.uid != ""
}

func (r *tnefReply) class(name string) {
	if partstat := tnefClasses[strings.ToLower(strings.TrimRight(name, "\x00 "))]; partstat != "" {
		r.partstat = partstat
	}
}

// properties reads a MAPI property list (MS-OXTNEF §2.1.3.4).
func (r *tnefReply) properties(data []byte) {
	c := cursor{rest: data}
	var ownerChange time.Time
	for range min(c.uint32(), maxTNEFProps) {
		kind, id := c.uint16(), c.uint16()
		set, lid := "", uint32(0)
		if id >= 0x8000 {
			set = string(c.bytes(16))
			if c.uint32() == 0 {
				lid = c.uint32()
			} else {
				c.padded(c.uint32())
			}
		}
		value := c.value(kind)
		if c.failed {
			break
		}
		switch {
		case id == 0x001A && kind == 0x001E: // PR_MESSAGE_CLASS
			r.class(string(value))
		case id == 0x001A && kind == 0x001F:
			r.class(fromUTF16(value))
		case set == psetMeeting && kind == 0x0102 && lid == 0x0023, // the clean one counts: it names the series
			set == psetMeeting && kind == 0x0102 && lid == 0x0003 && r.uid == "":
			r.uid = globalObjectUID(value)
		case set == psetMeeting && kind == 0x0040 && lid == 0x0001: // AttendeeCriticalChange
			r.stamp = fileTime(value)
		case set == psetMeeting && kind == 0x0040 && lid == 0x001A: // OwnerCriticalChange
			ownerChange = fileTime(value)
		case set == psetAppointment && kind == 0x0003 && lid == 0x8201: // AppointmentSequence
			if n := int32(binary.LittleEndian.Uint32(value)); n >= 0 {
				r.sequence, r.hasSequence = int(n), true
			}
		case set == psetAppointment && kind == 0x0040 && lid == 0x8220: // AppointmentReplyTime
			r.replyTime = fileTime(value)
		}
	}
	if r.stamp.IsZero() {
		r.stamp = ownerChange
	}
}

// globalObjectUID returns the UID that a GlobalObjectId stands for (MS-OXCICAL §2.1.3.1.1.20.26).
func globalObjectUID(id []byte) string {
	const header = 40 // class id, replaced date, creation time, reserved, size
	if len(id) > 1024 {
		return ""
	}
	if len(id) > header+12 && bytes.HasPrefix(id[header:], []byte("vCal-Uid\x01\x00\x00\x00")) {
		uid, _, _ := bytes.Cut(id[header+12:], []byte{0})
		return string(uid)
	}
	return strings.ToUpper(hex.EncodeToString(id))
}

// fileTime reads hundreds of nanoseconds since 1601.
func fileTime(b []byte) time.Time {
	const epoch = 116444736000000000 // 1970
	t := int64(binary.LittleEndian.Uint64(b))
	if t < epoch || t > epoch+1e17*10 { // 1970 to about 2286
		return time.Time{}
	}
	return time.UnixMicro((t - epoch) / 10).UTC()
}

func fromUTF16(b []byte) string {
	units := make([]uint16, len(b)/2)
	for i := range units {
		units[i] = binary.LittleEndian.Uint16(b[2*i:])
	}
	return string(utf16.Decode(units))
}

// cursor reads little-endian data. After a read beyond the end it has failed and gives zeros.
type cursor struct {
	rest   []byte
	failed bool
}

var zeros [16]byte

func (c *cursor) bytes(n int) []byte {
	if c.failed || n < 0 || n > len(c.rest) {
		c.failed, c.rest = true, nil
		return zeros[:min(max(n, 0), len(zeros))]
	}
	b := c.rest[:n]
	c.rest = c.rest[n:]
	return b
}

func (c *cursor) uint16() uint16 { return binary.LittleEndian.Uint16(c.bytes(2)) }
func (c *cursor) uint32() uint32 { return binary.LittleEndian.Uint32(c.bytes(4)) }

// padded reads n bytes and what fills them up to a multiple of four.
func (c *cursor) padded(n uint32) []byte {
	b := c.bytes(int(n))
	if fill := int(-n & 3); fill > 0 {
		c.bytes(min(fill, len(c.rest)))
	}
	return b
}

// value reads a property's value; of several it returns the first.
func (c *cursor) value(kind uint16) []byte {
	const many = 0x1000
	size, variable := 0, false
	switch kind &^ many {
	case 0x0002, 0x0003, 0x0004, 0x000A, 0x000B:
		size = 4
	case 0x0005, 0x0006, 0x0007, 0x0014, 0x0040:
		size = 8
	case 0x0048:
		size = 16
	case 0x000D, 0x001E, 0x001F, 0x0102:
		variable = true
	case 0x0001:
		return nil
	default:
		c.failed = true
		return nil
	}
	count := uint32(1)
	if variable || kind&many != 0 {
		count = c.uint32()
	}
	var first []byte
	for i := uint32(0); i < count && !c.failed; i++ {
		var b []byte
		if variable {
			b = c.padded(c.uint32())
		} else {
			b = c.bytes(size)
		}
		if i == 0 {
			first = b
		}
	}
	return first
}
