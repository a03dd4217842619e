package scim

import (
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/renkei-go/renkei/staff"
)

// Document adds the routes of a Server to an OpenAPI document.
func Document(api huma.API) {
	object := &huma.Schema{Type: huma.TypeObject, AdditionalProperties: true}
	text := &huma.Schema{Type: huma.TypeString}
	param := func(name, in, doc string, s *huma.Schema) *huma.Param {
		return &huma.Param{Name: name, In: in, Description: doc, Schema: s, Required: in == "path"}
	}
	id := param("id", "path", "The id of the resource.", text)
	match := param("If-Match", "header", "The ETag last seen.", text)
	shape := []*huma.Param{
		param("attributes", "query", "The attributes to return, with commas between.", text),
		param("excludedAttributes", "query", "The attributes not to return.", text),
	}
	search := append([]*huma.Param{
		param("filter", "query", "RFC 7644 section 3.4.2.2.", text),
		param("startIndex", "query", "From 1.", &huma.Schema{Type: huma.TypeInteger}),
		param("count", "query", "0 to 200, default 100.", &huma.Schema{Type: huma.TypeInteger}),
	}, shape...)
	add := func(method, path, id, summary string, body *huma.Schema, params []*huma.Param, codes ...string) {
		op := &huma.Operation{
			OperationID: "scim-" + id, Method: method, Path: Root + path, Summary: summary, Tags: []string{"scim"},
			Security: []map[string][]string{{"bearer": {}}}, Parameters: params, Responses: map[string]*huma.Response{},
		}
		for _, code := range append(codes, "401", "403", "429") {
			op.Responses[code] = &huma.Response{Description: "In the form of SCIM", Content: map[string]*huma.MediaType{mediaType: {Schema: object}}}
		}
		if body != nil {
			op.RequestBody = &huma.RequestBody{Required: true, Content: map[string]*huma.MediaType{mediaType: {Schema: body}}}
		}
		api.OpenAPI().AddOperation(op)
	}
	for _, r := range []resource{users(staff.AllGroups(), nil), units(staff.AllGroups(), nil)} {
		kind, body := string(r.kind), bodyOf(r)
		add(http.MethodGet, r.endpoint, "list-"+kind, "Search for resources of the kind "+kind, nil, search, "200", "400")
		add(http.MethodPost, r.endpoint, "create-"+kind, "Add a "+kind, body, shape, "201", "400", "409", "413", "415")
		add(http.MethodPost, r.endpoint+"/.search", "search-"+kind, "Search by a body", searchBody(), nil, "200", "400", "413", "415")
		one := append([]*huma.Param{id}, shape...)
		write := append([]*huma.Param{match}, one...)
		add(http.MethodGet, r.endpoint+"/{id}", "get-"+kind, "Get a "+kind, nil, one, "200", "304", "404")
		add(http.MethodPut, r.endpoint+"/{id}", "replace-"+kind, "Replace a "+kind, body, write, "200", "400", "404", "409", "412", "413", "415")
		add(http.MethodPatch, r.endpoint+"/{id}", "patch-"+kind, "Change a "+kind, patchBody(), write, "200", "400", "404", "409", "412", "413", "415")
		add(http.MethodDelete, r.endpoint+"/{id}", "delete-"+kind, "Delete a "+kind, nil, []*huma.Param{id, match}, "204", "404", "412")
	}
	add(http.MethodGet, "/ServiceProviderConfig", "config", "What this service provider can do", nil, nil, "200")
	for _, name := range []string{"ResourceTypes", "Schemas"} {
		add(http.MethodGet, "/"+name, "list-"+name, "List "+name, nil, nil, "200")
		add(http.MethodGet, "/"+name+"/{id}", "get-"+name, "Get one of the "+name, nil, []*huma.Param{id}, "200", "404")
	}
}

// bodyOf is the schema of a resource as clients send it.
func bodyOf(r resource) *huma.Schema {
	s := &huma.Schema{Type: huma.TypeObject, Properties: properties(append([]attribute{common[0], common[2]}, r.core.attributes...))}
	s.Properties["schemas"].Examples = []any{[]any{r.core.urn}}
	for _, e := range r.extensions {
		s.Properties[e.urn] = &huma.Schema{Type: huma.TypeObject, Properties: properties(e.attributes)}
	}
	return s
}

func properties(all []attribute) map[string]*huma.Schema {
	out := map[string]*huma.Schema{}
	for _, a := range all {
		s := &huma.Schema{Type: huma.TypeString, Description: a.text, ReadOnly: a.readOnly && a.name != "schemas"}
		switch a.kind {
		case kindBoolean:
			s.Type = huma.TypeBoolean
		case kindComplex:
			s.Type, s.Properties = huma.TypeObject, properties(a.sub)
		}
		if a.multi {
			s = &huma.Schema{Type: huma.TypeArray, Items: s}
		}
		out[a.name] = s
	}
	return out
}

func searchBody() *huma.Schema {
	text, number := &huma.Schema{Type: huma.TypeString}, &huma.Schema{Type: huma.TypeInteger}
	return &huma.Schema{Type: huma.TypeObject, Properties: map[string]*huma.Schema{
		"schemas": {Type: huma.TypeArray, Items: text, Examples: []any{[]any{SchemaSearch}}}, "filter": {Type: huma.TypeString, Examples: []any{"id pr"}},
		"startIndex": number, "count": number,
		"attributes": {Type: huma.TypeArray, Items: text}, "excludedAttributes": {Type: huma.TypeArray, Items: text},
	}}
}

func patchBody() *huma.Schema {
	return &huma.Schema{Type: huma.TypeObject, Properties: map[string]*huma.Schema{
		"schemas": {Type: huma.TypeArray, Items: &huma.Schema{Type: huma.TypeString}, Examples: []any{[]any{SchemaPatch}}},
		"Operations": {Type: huma.TypeArray, Items: &huma.Schema{Type: huma.TypeObject, Properties: map[string]*huma.Schema{
			"op":    {Type: huma.TypeString, Enum: []any{"replace", "add", "remove"}},
			"path":  {Type: huma.TypeString, Examples: []any{"displayName"}},
			"value": {Examples: []any{"Somebody Else"}},
		}}},
	}}
}
