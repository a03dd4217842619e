package staffhttp

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/renkei-go/renkei/foundation/fault"
	"github.com/renkei-go/renkei/foundation/identity"
	"github.com/renkei-go/renkei/foundation/web"
	"github.com/renkei-go/renkei/staff"
)

type importBody struct {
	SourceSystem string          `json:"source_system"`
	NewHire      json.RawMessage `json:"new_hire"`
}

// hired is the answer of seed 001's service to who is taken over.
type hired struct {
	Success  bool       `json:"success"`
	Message  string     `json:"message"`
	PersonID int64      `json:"person_id"`
	Data     staff.View `json:"data"`
}

// recruit is POST /api/recruitment/import.
func (h *handlers) recruit(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost {
		notAllowed(w, http.MethodPost, "Method not allowed. Only POST requests are supported.")
		return
	}
	by, err := h.admit(w, r)
	if err != nil {
		h.refuse(w, r, err, nil)
		return
	}
	err = web.Once(h.cfg.Idempotency, by, w, r, func(w http.ResponseWriter, r *http.Request) { h.hire(w, r, by) })
	if err != nil {
		h.refuse(w, r, err, nil)
	}
}

// hire is recruit for who may ask.
func (h *handlers) hire(w http.ResponseWriter, r *http.Request, by identity.Principal) {
	source, hire, err := readImport(w, r)
	if err != nil {
		h.refuse(w, r, err, nil)
		return
	}
	out, err := h.cfg.Staff.Import(r.Context(), by, source, hire)
	if f := fault.As(err); f != nil && f.Code == fault.Conflict && f.Details["existing_person_id"] != nil {
		h.refuse(w, r, err, map[string]any{"error": "Duplicate employee reference", "existing_person_id": f.Details["existing_person_id"]})
		return
	}
	if err != nil {
		h.refuse(w, r, err, nil)
		return
	}
	writeJSON(w, http.StatusCreated, hired{true, "Staff member created successfully", out.Person.ID, out.View})
}

func readImport(w http.ResponseWriter, r *http.Request) (string, staff.NewHire, error) {
	var body importBody
	if err := readJSON(w, r, &body); err != nil {
		return "", staff.NewHire{}, err
	}
	if strings.TrimSpace(body.SourceSystem) == "" {
		return "", staff.NewHire{}, staff.ErrSource
	}
	hire, err := staff.ReadHire(body.NewHire)
	return body.SourceSystem, hire, err
}

var errJSON = fault.InvalidField("body", "must be a JSON object in UTF-8")

// readJSON reads a body of at most web.DefaultMaxBody. Text that no database keeps is refused.
func readJSON(w http.ResponseWriter, r *http.Request, into any) error {
	raw, err := io.ReadAll(http.MaxBytesReader(w, r.Body, web.DefaultMaxBody))
	if err != nil {
		if _, big := errors.AsType[*http.MaxBytesError](err); big {
			return web.ErrBodyTooLarge
		}
		return errJSON
	}
	if err := web.CheckJSON(raw); err != nil {
		return err
	}
	if err := json.Unmarshal(raw, into); err != nil {
		if wrong, ok := errors.AsType[*json.UnmarshalTypeError](err); ok && wrong.Field != "" {
			return fault.InvalidField(wrong.Field, "has another type than it should")
		}
		return errJSON
	}
	return nil
}

// BulkImport is the body of a bulk import in JSON.
type BulkImport struct {
	SourceSystem string          `json:"source_system" minLength:"1" maxLength:"100" example:"recruitment-system-v1"`
	NewHires     []staff.NewHire `json:"new_hires" nullable:"false" minItems:"1" maxItems:"5000"`
}

// ImportReport says what became of a bulk import, row by row.
type ImportReport struct {
	Success  bool        `json:"success" doc:"No row was refused."`
	DryRun   bool        `json:"dry_run" doc:"Nothing was done."`
	Total    int         `json:"total"`
	Created  int         `json:"created"`
	Replayed int         `json:"replayed" doc:"Imported before, and the same."`
	Refused  int         `json:"refused"`
	Rows     []ImportRow `json:"rows" nullable:"false"`
}

// ImportRow is what became of a row.
type ImportRow struct {
	Row              int           `json:"row" doc:"From 1, without the header."`
	Status           string        `json:"status" enum:"created,replayed,refused"`
	PersonID         int64         `json:"person_id,omitempty"`
	ExistingPersonID any           `json:"existing_person_id,omitempty"`
	Reason           string        `json:"reason,omitempty"`
	Message          string        `json:"message,omitempty"`
	Errors           []fault.Field `json:"errors,omitempty"`
}

type bulkInput struct {
	DryRun      bool   `query:"dry_run" doc:"Say what would become of it, and do nothing."`
	Source      string `query:"source_system" maxLength:"100" doc:"Of a CSV import, which has no place for it."`
	ContentType string `header:"Content-Type" hidden:"true"`
	RawBody     []byte `contentType:"application/json"`
}

type reportOutput struct{ Body ImportReport }

const mostImport = 16 << 20

// bulk registers POST /api/recruitment/import/bulk.
func (h *handlers) bulk(api huma.API) {
	op := operation(http.MethodPost, "/api/recruitment/import/bulk", "Import new hires as JSON or CSV, each row for itself", http.StatusOK)
	op.MaxBodyBytes = mostImport
	op.SkipValidateBody = true // two media types; package staff checks what is in them
	op.RequestBody = &huma.RequestBody{Required: true, Content: map[string]*huma.MediaType{
		"application/json": {}, "text/csv": {Schema: &huma.Schema{Type: huma.TypeString}},
	}}
	web.Handle(api, op, func(ctx context.Context, by identity.Principal, in *bulkInput) (*reportOutput, error) {
		source, hires, err := readHires(in)
		if err != nil {
			return nil, err
		}
		rows, err := h.cfg.Staff.ImportAll(ctx, by, source, hires, in.DryRun)
		if err != nil {
			return nil, err
		}
		return &reportOutput{report(rows, in.DryRun)}, nil
	})
	// huma describes raw bodies as binary.
	op.RequestBody.Content["application/json"].Schema = api.OpenAPI().Components.Schemas.Schema(typeOf[BulkImport](), true, "StaffBulkImport")
}

func readHires(in *bulkInput) (string, []staff.NewHire, error) {
	media, _, err := mime.ParseMediaType(in.ContentType)
	if err != nil && in.ContentType != "" {
		return "", nil, web.ErrMediaType
	}
	switch media {
	case "text/csv":
		hires, err := staff.ReadCSV(bytes.NewReader(in.RawBody))
		return in.Source, hires, err
	case "application/json", "":
		var body BulkImport
		if err := json.Unmarshal(in.RawBody, &body); err != nil {
			if wrong, ok := errors.AsType[*json.UnmarshalTypeError](err); ok && wrong.Field != "" {
				return "", nil, fault.InvalidField(wrong.Field, "has another type than it should")
			}
			return "", nil, errJSON
		}
		if body.SourceSystem == "" {
			body.SourceSystem = in.Source
		}
		return body.SourceSystem, body.NewHires, nil
	}
	return "", nil, web.ErrMediaType
}

func report(rows []staff.Row, dryRun bool) ImportReport {
	out := ImportReport{DryRun: dryRun, Total: len(rows), Rows: make([]ImportRow, len(rows))}
	for i, row := range rows {
		shown := ImportRow{Row: row.Number, Status: row.Status, PersonID: row.PersonID}
		switch row.Status {
		case staff.RowCreated:
			out.Created++
		case staff.RowReplayed:
			out.Replayed++
		default:
			out.Refused++
			if f := fault.As(row.Err); f != nil {
				shown.Reason, shown.Message, shown.Errors, shown.ExistingPersonID = f.Reason, f.Message, f.Fields, f.Details["existing_person_id"]
			}
		}
		out.Rows[i] = shown
	}
	out.Success = out.Refused == 0
	return out
}
