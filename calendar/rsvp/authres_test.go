package rsvp

import (
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func vouched(field string) bool {
	return authserv(head{{"Authentication-Results", field}}, "mx.example.com", "guest@outside.example")
}

func TestAuthenticationResults(t *testing.T) {
	for field, want := range map[string]bool{
		"mx.example.com; dkim=pass header.d=outside.example":                                        true,
		"mx.example.com 1; dkim=pass header.d=outside.example":                                      true,
		"MX.Example.COM; DKIM=Pass HEADER.D=Outside.Example":                                        true,
		`"mx.example.com"; dkim/1 = pass header.d = "outside.example"`:                              true,
		"mx.example.com; dkim=pass header.d=mail.outside.example":                                   true, // relaxed alignment
		"mx.example.com; dkim=pass header.i=@outside.example header.b=QWJj=":                        true,
		"mx.example.com (x; y \\) (z)); dkim=pass (2048-bit key; secure) header.d=outside.example;": true,
		"mx.example.com; spf=pass (m: domain of a@b designates 1.2.3.4 as permitted sender) smtp.mailfrom=a@b; dmarc=pass (p=NONE sp=QUARANTINE dis=NONE) header.from=outside.example": true,
		"mx.example.com; dmarc=pass": true,
		"mx.example.com; dkim=pass header.d=evil.example; dkim=pass header.d=outside.example": true, // two signatures

		"":                     false,
		"mx.example.com":       false,
		"mx.example.com; none": false,
		"mx.example.com; dkim=fail header.d=outside.example":                 false,
		"mx.example.com; spf=pass smtp.mailfrom=outside.example":             false,
		"mx.example.com; dkim=pass":                                          false,
		"mx.example.com; dkim=pass header.d=evil.example":                    false,
		"mx.example.com; dkim=pass header.d=example":                         false, // a public suffix
		"mx.example.com; dmarc=pass header.from=evil.example":                false,
		"mx.example.com.evil.example; dkim=pass header.d=outside.example":    false,
		"evil.example; dkim=pass header.d=outside.example":                   false,
		"evil.example (mx.example.com; dkim=pass header.d=outside.example)":  false,
		"(mx.example.com;) evil.example; dkim=pass header.d=outside.example": false,
		// What a stranger may have put into a comment or a quoted string.
		"mx.example.com; dkim=fail (dkim=pass header.d=outside.example) header.d=outside.example":        false,
		"mx.example.com; dkim=fail (; dkim=pass header.d=outside.example)":                               false,
		`mx.example.com; dkim=fail reason="x; dkim=pass header.d=outside.example"`:                       false,
		`mx.example.com; spf=fail smtp.mailfrom="; dkim=pass header.d=outside.example ;"@evil.example`:   false,
		`mx.example.com; spf=fail smtp.mailfrom="\"; dkim=pass header.d=outside.example ;"@evil.example`: false,
		`mx.example.com; dkim=pass header.d=outside.example reason="no end`:                              false,
		"mx.example.com; dkim=pass header.d=outside.example (no end":                                     false,
	} {
		if got := vouched(field); got != want {
			t.Errorf("%v for %s", got, field)
		}
	}
}

// TestAuthenticationResultsInjection: nothing inside a comment or a quoted string makes a failure a success.
func TestAuthenticationResultsInjection(t *testing.T) {
	text := rapid.StringOfN(rapid.SampledFrom([]rune(`();"\ =x`)), 0, 20, -1)
	rapid.Check(t, func(t *rapid.T) {
		evil := text.Draw(t, "before") + "; dkim=pass header.d=outside.example ;" + text.Draw(t, "after")
		quote := strings.NewReplacer(`\`, `\\`, `"`, `\"`)
		comment := strings.NewReplacer(`\`, `\\`, "(", `\(`, ")", `\)`)
		for _, field := range []string{
			`mx.example.com; spf=fail smtp.mailfrom="` + quote.Replace(evil) + `"@evil.example`,
			"mx.example.com; dkim=fail (" + comment.Replace(evil) + ") header.d=outside.example",
		} {
			if vouched(field) {
				t.Fatal(field)
			}
		}
	})
}

func FuzzAuthenticationResults(f *testing.F) {
	f.Add("mx.example.com 1; dkim=pass (a (b) \\) c) header.d=outside.example reason=\"x;\\\"y\"; dmarc/1 = fail")
	f.Add("; ; =;(\"")
	f.Fuzz(func(t *testing.T, field string) {
		id, results, ok := readAuthResults(field)
		if ok && len(results) > 0 && !strings.Contains(field, ";") {
			t.Errorf("%q has results without a semicolon: %v", id, results)
		}
	})
}
