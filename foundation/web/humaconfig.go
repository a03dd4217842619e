package web

import (
	"path"
	"reflect"
	"strings"

	"github.com/danielgtaylor/huma/v2"
)

// HumaConfig is the configuration for huma.NewAPI or an adapter's New: OpenAPI 3.1 at /openapi.json, JSON only, errors
// as Problem, and neither huma's documentation page, which loads scripts from a CDN (see DocsHandler), nor "$schema"
// members in bodies. Schemas are named after package and type ("calendarhttp.Event" is "CalendarEvent"), since two
// packages may well have an Event; give bodies named types, because huma names anonymous ones without the package.
func HumaConfig(title, version string) huma.Config {
	registry := huma.NewMapRegistry("#/components/schemas/", schemaName)
	registry.RegisterTypeAlias(reflect.TypeFor[huma.ErrorModel](), reflect.TypeFor[Problem]())
	str := &huma.Schema{Type: huma.TypeString}
	return huma.Config{
		OpenAPI: &huma.OpenAPI{
			OpenAPI: "3.1.0",
			Info:    &huma.Info{Title: title, Version: version},
			Components: &huma.Components{
				Schemas:         registry,
				SecuritySchemes: map[string]*huma.SecurityScheme{"bearer": {Type: "http", Scheme: "bearer"}},
				Parameters: map[string]*huma.Param{
					"ActAsUser":      {Name: HeaderActAs, In: "header", Schema: str, Description: "The person to act for; needs a delegation."},
					"IdempotencyKey": {Name: HeaderIdempotencyKey, In: "header", Schema: str, Description: "At most 255 visible ASCII characters; the first answer is replayed for 24 hours."},
				},
			},
		},
		OpenAPIPath:   "/openapi",
		Formats:       map[string]huma.Format{"application/json": huma.DefaultJSONFormat, "json": huma.DefaultJSONFormat},
		DefaultFormat: "application/json",
		Transformers:  []huma.Transformer{transform},
	}
}

// problemResponse describes errors in OpenAPI.
func problemResponse(api huma.API) *huma.Response {
	schema := api.OpenAPI().Components.Schemas.Schema(reflect.TypeFor[Problem](), true, "Problem")
	return &huma.Response{
		Description: "Error",
		Content:     map[string]*huma.MediaType{"application/problem+json": {Schema: schema}},
	}
}

// schemaName is huma's namer with the package in front of every type name.
func schemaName(t reflect.Type, hint string) string {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	name := t.Name()
	if name == "" {
		return huma.DefaultSchemaNamer(t, hint)
	}
	outer, args, generic := strings.Cut(name, "[")
	result := qualified(t.PkgPath(), outer)
	if !generic {
		return result
	}
	for arg := range strings.SplitSeq(strings.TrimSuffix(args, "]"), ",") {
		arg = strings.TrimLeft(arg, "*[]")
		pkg, base := "", arg
		if dot := strings.LastIndexByte(arg, '.'); dot >= 0 {
			pkg, base = arg[:dot], arg[dot+1:]
		}
		result += qualified(pkg, strings.Trim(base, "[]"))
	}
	return result
}

// qualified joins a package's noun and a type's name, once: calendarhttp.CalendarEvent stays CalendarEvent.
func qualified(pkg, name string) string {
	noun := strings.TrimSuffix(path.Base(pkg), "http")
	if dot := strings.LastIndexByte(noun, '.'); dot >= 0 {
		noun = noun[dot+1:]
	}
	name = title(name)
	switch noun = title(strings.TrimSuffix(noun, "_test")); noun {
	case "", "Main", "Web", "Fault":
		return name
	}
	if strings.HasPrefix(name, noun) {
		return name
	}
	return noun + name
}

func title(s string) string {
	if s == "" {
		return ""
	}
	return strings.ToUpper(s[:1]) + s[1:]
}
