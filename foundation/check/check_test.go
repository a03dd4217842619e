package check_test

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/renkei-go/renkei/foundation/check"
	"github.com/renkei-go/renkei/foundation/fault"
)

type attendee struct {
	Email string `json:"email" validate:"required,email_addr"`
}

type common struct {
	Note string `json:"note" validate:"text=multiline,maxrunes=5"`
}

type event struct {
	common
	Title     string     `json:"title" validate:"required,single_line,maxrunes=10"`
	TimeZone  string     `json:"time_zone,omitempty" validate:"omitempty,iana_tz"`
	Kind      string     `json:"kind" validate:"omitempty,oneof=PUBLIC PRIVATE"`
	Attendees []attendee `json:"attendees" validate:"max=3,dive"`
	StartAt   time.Time
	EndAt     time.Time `validate:"gtfield=StartAt"`
	OwnerID   string    `validate:"max=3"`
	Count     int       `json:"count" validate:"gte=0"`
	Private   string    `json:"-" validate:"text"`
}

func valid() event {
	t := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
	return event{Title: "Review", StartAt: t, EndAt: t.Add(time.Hour)}
}

func TestStruct(t *testing.T) {
	for _, c := range []struct {
		name, location, message string
		spoil                   func(*event)
	}{
		{"required", "title", "is required", func(e *event) { e.Title = "" }},
		{"runes are counted, not bytes", "", "", func(e *event) { e.Title = strings.Repeat("会", 10) }},
		{"too long", "title", "must have at most 10 characters", func(e *event) { e.Title = strings.Repeat("会", 11) }},
		{"line break", "title", "must be one line of text without control characters", func(e *event) { e.Title = "a\nb" }},
		{"unicode line break", "title", "must be one line of text without control characters", func(e *event) { e.Title = "a\u2028b" }},
		{"embedded", "note", "must be text without control characters", func(e *event) { e.Note = "a\x00" }},
		{"multiline is fine", "", "", func(e *event) { e.Note = "a\r\n\tb" }},
		{"a lone CR is not", "note", "must be text without control characters", func(e *event) { e.Note = "a\rb" }},
		{"bad UTF-8", "note", "must be text without control characters", func(e *event) { e.Note = "\xff" }},
		{"zone", "time_zone", `must be an IANA time zone such as "Asia/Tokyo"`, func(e *event) { e.TimeZone = "Mars/Base" }},
		{"zone Local", "time_zone", `must be an IANA time zone such as "Asia/Tokyo"`, func(e *event) { e.TimeZone = "Local" }},
		{"zone is fine", "", "", func(e *event) { e.TimeZone = "Asia/Tokyo" }},
		{"choice", "kind", "must be one of PUBLIC, PRIVATE", func(e *event) { e.Kind = "SECRET" }},
		{"index", "attendees[1].email", "must be an e-mail address", func(e *event) { e.Attendees = []attendee{{"a@example.com"}, {"nobody"}} }},
		{"items", "attendees", "must have at most 3 items", func(e *event) {
			e.Attendees = []attendee{{"a@x.io"}, {"b@x.io"}, {"c@x.io"}, {"d@x.io"}}
		}},
		{"other field", "end_at", "must be after or greater than start_at", func(e *event) { e.EndAt = e.StartAt }},
		{"Go name", "owner_id", "must have at most 3 characters", func(e *event) { e.OwnerID = "abcd" }},
		{"number", "count", "must be at least 0", func(e *event) { e.Count = -1 }},
		{"json dash", "private", "must be text without control characters", func(e *event) { e.Private = "\x07" }},
	} {
		t.Run(c.name, func(t *testing.T) {
			e := valid()
			c.spoil(&e)
			err := check.Struct(&e)
			if c.location == "" {
				if err != nil {
					t.Fatalf("got %v", err)
				}
				return
			}
			if !errors.Is(err, check.ErrInput) || fault.CodeOf(err) != fault.Invalid {
				t.Fatalf("got %v", err)
			}
			got := fault.FieldsOf(err)
			if len(got) != 1 || got[0] != (fault.Field{Location: c.location, Message: c.message}) {
				t.Fatalf("got %+v", got)
			}
		})
	}
}

func TestEveryBadFieldIsNamedAndNoValueIsRepeated(t *testing.T) {
	e := valid()
	e.Title, e.Kind, e.OwnerID = "hunter2\n", "hunter2", "hunter2"
	err := check.Struct(e)
	if n := len(fault.FieldsOf(err)); n != 3 {
		t.Fatalf("got %d fields: %v", n, err)
	}
	if strings.Contains(err.Error(), "hunter2") {
		t.Fatalf("the value is repeated: %v", err)
	}
	if len(check.ErrInput.Fields) != 0 {
		t.Fatal("the sentinel has changed")
	}
}

func TestNoStruct(t *testing.T) {
	for _, v := range []any{nil, 3, (*event)(nil)} {
		if err := check.Struct(v); fault.CodeOf(err) != fault.Internal {
			t.Errorf("%T: got %v", v, err)
		}
	}
}

func TestPrefix(t *testing.T) {
	err := check.Prefix(fault.InvalidField("end_at", "is required"), "body")
	if got := fault.FieldsOf(err)[0].Location; got != "body.end_at" {
		t.Fatalf("got %q", got)
	}
	plain := errors.New("plain")
	if check.Prefix(plain, "body") != plain || check.Prefix(nil, "body") != nil {
		t.Fatal("changed what has no fields")
	}
}

func TestConcurrentUse(t *testing.T) {
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			if err := check.Struct(valid()); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
}

func Example() {
	type guest struct {
		Email string `json:"email" validate:"required,email_addr"`
	}
	type booking struct {
		Title  string  `json:"title" validate:"required,single_line,maxrunes=500"`
		Guests []guest `json:"guests" validate:"max=500,dive"`
	}
	err := check.Struct(booking{Guests: []guest{{"ann@example.com"}, {"nobody"}}})
	for _, f := range fault.FieldsOf(check.Prefix(err, "body")) {
		fmt.Println(f.Location, f.Message)
	}
	// Output:
	// body.title is required
	// body.guests[1].email must be an e-mail address
}

// TestIsTimeZone: the zone database of a machine holds files that are no zones of IANA's.
func TestIsTimeZone(t *testing.T) {
	for _, name := range []string{"UTC", "Asia/Tokyo", "America/Argentina/Buenos_Aires", "America/Port-au-Prince", "Etc/GMT+5", "EST5EDT", "GB-Eire"} {
		if !check.IsTimeZone(name) {
			t.Errorf("%s is none", name)
		}
	}
	for _, name := range []string{
		"", "Local", "localtime", "posixrules", "Factory", "right/Asia/Tokyo", "posix/Asia/Tokyo", "Asia//Tokyo", "./Asia/Tokyo", "Asia/./Tokyo",
		"/Asia/Tokyo", "../Asia/Tokyo", "tzdata.zi", "zone.tab", "Asia/Tokyo\r\nX:1", "Mars/Base",
	} {
		if check.IsTimeZone(name) {
			t.Errorf("%q is one", name)
		}
	}
}
