package staffhttp

import (
	"context"
	"encoding/json"
	"net/http"
	"strconv"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/renkei-go/renkei/foundation/fault"
	"github.com/renkei-go/renkei/foundation/identity"
	"github.com/renkei-go/renkei/foundation/web"
	"github.com/renkei-go/renkei/staff/export"
)

func rawJSON(b []byte) json.RawMessage { return b }

type exportIn struct {
	System   string `path:"system" maxLength:"50" doc:"hr, finance or lms." example:"hr"`
	Format   string `query:"format" enum:"json,ndjson,csv" default:"json"`
	Mapping  string `query:"mapping" maxLength:"150" doc:"A stored mapping, by name or name@version; default: the system's."`
	Inactive bool   `query:"include_inactive"`
	BOM      bool   `query:"bom" doc:"A byte order mark before CSV, for spreadsheets."`
	Charset  string `query:"charset" enum:"utf-8,shift_jis" default:"utf-8" doc:"Of CSV."`
}

func (in exportIn) request() export.Request {
	return export.Request{
		System: in.System, Format: export.Format(in.Format), Mapping: in.Mapping, Inactive: in.Inactive, BOM: in.BOM, ShiftJIS: in.Charset == "shift_jis",
	}
}

type streamOut struct {
	ContentType string `header:"Content-Type"`
	Disposition string `header:"Content-Disposition"`
	Body        func(huma.Context)
}

// patience is how long a reader of an export may take for each batch, whatever the server's own limit is.
const patience = time.Minute

// send writes the stream and calls done at its end.
func send(st *export.Stream, done func(records int64, err error)) *streamOut {
	return &streamOut{st.ContentType(), `attachment; filename=` + strconv.Quote(st.Filename()), func(hc huma.Context) {
		var extend export.Count
		if w, ok := hc.BodyWriter().(http.ResponseWriter); ok {
			control := http.NewResponseController(w)
			extend = func(int64) { // not every writer has these
				until := time.Now().Add(patience)
				_ = control.SetWriteDeadline(until)
				_ = control.SetReadDeadline(until) // when it passes, net/http cancels the request, which has long been read
			}
			extend(0)
		}
		n, err := st.Send(hc.BodyWriter(), extend)
		done(n, err)
		if err != nil {
			panic(http.ErrAbortHandler) // half an export must not look whole
		}
	}}
}

type previewIn struct {
	Body struct {
		Columns []export.Column `json:"columns" minItems:"1" maxItems:"100" nullable:"false"`
		Format  string          `json:"format,omitempty" enum:"json,ndjson,csv"`
		Limit   int             `json:"limit,omitempty" minimum:"1" maximum:"20"`
	}
}

type mappingIn struct {
	Name string `path:"name" maxLength:"150" doc:"A name, or name@version."`
}

type setMappingIn struct {
	Name string `path:"name" maxLength:"100"`
	Body struct {
		Columns []export.Column `json:"columns" minItems:"1" maxItems:"100" nullable:"false"`
	}
}

type mappingOut struct{ Body export.Mapping }

type mappingsIn struct{ web.PageParams }

type mappingsOut struct{ Body web.List[export.Mapping] }

func shownMapping(m export.Mapping, err error) (*mappingOut, error) {
	if err != nil {
		return nil, err
	}
	return &mappingOut{m}, nil
}

func (h *handlers) exports(api huma.API) {
	s := h.cfg.Exports
	binary := map[string]*huma.Response{"200": {Description: "OK", Content: map[string]*huma.MediaType{
		"application/json": {}, "application/x-ndjson": {}, "text/csv": {},
	}}}
	op := operation(http.MethodGet, "/api/exports/{system}", "Export people for an external system", http.StatusOK, http.StatusNotFound)
	op.Responses = binary
	web.Handle(api, op, func(ctx context.Context, by identity.Principal, in *exportIn) (*streamOut, error) {
		st, err := s.Open(ctx, by, in.request())
		if err != nil {
			if fault.CodeOf(err) == fault.Internal || fault.CodeOf(err) == fault.Unavailable {
				h.pulled(ctx, by, "export "+in.System, -1, err)
			}
			return nil, err
		}
		return send(st, func(n int64, err error) { h.pulled(ctx, by, "export "+in.System, n, err) }), nil
	})
	web.Handle(api, operation(http.MethodGet, "/api/exports/mappings", "List export mappings", http.StatusOK),
		func(ctx context.Context, by identity.Principal, in *mappingsIn) (*mappingsOut, error) {
			cut, err := s.Mappings(ctx, by, in.Page())
			if err != nil {
				return nil, err
			}
			return &mappingsOut{web.ListOf(cut, func(m export.Mapping) export.Mapping { return m })}, nil
		})
	preview := operation(http.MethodPost, "/api/exports/mappings/preview", "Try a mapping on a few people", http.StatusOK)
	preview.Responses = binary
	web.Handle(api, preview, func(ctx context.Context, by identity.Principal, in *previewIn) (*streamOut, error) {
		st, err := s.Preview(ctx, by, in.Body.Columns, export.Request{Format: export.Format(in.Body.Format), Limit: in.Body.Limit})
		if err != nil {
			return nil, err
		}
		return send(st, func(int64, error) {}), nil
	})
	web.Handle(api, operation(http.MethodGet, "/api/exports/mappings/{name}", "Get an export mapping", http.StatusOK, http.StatusNotFound),
		func(ctx context.Context, by identity.Principal, in *mappingIn) (*mappingOut, error) {
			return shownMapping(s.Mapping(ctx, by, in.Name))
		})
	web.Handle(api, operation(http.MethodPut, "/api/exports/mappings/{name}", "Store a new version of an export mapping", http.StatusOK, http.StatusConflict),
		func(ctx context.Context, by identity.Principal, in *setMappingIn) (*mappingOut, error) {
			return shownMapping(s.SetMapping(ctx, by, in.Name, in.Body.Columns))
		})
}
