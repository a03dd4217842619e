package staffhttp

import (
	"net/http"

	"github.com/danielgtaylor/huma/v2"
)

// document adds the plain handlers to the OpenAPI document.
func document(api huma.API) {
	object := &huma.MediaType{Schema: &huma.Schema{Type: huma.TypeObject, AdditionalProperties: true}}
	answers := func(codes ...string) map[string]*huma.Response {
		out := map[string]*huma.Response{}
		for _, c := range codes {
			out[c] = &huma.Response{Description: "In the form of seed 001's service", Content: map[string]*huma.MediaType{"application/json": object}}
		}
		return out
	}
	bearer := []map[string][]string{{"bearer": {}}}
	query := func(name, doc string, schema *huma.Schema) *huma.Param {
		return &huma.Param{Name: name, In: "query", Description: doc, Schema: schema}
	}
	text, number := &huma.Schema{Type: huma.TypeString}, &huma.Schema{Type: huma.TypeInteger}
	api.OpenAPI().AddOperation(&huma.Operation{
		OperationID: "staff-data", Method: http.MethodGet, Path: "/api/staff-data.php", Summary: "List people, or get one (seed 001)", Tags: tag, Security: bearer,
		Parameters: []*huma.Param{
			query("id", "One person.", number), query("search", "Part of a name, employee reference or address.", text),
			query("page", "From 1.", number), query("limit", "1 to 100, default 20.", number),
			query("include_inactive", "1: inactive people too.", text), query("organisational_unit_id", "Of one unit.", number),
		},
		Responses: answers("200", "304", "401", "403", "404", "405", "429"),
	})
	body := func(required ...string) *huma.RequestBody {
		return &huma.RequestBody{Required: true, Content: map[string]*huma.MediaType{
			"application/json": {Schema: &huma.Schema{Type: huma.TypeObject, AdditionalProperties: true, Required: required}},
		}}
	}
	api.OpenAPI().AddOperation(&huma.Operation{
		OperationID: "staff-webhooks", Method: http.MethodPost, Path: "/api/webhooks.php", Summary: "Subscribe, unsubscribe or list webhooks (seed 001)",
		Tags: tag, Security: bearer, RequestBody: body("action"), Responses: answers("200", "400", "401", "403", "405", "409", "429"),
	})
	api.OpenAPI().AddOperation(&huma.Operation{
		OperationID: "staff-import", Method: http.MethodPost, Path: "/api/recruitment/import", Summary: "Take over a new hire (seed 001)",
		Tags: tag, Security: bearer, RequestBody: body("source_system", "new_hire"), Responses: answers("201", "400", "401", "403", "405", "409", "422", "429"),
	})
}
