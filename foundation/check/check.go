package check

import (
	"errors"
	"reflect"
	"strings"
	"sync"
	"unicode"

	"github.com/go-playground/validator/v10"

	"github.com/renkei-go/renkei/foundation/fault"
)

// ErrInput is the fault that Struct returns, with its fields. Match it with errors.Is.
var ErrInput = fault.New(fault.Invalid, "invalid_input", "the input is not valid")

// One engine for all: it caches what it learns of a type and is safe for concurrent use.
var engine = sync.OnceValue(newEngine)

// embedded marks, in a path, a struct whose fields JSON lifts to the level above.
const embedded = "\x00"

func newEngine() *validator.Validate {
	v := validator.New(validator.WithRequiredStructEnabled())
	v.RegisterTagNameFunc(func(f reflect.StructField) string {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		switch {
		case name != "" && name != "-":
			return name
		case f.Anonymous:
			return embedded
		}
		return snake(f.Name)
	})
	for tag, rule := range rules {
		if err := v.RegisterValidation(tag, rule); err != nil {
			panic("check: " + err.Error()) // a tag of ours that validator reserves: a mistake in this file
		}
	}
	return v
}

// Struct checks v, a struct or a pointer to one, with everything that it dives into. It returns nil or a *fault.Error
// like ErrInput with a field for each broken rule: locations in JSON names, or in the snake_case of the Go name where
// there is no json tag ("attendees[3].email"); messages never repeat a value. Anything but a struct is an Internal
// error. It is safe for concurrent use; an unknown tag panics, as it does in validator.
func Struct(v any) error {
	err := engine().Struct(v)
	if err == nil {
		return nil
	}
	var bad validator.ValidationErrors
	if !errors.As(err, &bad) {
		return fault.New(fault.Internal, "internal", "only a struct can be checked").Because(err)
	}
	e := *ErrInput
	for _, f := range bad {
		e.Fields = append(e.Fields, fault.Field{Location: location(f.Namespace()), Message: message(f)})
	}
	return &e
}

// Prefix returns err with prefix and a dot in front of every location, e.g. Prefix(err, "body"). An error that is no
// fault, or has no fields, passes unchanged.
func Prefix(err error, prefix string) error {
	f := fault.As(err)
	if f == nil || len(f.Fields) == 0 {
		return err
	}
	c := *f
	c.Fields = make([]fault.Field, len(f.Fields))
	for i, field := range f.Fields {
		c.Fields[i] = fault.Field{Location: strings.TrimSuffix(prefix+"."+field.Location, "."), Message: field.Message}
	}
	return &c
}

// location turns validator's "NewEvent.attendees[3].email" into "attendees[3].email".
func location(namespace string) string {
	_, path, _ := strings.Cut(namespace, ".")
	return strings.ReplaceAll(path, embedded+".", "")
}

// snake turns StartAt into start_at and TenantID into tenant_id.
func snake(name string) string {
	var b strings.Builder
	runes := []rune(name)
	for i, r := range runes {
		if unicode.IsUpper(r) {
			afterLower := i > 0 && !unicode.IsUpper(runes[i-1])
			endsAcronym := i > 0 && i+1 < len(runes) && unicode.IsLower(runes[i+1])
			if afterLower || endsAcronym {
				b.WriteByte('_')
			}
			r = unicode.ToLower(r)
		}
		b.WriteRune(r)
	}
	return b.String()
}
