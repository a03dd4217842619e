package ackflowhttp

import (
	"maps"
	"net/http"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/renkei-go/renkei/ackflow"
	"github.com/renkei-go/renkei/foundation/fault"
	"github.com/renkei-go/renkei/foundation/web"
)

// Problem is an error in both forms.
type Problem struct {
	web.Problem

	Error ErrorBody `json:"error" doc:"The same in the form of older clients."`
}

// ErrorBody is the older form of an error.
type ErrorBody struct {
	Code    string         `json:"code" doc:"As reason."`
	Message string         `json:"message" doc:"As detail."`
	Details map[string]any `json:"details,omitempty" doc:"As details, with errors."`
}

// codes are those of the errors that the routes share with all others.
var codes = map[string]*fault.Error{
	"invalid_input":     ackflow.ErrInput,
	"invalid_text":      ackflow.ErrInput,
	"malformed_json":    ackflow.ErrInput,
	"malformed_request": ackflow.ErrInput,
	"invalid_cursor":    ackflow.ErrInvalidQuery,
	"not_found":         ackflow.ErrNotFound,
	"forbidden":         ackflow.ErrForbidden,
}

// recast gives a problem its code, its status and its older form. What has no code of its own here (401, 429, a key used
// for another request, …) is as on every route.
func recast(p *web.Problem) {
	if code, ok := codes[p.Reason]; ok {
		p.Reason = code.Reason
		if p.Reason == ackflow.ErrInput.Reason && slices.ContainsFunc(p.Errors, func(f fault.Field) bool { return strings.HasPrefix(f.Location, "query.") }) {
			p.Reason = ackflow.ErrInvalidQuery.Reason
		}
	}
	if p.Status == http.StatusUnprocessableEntity && p.Reason == strings.ToUpper(p.Reason) {
		p.Status = http.StatusBadRequest
	}
	old := ErrorBody{Code: p.Reason, Message: p.Detail, Details: p.Details}
	if len(p.Errors) > 0 {
		old.Details = maps.Clone(p.Details)
		if old.Details == nil {
			old.Details = map[string]any{}
		}
		old.Details["errors"] = p.Errors
	}
	p.Extensions = map[string]any{"error": old}
}

// operation describes one with its errors.
func operation(api huma.API, method, path, id, summary string, errors ...int) huma.Operation {
	schema := api.OpenAPI().Components.Schemas.Schema(reflect.TypeFor[Problem](), true, "")
	problem := func(description string) *huma.Response {
		return &huma.Response{Description: description, Content: map[string]*huma.MediaType{"application/problem+json": {Schema: schema}}}
	}
	op := huma.Operation{
		OperationID: id, Method: method, Path: path, Summary: summary, Tags: []string{"ackflow"},
		Responses: map[string]*huma.Response{"default": problem("Error")},
	}
	for _, status := range append(errors, http.StatusBadRequest) {
		op.Responses[strconv.Itoa(status)] = problem(http.StatusText(status))
	}
	return web.Recast(op, recast)
}
