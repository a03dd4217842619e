package staffhttp

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/renkei-go/renkei/foundation/fault"
	"github.com/renkei-go/renkei/foundation/identity"
	"github.com/renkei-go/renkei/staff"
)

func writeJSON(w http.ResponseWriter, status int, body any) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(body); err != nil {
		status, b = http.StatusInternalServerError, *bytes.NewBufferString(`{"error":"Internal server error","error_code":"INTERNAL_ERROR"}`)
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(b.Bytes())
}

// pagination is that of seed 001's service.
type pagination struct {
	Page       int   `json:"page"`
	Limit      int   `json:"limit"`
	Total      int64 `json:"total"`
	TotalPages int64 `json:"total_pages"`
	HasNext    bool  `json:"has_next"`
	HasPrev    bool  `json:"has_prev"`
}

type peopleList struct {
	Success    bool         `json:"success"`
	Pagination pagination   `json:"pagination"`
	Data       []staff.View `json:"data"`
}

type onePerson struct {
	Success bool       `json:"success"`
	Data    staff.View `json:"data"`
}

var errQuery = fault.InvalidField("query", "must be form-encoded text")

// staffData is GET /api/staff-data.php.
func (h *handlers) staffData(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		notAllowed(w, "GET, HEAD", "Method not allowed. Only GET requests are supported.")
		return
	}
	by, err := h.admit(w, r)
	if err != nil {
		h.refuse(w, r, err, nil)
		return
	}
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		h.refuse(w, r, errQuery, nil)
		return
	}
	body, records, err := h.staffAnswer(r.Context(), by, query)
	h.pulled(r.Context(), by, "staff-data", records, err)
	switch {
	case errors.Is(err, staff.ErrUnknownPerson):
		writeJSON(w, http.StatusNotFound, map[string]any{"error": "Person not found"})
		return
	case err != nil:
		h.refuse(w, r, err, nil)
		return
	}
	sum := sha256.Sum256(body)
	tag := `"` + hex.EncodeToString(sum[:16]) + `"`
	w.Header().Set("ETag", tag)
	w.Header().Set("Cache-Control", "private, no-cache")
	w.Header().Set("Vary", "Authorization, X-API-Key")
	if matches(r.Header.Values("If-None-Match"), tag) {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	_, _ = w.Write(body) //nolint:gosec // JSON, and said to be
}

// staffAnswer returns the body and how many people are in it.
func (h *handlers) staffAnswer(ctx context.Context, by identity.Principal, query url.Values) ([]byte, int64, error) {
	if query.Has("id") {
		id, err := strconv.ParseInt(query.Get("id"), 10, 64)
		if err != nil {
			id = 0 // as PHP casts it: nobody's
		}
		v, err := h.cfg.Staff.Get(ctx, by, id)
		if err != nil {
			return nil, -1, err
		}
		body, err := json.Marshal(onePerson{true, v})
		return body, 1, err
	}
	f := staff.Filter{Search: strings.TrimSpace(query.Get("search")), Inactive: query.Get("include_inactive") == "1"}
	if text := query.Get("organisational_unit_id"); text != "" {
		var err error
		if f.UnitID, err = strconv.ParseInt(text, 10, 64); err != nil || f.UnitID <= 0 {
			return nil, -1, fault.InvalidField("organisational_unit_id", "must be a number")
		}
	}
	const mostPages = 1 << 30
	page, limit := within(query.Get("page"), 1, mostPages, 1), within(query.Get("limit"), 1, 100, 20)
	found, err := h.cfg.Staff.Page(ctx, by, f, page, limit)
	if err != nil {
		return nil, -1, err
	}
	pages := (found.Total + int64(limit) - 1) / int64(limit)
	list := peopleList{Success: true, Data: append([]staff.View{}, found.Items...), Pagination: pagination{
		Page: page, Limit: limit, Total: found.Total, TotalPages: pages, HasNext: int64(page) < pages, HasPrev: page > 1,
	}}
	body, err := json.Marshal(list)
	return body, int64(len(found.Items)), err
}

// within reads a number as the service of seed 001 does: what is none or out of range becomes the nearest that is in it.
func within(text string, least, most, standard int) int {
	if text == "" {
		return standard
	}
	n, err := strconv.Atoi(text)
	if err != nil && !errors.Is(err, strconv.ErrRange) {
		n = 0
	}
	return min(max(n, least), most)
}

// matches says whether an If-None-Match names the tag (RFC 9110 section 13.1.2).
func matches(headers []string, tag string) bool {
	for _, header := range headers {
		for item := range strings.SplitSeq(header, ",") {
			item = strings.TrimPrefix(strings.TrimSpace(item), "W/")
			if item == tag || item == "*" {
				return true
			}
		}
	}
	return false
}
