package approval

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// BookingFlow is the flow of calendar bookings.
const BookingFlow = "booking"

// Facts are what a submitter states about a subject: numbers, booleans, strings and lists of strings.
type Facts map[string]any

// Rule asks for consent when a fact meets its one condition. Its JSON form is the one that policies are kept in:
//
//	{"flow":"booking","fact":"attendees","at_least":10,"reason":"attendees"}
type Rule struct {
	Flow    string   `json:"flow,omitempty"`     // the flow it is for; empty: every flow
	Fact    string   `json:"fact"`               // the fact it looks at
	AtLeast *float64 `json:"at_least,omitempty"` // the number is this or more
	AnyOf   []string `json:"any_of,omitempty"`   // the string, or one of the list, is one of these
	Present bool     `json:"present,omitempty"`  // true, or a list or string that is not empty, or a number that is not 0
	Reason  string   `json:"reason"`             // the word for it in Request.Reasons
}

// Rules ask for consent when any of them does.
type Rules []Rule

// DefaultRules are the seed's: a booking with 10 or more attendees, with somebody of role Executive, or with an
// important resource (seed 003 §6.1). Facts: attendees (number), role (list of roles), resource (list of names).
func DefaultRules() Rules {
	return Rules{
		When("attendees").AtLeast(10).Because("attendees").In(BookingFlow),
		When("role").AnyOf("Executive").Because("executive").In(BookingFlow),
		When("resource").Present().Because("resource").In(BookingFlow),
	}
}

// Condition is a rule in the making: When("amount").AtLeast(100_000).Because("amount").
type Condition struct{ rule Rule }

// When begins a rule on a fact.
func When(fact string) Condition { return Condition{Rule{Fact: fact}} }

// AtLeast is met by a number that is n or more.
func (c Condition) AtLeast(n float64) Condition { c.rule.AtLeast = &n; return c }

// AnyOf is met by a string, or a list with a string, among values.
func (c Condition) AnyOf(values ...string) Condition { c.rule.AnyOf = slices.Clone(values); return c }

// Present is met by true, a list or string that is not empty, and a number that is not 0.
func (c Condition) Present() Condition { c.rule.Present = true; return c }

// Because completes the rule with its reason.
func (c Condition) Because(reason string) Rule { c.rule.Reason = reason; return c.rule }

// In limits the rule to one flow.
func (r Rule) In(flow string) Rule { r.Flow = flow; return r }

// Validate returns what is wrong with the rules, joined; nil when nothing is.
func (rules Rules) Validate() error {
	var errs []error
	for i, r := range rules {
		conditions := 0
		for _, set := range []bool{r.AtLeast != nil, len(r.AnyOf) > 0, r.Present} {
			if set {
				conditions++
			}
		}
		switch {
		case r.Fact == "":
			errs = append(errs, fmt.Errorf("rule %d: a fact is required", i))
		case r.Reason == "":
			errs = append(errs, fmt.Errorf("rule %d: a reason is required", i))
		case conditions != 1:
			errs = append(errs, fmt.Errorf("rule %d: exactly one of at_least, any_of, present is required", i))
		}
	}
	return errors.Join(errs...)
}

// For returns the rules of a flow.
func (rules Rules) For(flow string) Rules {
	return slices.DeleteFunc(slices.Clone(rules), func(r Rule) bool { return r.Flow != "" && r.Flow != flow })
}

// Evaluate says why the facts need consent, each reason once, with one line of explanation per rule that is met; both
// are empty when none is. A missing fact meets nothing. A fact of a form that the condition cannot judge does meet it:
// when in doubt, ask. It is a pure function.
func (rules Rules) Evaluate(facts Facts) (reasons, explanation []string) {
	reasons, explanation = []string{}, []string{}
	for _, r := range rules {
		text, met := r.judge(facts)
		if !met {
			continue
		}
		if !slices.Contains(reasons, r.Reason) {
			reasons = append(reasons, r.Reason)
		}
		explanation = append(explanation, r.Fact+" "+text)
	}
	return reasons, explanation
}

const unclear = "is unclear" // the explanation of a fact that cannot be judged

func (r Rule) judge(facts Facts) (explanation string, met bool) {
	value, stated := facts[r.Fact]
	if !stated || value == nil {
		return "", false
	}
	number, isNumber := numberOf(value)
	list, isList := listOf(value)
	switch {
	case r.AtLeast != nil:
		if !isNumber {
			return unclear, true
		}
		return show(number) + " ≥ " + show(*r.AtLeast), !(number < *r.AtLeast)
	case len(r.AnyOf) > 0:
		if !isList {
			return unclear, true
		}
		found := slices.DeleteFunc(list, func(s string) bool { return !slices.Contains(r.AnyOf, s) })
		return strings.Join(found, ", "), len(found) > 0
	case isNumber:
		return show(number), number != 0
	case isList:
		return strings.Join(list, ", "), len(list) > 0
	}
	if yes, ok := value.(bool); ok {
		return "yes", yes
	}
	return unclear, true
}

func show(f float64) string { return strconv.FormatFloat(f, 'f', -1, 64) }

func numberOf(v any) (float64, bool) {
	if n, ok := v.(json.Number); ok {
		f, err := n.Float64()
		return f, err == nil
	}
	switch rv := reflect.ValueOf(v); {
	case rv.CanInt():
		return float64(rv.Int()), true
	case rv.CanUint():
		return float64(rv.Uint()), true
	case rv.CanFloat():
		return rv.Float(), true
	}
	return 0, false
}

// listOf returns a new slice of the strings in v: a string, or a slice of strings.
func listOf(v any) ([]string, bool) {
	rv := reflect.ValueOf(v)
	if rv.Kind() == reflect.String {
		if rv.Len() == 0 {
			return []string{}, true
		}
		return []string{rv.String()}, true
	}
	if rv.Kind() != reflect.Slice && rv.Kind() != reflect.Array {
		return nil, false
	}
	list := make([]string, 0, rv.Len())
	for i := range rv.Len() {
		item := rv.Index(i)
		if item.Kind() == reflect.Interface {
			item = item.Elem()
		}
		if item.Kind() != reflect.String {
			return nil, false
		}
		list = append(list, item.String())
	}
	return list, true
}
