package scim

import (
	"slices"
	"strings"

	"github.com/renkei-go/renkei/staff"
)

// The schemas (RFC 7643 section 8, RFC 7644 section 8).
const (
	SchemaUser       = "urn:ietf:params:scim:schemas:core:2.0:User"
	SchemaGroup      = "urn:ietf:params:scim:schemas:core:2.0:Group"
	SchemaEnterprise = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
	SchemaList       = "urn:ietf:params:scim:api:messages:2.0:ListResponse"
	SchemaSearch     = "urn:ietf:params:scim:api:messages:2.0:SearchRequest"
	SchemaPatch      = "urn:ietf:params:scim:api:messages:2.0:PatchOp"
	SchemaError      = "urn:ietf:params:scim:api:messages:2.0:Error"
)

// The data types of attributes that occur here (RFC 7643 section 2.3).
const (
	kindString    = "string"
	kindBoolean   = "boolean"
	kindDateTime  = "dateTime"
	kindReference = "reference"
	kindComplex   = "complex"
)

// attribute is one attribute of a schema (RFC 7643 section 7), and which field of a person it stands for.
type attribute struct {
	name     string
	kind     string
	text     string
	multi    bool
	required bool
	exact    bool // case matters
	readOnly bool
	always   bool // returned whatever is asked for
	unique   bool
	field    string // of a person; "" is SCIM's own
	refers   []string
	sub      []attribute
}

// schema is a set of attributes under a URN.
type schema struct {
	urn, name, text string
	attributes      []attribute
}

// common are the attributes of every resource (RFC 7643 section 3.1).
var common = []attribute{
	{name: "schemas", kind: kindReference, text: "The schemas of the resource.", multi: true, required: true, exact: true, readOnly: true, always: true, refers: []string{"uri"}},
	{name: "id", kind: kindString, text: "The number of the person or unit.", exact: true, readOnly: true, always: true, unique: true},
	{name: "externalId", kind: kindString, text: "The client's own id of the resource.", exact: true},
	{name: "meta", kind: kindComplex, text: "About the resource.", readOnly: true, sub: []attribute{
		{name: "resourceType", kind: kindString, text: "User or Group.", exact: true, readOnly: true},
		{name: "created", kind: kindDateTime, text: "When it was made.", readOnly: true},
		{name: "lastModified", kind: kindDateTime, text: "When it was changed last.", readOnly: true},
		{name: "location", kind: kindReference, text: "Its address.", exact: true, readOnly: true, refers: []string{"uri"}},
		{name: "version", kind: kindString, text: "Its entity tag.", exact: true, readOnly: true},
	}},
}

// single is a multi-valued attribute of which staff keeps one value.
func single(name, field, text string) attribute {
	return attribute{name: name, kind: kindComplex, text: text, multi: true, field: field, sub: []attribute{
		{name: "value", kind: kindString, text: "The value."},
		{name: "type", kind: kindString, text: "Always work."},
		{name: "primary", kind: kindBoolean, text: "Always true."},
	}}
}

var userSchema = schema{SchemaUser, "User", "A person of the organisation.", []attribute{
	{name: "userName", kind: kindString, text: "The client's unique name of the person.", required: true, unique: true},
	{name: "name", kind: kindComplex, text: "The parts of the name.", sub: []attribute{
		{name: "formatted", kind: kindString, text: "The whole name; the same as displayName.", field: "name"},
		{name: "familyName", kind: kindString, text: "The last name.", required: true, field: "last_name"},
		{name: "givenName", kind: kindString, text: "The first name.", required: true, field: "first_name"},
	}},
	{name: "displayName", kind: kindString, text: "The name as shown to others.", field: "name"},
	{name: "title", kind: kindString, text: "The job title.", field: "job_title"},
	{name: "userType", kind: kindString, text: "The kind of person.", readOnly: true, field: "person_type"},
	{name: "active", kind: kindBoolean, text: "Whether the person works here.", field: "is_active"},
	single("emails", "email", "The mail address; of several the primary one, else the one for work, is kept."),
	single("phoneNumbers", "phone", "The phone number; of several the primary one, else the one for work, is kept."),
	{name: "groups", kind: kindComplex, text: "The groups that the person is or will be in.", multi: true, readOnly: true, field: staff.FieldUnits, sub: []attribute{
		{name: "value", kind: kindString, text: "The id of the group.", exact: true, readOnly: true},
		{name: "$ref", kind: kindReference, text: "Its address.", exact: true, readOnly: true, refers: []string{"Group"}},
		{name: "display", kind: kindString, text: "Its name.", readOnly: true},
		{name: "type", kind: kindString, text: "Always direct.", readOnly: true},
	}},
}}

var enterpriseSchema = schema{SchemaEnterprise, "EnterpriseUser", "A person as an employee.", []attribute{
	{name: "employeeNumber", kind: kindString, text: "The employee reference.", unique: true, exact: true, field: "employee_reference"},
	{name: "costCenter", kind: kindString, text: "The cost centre.", field: "cost_centre"},
	{name: "department", kind: kindString, text: "The name of the primary unit.", readOnly: true, field: staff.FieldUnits},
	{name: "manager", kind: kindComplex, text: "Who leads the person.", field: "line_manager_id", sub: []attribute{
		{name: "value", kind: kindString, text: "The id of the manager.", exact: true},
		{name: "$ref", kind: kindReference, text: "The manager's address.", exact: true, readOnly: true, refers: []string{"User"}},
	}},
}}

var groupSchema = schema{SchemaGroup, "Group", "An organisational unit.", []attribute{
	{name: "displayName", kind: kindString, text: "The name of the unit.", required: true, field: staff.FieldUnits},
	{name: "members", kind: kindComplex, text: "The people who are or will be in the unit.", multi: true, field: staff.FieldUnits, sub: []attribute{
		{name: "value", kind: kindString, text: "The id of the person.", exact: true},
		{name: "$ref", kind: kindReference, text: "The person's address.", exact: true, readOnly: true, refers: []string{"User"}},
		{name: "type", kind: kindString, text: "Always User.", readOnly: true},
	}},
}}

// resource is a kind of resource as a caller sees it: without the attributes that the caller may not read, and with those
// that staff keeps for itself as readOnly.
type resource struct {
	kind       Kind
	endpoint   string
	core       schema
	extensions []schema
	// hidden are the attributes that exist for others, as paths. To write them is forbidden, not without effect.
	hidden []string
}

func users(groups staff.Groups, readOnly []string) resource {
	r := resource{kind: User, endpoint: "/Users"}
	r.core, r.extensions = r.limit(userSchema, groups, readOnly), []schema{r.limit(enterpriseSchema, groups, readOnly)}
	return r
}

func units(groups staff.Groups, readOnly []string) resource {
	r := resource{kind: Group, endpoint: "/Groups"}
	r.core = r.limit(groupSchema, groups, readOnly)
	return r
}

func (r *resource) limit(s schema, groups staff.Groups, readOnly []string) schema {
	prefix := ""
	if s.urn == SchemaEnterprise {
		prefix = s.urn + ":"
	}
	s.attributes = limited(s.attributes, groups, readOnly, func(a attribute) { r.hidden = append(r.hidden, prefix+a.name) })
	return s
}

func limited(all []attribute, groups staff.Groups, readOnly []string, hide func(attribute)) []attribute {
	var out []attribute
	for _, a := range all {
		if g, known := staff.GroupOf(a.field); known && !groups.Has(g) {
			hide(a)
			continue
		}
		a.readOnly = a.readOnly || a.field != "" && slices.Contains(readOnly, a.field)
		a.sub = limited(a.sub, groups, readOnly, hide)
		for i := range a.sub {
			a.sub[i].readOnly = a.sub[i].readOnly || a.readOnly
		}
		out = append(out, a)
	}
	return out
}

// ref is an attribute, or a part of one, of a resource.
type ref struct {
	urn  string // of the extension; "" for the core schema
	attr *attribute
	sub  *attribute // nil: all of attr
}

// target is what of it is written or compared.
func (r ref) target() *attribute {
	if r.sub != nil {
		return r.sub
	}
	return r.attr
}

func named(all []attribute, name string) *attribute {
	for i := range all {
		if strings.EqualFold(all[i].name, name) {
			return &all[i]
		}
	}
	return nil
}

// schemaOf splits a name such as "urn:…:User:manager" into the schema and what follows it; rest is "" for the URN alone.
func (r resource) schemaOf(name string) (s *schema, rest string, ok bool) {
	if len(name) < 4 || !strings.EqualFold(name[:4], "urn:") {
		return &r.core, name, true
	}
	for _, s := range append([]schema{r.core}, r.extensions...) {
		if len(name) >= len(s.urn) && strings.EqualFold(name[:len(s.urn)], s.urn) {
			if rest, ok := strings.CutPrefix(name[len(s.urn):], ":"); ok {
				return &s, rest, true
			}
			if len(name) == len(s.urn) {
				return &s, "", true
			}
		}
	}
	return nil, "", false
}

// resolve finds the attribute that a name such as "name.givenName" or "urn:…:User:manager.value" means (RFC 7644
// section 3.10), without regard to case.
func (r resource) resolve(name string) (ref, bool) {
	s, rest, ok := r.schemaOf(name)
	if !ok {
		return ref{}, false
	}
	first, second, dotted := strings.Cut(rest, ".")
	attr := named(s.attributes, first)
	out := ref{attr: attr}
	if s.urn != r.core.urn {
		out.urn = s.urn
	} else if attr == nil {
		out.attr = named(common, first)
	}
	if out.attr == nil {
		return ref{}, false
	}
	if dotted {
		if out.sub = named(out.attr.sub, second); out.sub == nil {
			return ref{}, false
		}
	}
	return out, true
}

// hides says whether an attribute exists, but not for the caller.
func (r resource) hides(name string) bool {
	name = strings.TrimPrefix(strings.ToLower(name), strings.ToLower(r.core.urn)+":")
	return slices.ContainsFunc(r.hidden, func(h string) bool {
		h = strings.ToLower(h)
		return name == h || strings.HasPrefix(name, h+".")
	})
}
