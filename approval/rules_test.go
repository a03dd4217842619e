package approval_test

import (
	"context"
	"encoding/json"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/renkei-go/renkei/approval"
	"github.com/renkei-go/renkei/foundation/fault"
	"github.com/renkei-go/renkei/foundation/identity"
)

func TestDefaultRules(t *testing.T) {
	type named string
	for name, c := range map[string]struct {
		facts       approval.Facts
		reasons     string
		explanation string
	}{
		"nothing":       {approval.Facts{}, "", ""},
		"nil":           {nil, "", ""},
		"nine":          {approval.Facts{"attendees": 9}, "", ""},
		"ten":           {approval.Facts{"attendees": 10}, "attendees", "attendees 10 ≥ 10"},
		"unsigned":      {approval.Facts{"attendees": uint8(12)}, "attendees", "attendees 12 ≥ 10"},
		"decoded":       {approval.Facts{"attendees": json.Number("10.5")}, "attendees", "attendees 10.5 ≥ 10"},
		"unclear":       {approval.Facts{"attendees": "many"}, "attendees", "attendees is unclear"},
		"no number":     {approval.Facts{"attendees": math.NaN()}, "attendees", "attendees NaN ≥ 10"},
		"an executive":  {approval.Facts{"role": []string{"hr", "Executive"}}, "executive", "role Executive"},
		"one role":      {approval.Facts{"role": named("Executive")}, "executive", "role Executive"},
		"other roles":   {approval.Facts{"role": []any{"hr"}}, "", ""},
		"odd roles":     {approval.Facts{"role": []any{1}}, "executive", "role is unclear"},
		"a large room":  {approval.Facts{"resource": []string{"大会議室"}}, "resource", "resource 大会議室"},
		"no resource":   {approval.Facts{"resource": []string{}}, "", ""},
		"flag":          {approval.Facts{"resource": true}, "resource", "resource yes"},
		"no flag":       {approval.Facts{"resource": false}, "", ""},
		"a number":      {approval.Facts{"resource": 2}, "resource", "resource 2"},
		"an odd object": {approval.Facts{"resource": map[string]any{}}, "resource", "resource is unclear"},
		"all": {approval.Facts{"attendees": 12, "role": []string{"Executive"}, "resource": []string{"大会議室", "講堂"}},
			"attendees,executive,resource", "attendees 12 ≥ 10; role Executive; resource 大会議室, 講堂"},
	} {
		reasons, explanation := approval.DefaultRules().For(approval.BookingFlow).Evaluate(c.facts)
		if strings.Join(reasons, ",") != c.reasons || strings.Join(explanation, "; ") != c.explanation {
			t.Errorf("%s: %v %v", name, reasons, explanation)
		}
	}
	if reasons, _ := approval.DefaultRules().For("purchase").Evaluate(approval.Facts{"attendees": 99}); len(reasons) != 0 {
		t.Errorf("another flow: %v", reasons)
	}
}

func TestRulesAreData(t *testing.T) {
	b, err := json.Marshal(approval.DefaultRules())
	if err != nil {
		t.Fatal(err)
	}
	var back approval.Rules
	if err := json.Unmarshal(b, &back); err != nil || !reflect.DeepEqual(back, approval.DefaultRules()) {
		t.Errorf("%s became %+v, %v", b, back, err)
	}
	if err := approval.DefaultRules().Validate(); err != nil {
		t.Error(err)
	}
	bad := approval.Rules{{}, approval.When("x").Because("y"), approval.When("x").AtLeast(1).Present().Because("y"), approval.When("x").Present().Because("")}
	if err := bad.Validate(); err == nil || strings.Count(err.Error(), "rule ") != 4 {
		t.Errorf("%v", err)
	}
}

func TestContentHash(t *testing.T) {
	type shape struct {
		B int    `json:"b"`
		A string `json:"a"`
	}
	one, err := approval.ContentHash(shape{1, "x"})
	if err != nil {
		t.Fatal(err)
	}
	for name, v := range map[string]any{"map": map[string]any{"a": "x", "b": 1}, "raw": json.RawMessage(` {"b" : 1, "a":"x"}`)} {
		if got, err := approval.ContentHash(v); err != nil || got != one {
			t.Errorf("%s: %s, %v", name, got, err)
		}
	}
	if got, _ := approval.ContentHash(shape{2, "x"}); got == one {
		t.Error("other content, same hash")
	}
	if _, err := approval.ContentHash(make(chan int)); fault.CodeOf(err) != fault.Invalid {
		t.Errorf("a channel: %v", err)
	}
}

type delegates map[string][]string

func (d delegates) of(_ context.Context, _ identity.TenantID, person string) ([]string, error) {
	return d[person], nil
}

func TestConfig(t *testing.T) {
	_, err := approval.New(approval.Config{Timeout: -1, RemindBefore: -1, Policies: approval.Rules{{}}})
	if err == nil || strings.Count(err.Error(), "\n") != 6 {
		t.Errorf("%v", err)
	}
}

// FuzzJudge: whatever rules and facts come in, there is an answer, the same each time, that explains itself; what is not
// stated asks for nothing, and a valid policy gives no reasons but its own.
func FuzzJudge(f *testing.F) {
	for _, seed := range [][2]string{
		{`[{"fact":"amount","at_least":10,"reason":"amount"}]`, `{"amount":12}`},
		{`[{"fact":"role","any_of":["a","b"],"reason":"role"},{"fact":"room","present":true,"reason":"room"}]`, `{"role":["b"],"room":"大会議室"}`},
		{`[{"fact":"x","at_least":-1e308,"reason":"x"}]`, `{"x":[[1,{"y":null}]]}`},
		{`[{"fact":"x","present":true,"reason":"x"}]`, `{"x":{}}`},
	} {
		f.Add(seed[0], seed[1])
	}
	f.Fuzz(func(t *testing.T, rules, facts string) {
		p := approval.Policy{Flow: "f"}
		var stated approval.Facts
		if json.Unmarshal([]byte(rules), &p.Rules) != nil || json.Unmarshal([]byte(facts), &stated) != nil {
			return
		}
		v := p.Judge(stated)
		if v.Required != (len(v.Reasons) > 0) || v.Required != (len(v.Explanation) > 0) || len(v.Reasons) > len(v.Explanation) {
			t.Errorf("%+v", v)
		}
		if again := p.Judge(stated); !reflect.DeepEqual(v, again) {
			t.Errorf("%+v, then %+v", v, again)
		}
		if none := p.Judge(nil); none.Required {
			t.Errorf("nothing is stated: %+v", none)
		}
		if p.Validate() != nil {
			return
		}
		for _, reason := range v.Reasons {
			if !slices.ContainsFunc(p.Rules, func(r approval.Rule) bool { return r.Reason == reason }) {
				t.Errorf("%q is nobody's reason: %+v", reason, p.Rules)
			}
		}
	})
}
