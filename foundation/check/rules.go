package check

import (
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/go-playground/validator/v10"

	"github.com/renkei-go/renkei/foundation/identity"
)

// rules are the tags that validator does not have. The map is read only.
var rules = map[string]validator.Func{
	"text": func(f validator.FieldLevel) bool {
		return IsText(f.Field().String(), f.Param() == "multiline")
	},
	"single_line": func(f validator.FieldLevel) bool {
		s := f.Field().String()
		return IsText(s, false) && !strings.ContainsAny(s, "\u2028\u2029")
	},
	"maxrunes": func(f validator.FieldLevel) bool {
		n, err := strconv.Atoi(f.Param())
		if err != nil {
			panic("check: maxrunes needs a number")
		}
		return utf8.RuneCountInString(f.Field().String()) <= n
	},
	"iana_tz": func(f validator.FieldLevel) bool { return IsTimeZone(f.Field().String()) },
	"email_addr": func(f validator.FieldLevel) bool {
		return identity.NormalEmail(f.Field().String()) != ""
	},
}

// IsText says whether s is valid UTF-8 without control characters. With multiline, line feeds (also as \r\n) and tabs
// are allowed.
func IsText(s string, multiline bool) bool {
	if !utf8.ValidString(s) {
		return false
	}
	for i, r := range s {
		switch {
		case !unicode.IsControl(r):
		case multiline && (r == '\n' || r == '\t'):
		case multiline && r == '\r' && i+1 < len(s) && s[i+1] == '\n':
		default:
			return false
		}
	}
	return true
}

// zoneName is the form of IANA's names: "Asia/Tokyo", "America/Argentina/Buenos_Aires", "Etc/GMT+5", "UTC".
var zoneName = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_+-]*(/[A-Za-z][A-Za-z0-9_+-]*){0,2}$`)

// IsTimeZone says whether name is an IANA time zone that this machine knows. What its files hold besides these is none:
// it would mean something else, or nothing, to another machine or to a calendar program.
func IsTimeZone(name string) bool {
	switch folder, _, _ := strings.Cut(name, "/"); folder {
	case "Local", "localtime", "posixrules", "Factory", "posix", "right":
		return false
	}
	if !zoneName.MatchString(name) {
		return false
	}
	_, err := time.LoadLocation(name)
	return err == nil
}

// plain are the messages of rules without a parameter, or whose parameter says nothing to a client.
var plain = map[string]string{
	"required":    "is required",
	"text":        "must be text without control characters",
	"single_line": "must be one line of text without control characters",
	"iana_tz":     `must be an IANA time zone such as "Asia/Tokyo"`,
	"email_addr":  "must be an e-mail address",
	"email":       "must be an e-mail address",
	"url":         "must be a URL",
	"http_url":    "must be an http or https URL",
	"uri":         "must be a URI",
	"uuid":        "must be a UUID",
	"unique":      "must not repeat an item",
	"alphanum":    "must have letters and digits only",
	"hostname":    "must be a host name",
	"ip":          "must be an IP address",
	"cidr":        "must be a CIDR block",
	"timezone":    `must be an IANA time zone such as "Asia/Tokyo"`,
	"boolean":     "must be true or false",
}

// bounds are the rules with a number; the unit depends on what is measured.
var bounds = map[string]string{
	"min": "at least", "gte": "at least", "gt": "more than",
	"max": "at most", "lte": "at most", "lt": "less than",
	"len": "exactly", "eq": "exactly", "maxrunes": "at most",
}

// relations compare with another field.
var relations = map[string]string{
	"gtfield": "after or greater than", "gtefield": "not before or less than",
	"ltfield": "before or less than", "ltefield": "not after or greater than",
	"eqfield": "equal to", "nefield": "different from",
}

// message says what would be right. It uses the rule only, never the value.
func message(f validator.FieldError) string {
	if m, ok := plain[f.Tag()]; ok {
		return m
	}
	if words, ok := bounds[f.Tag()]; ok {
		return bound(f.Kind(), f.Type(), words, f.Param())
	}
	if words, ok := relations[f.Tag()]; ok {
		return "must be " + words + " " + snake(f.Param())
	}
	switch {
	case f.Tag() == "oneof":
		return "must be one of " + strings.Join(strings.Fields(f.Param()), ", ")
	case strings.HasPrefix(f.Tag(), "required_"):
		return "is required in this combination"
	case strings.HasPrefix(f.Tag(), "excluded_"):
		return "is not allowed in this combination"
	}
	return "is not valid"
}

func bound(kind reflect.Kind, t reflect.Type, words, n string) string {
	switch {
	case t == reflect.TypeFor[time.Time]():
		return "must be a time in the allowed range"
	case kind == reflect.String:
		return "must have " + words + " " + count(n, "character")
	case kind == reflect.Slice, kind == reflect.Array, kind == reflect.Map:
		return "must have " + words + " " + count(n, "item")
	}
	return "must be " + words + " " + n
}

func count(n, noun string) string {
	if n == "1" {
		return n + " " + noun
	}
	return n + " " + noun + "s"
}
