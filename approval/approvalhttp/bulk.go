package approvalhttp

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/renkei-go/renkei/approval"
	"github.com/renkei-go/renkei/foundation/identity"
	"github.com/renkei-go/renkei/foundation/web"
)

// BulkBody is the body of POST /approval-instances/act.
type BulkBody struct {
	Items []BulkItem `json:"items" nullable:"false" minItems:"1" maxItems:"100"`
}

// BulkItem is a decision on one of several requests.
type BulkItem struct {
	ID string `json:"id" maxLength:"200"`
	ActBody
}

// BulkResult is what became of a BulkItem.
type BulkResult struct {
	ID       string       `json:"id"`
	Status   int          `json:"status" doc:"The status that deciding on it alone would have had." example:"200"`
	Instance *Instance    `json:"instance,omitempty" doc:"After the decision; its guards are not asked."`
	Problem  *web.Problem `json:"problem,omitempty" doc:"Why there was none."`
}

type bulkInput struct{ Body BulkBody }

type bulkOutput struct{ Body web.List[BulkResult] }

func registerBulk(api huma.API, svc *approval.Service) {
	web.Handle(api, huma.Operation{
		OperationID: "act-on-approval-instances", Method: http.MethodPost, Path: "/approval-instances/act", Tags: []string{"approval"},
		Summary: "Decide on several requests", DefaultStatus: http.StatusOK,
		Description: "Each is decided on its own, in the order given; one that is refused holds up none. The answer has a row for each.",
	}, func(ctx context.Context, by identity.Principal, in *bulkInput) (*bulkOutput, error) {
		items := make([]approval.Item, len(in.Body.Items))
		for i, item := range in.Body.Items {
			items[i] = approval.Item{ID: item.ID, Decision: item.decision()}
		}
		results, err := svc.ActAll(ctx, by, items)
		if err != nil {
			return nil, err
		}
		out := &bulkOutput{}
		for _, r := range results {
			row := BulkResult{ID: r.ID, Status: http.StatusOK}
			if r.Err != nil {
				row.Problem = web.PartOf(ctx, r.Err)
				row.Status = row.Problem.Status
			} else {
				shown := view(r.Request, []approval.GuardState{})
				row.Instance = &shown
			}
			out.Body.Items = append(out.Body.Items, row)
		}
		return out, nil
	})
}

func (b ActBody) decision() approval.Decision {
	return approval.Decision{Action: b.Action, Reason: b.Reason, ContentHash: b.ContentHash}
}
