package scim_test

import (
	"net/url"
	"slices"
	"strings"
	"testing"
)

func escape(s string) string { return url.QueryEscape(s) }

// TestFilters: every operator, precedence, grouping, case, and the quirks of literals (RFC 7644 section 3.4.2.2).
func TestFilters(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		noah := r.create(t, noah)
		mia := r.create(t, `{"userName":"mia@example.com","name":{"givenName":"Mia","familyName":"Müller"},"active":false,
			"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User":{"employeeNumber":"E2","manager":{"value":"`+noah+`"}}}`)
		ben := r.named(t, "ben")
		unit := r.call("POST", "/Groups", `{"displayName":"Ward","externalId":"w","members":[{"value":"`+ben+`"}]}`).want(t, 201).json(t)["id"]
		const enterprise = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:"
		for filter, want := range map[string][]string{
			`userName eq "NOAH@example.com"`:                               {noah},
			`USERNAME Eq "noah@example.com"`:                               {noah},
			`urn:ietf:params:scim:schemas:core:2.0:User:userName eq "ben"`: {ben},
			`userName eq "nobody"`:                                         {},
			`userName ne "ben"`:                                            {noah, mia},
			`userName co "EXAMPLE"`:                                        {noah, mia},
			`userName sw "b"`:                                              {ben},
			`userName ew ".com"`:                                           {noah, mia},
			`name.familyName eq "müller"`:                                  {mia},
			`name.familyName gt "n"`:                                       {noah},
			`name.familyName ge "weber"`:                                   {noah},
			`name.familyName lt "m"`:                                       {ben},
			`name.familyName le "müller"`:                                  {mia, ben},
			`title pr`:                                                     {noah},
			`not (title pr)`:                                               {mia, ben},
			`title eq null`:                                                {mia, ben},
			`title ne null`:                                                {noah},
			`active eq true`:                                               {noah, ben},
			`active eq "False"`:                                            {mia},
			`externalId eq "e-1"`:                                          {noah},
			`externalId eq "E-1"`:                                          {},
			`id eq "` + mia + `"`:                                          {mia},
			`id eq ` + mia:                                                 {mia},
			enterprise + `employeeNumber eq "E2"`:                          {mia},
			enterprise + `manager eq "` + noah + `"`:                       {mia},
			enterprise + `manager.value eq "` + noah + `"`:                 {mia},
			`emails eq "noah@example.com"`:                                 {noah},
			`emails.value eq "noah@example.com"`:                           {noah},
			`emails[type eq "work" and value co "NOAH"]`:                   {noah},
			`emails[type eq "home"]`:                                       {},
			`emails[value eq "noah@example.com"]`:                          {noah},
			`groups.display eq "ward"`:                                     {ben},
			`groups[display eq "ward"]`:                                    {ben},
			`meta.created gt "2020-01-01T00:00:00Z"`:                       {noah, mia, ben},
			`meta.lastModified lt "2020-01-01T00:00:00Z"`:                  {},
			`userName eq "ben" or title pr and active eq false`:            {ben},
			`(userName eq "ben" or title pr) and active eq false`:          {},
			`userName eq "ben" and active eq true`:                         {ben},
			`userName eq "ben" and active eq false`:                        {},
			`not (userName eq "ben") and not(userName sw "n")`:             {mia},
			`userName eq "b\u0065n"`:                                       {ben},
			`  userName   eq   "ben"  `:                                    {ben},
			`userType eq "staff" AND NOT (active eq false) OR displayName eq "x y"`: {noah, ben},
		} {
			if got := r.find(t, "/Users", filter); !slices.Equal(got, want) {
				t.Errorf("%s: %v, want %v", filter, got, want)
			}
		}
		for filter, want := range map[string]int{
			`displayName eq "ward"`: 1, `externalId eq "w"`: 1, `members eq "` + ben + `"`: 1, `members.value eq "` + mia + `"`: 0,
			`members[value eq "` + ben + `"] and displayName sw "W"`: 1, `members pr`: 1, `not (members pr)`: 0, `members eq "x"`: 0,
		} {
			if got := r.find(t, "/Groups", filter); len(got) != want || want == 1 && got[0] != unit {
				t.Errorf("%s: %v, want %d", filter, got, want)
			}
		}
		for _, filter := range []string{
			``, ` `, `userName`, `userName eq`, `userName eq ben`, `userName eq "ben`, `userName xx "ben"`, `eq "ben"`, `userName eq "ben" and`, `and`,
			`(userName eq "ben"`, `userName eq "ben")`, `not userName eq "ben"`, `emails[type eq "work"`, `emails[]`, `emails[nothing eq "x"]`, `userName[value eq "x"]`,
			`nothing eq "x"`, `name eq "x"`, `name.nothing eq "x"`, `active gt true`, `active eq "perhaps"`, `active co "t"`, `userName eq true`,
			`meta.created eq "yesterday"`, `meta.created co "2020-01-01T00:00:00Z"`, `title gt null`, `userName eq {}`, `userName eq [1]`, `userName eq"ben"`,
			`urn:x:User:userName eq "ben"`, `userName.value.more eq "x"`, strings.Repeat("(", 40) + `title pr` + strings.Repeat(")", 40),
			strings.Repeat("title pr or ", 101) + "title pr", `userName eq "` + strings.Repeat("x", 5000) + `"`, "userName eq \"\xff\"\x00",
		} {
			r.call("GET", "/Users?filter="+escape(filter), "").wantError(t, 400, "invalidFilter")
		}
	})
}
