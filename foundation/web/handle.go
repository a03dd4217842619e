package web

import (
	"context"
	"maps"
	"net/http"
	"reflect"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/renkei-go/renkei/foundation/check"
	"github.com/renkei-go/renkei/foundation/fault"
	"github.com/renkei-go/renkei/foundation/identity"
)

// DefaultMaxBody is the limit of a request body in bytes unless Operation.MaxBodyBytes says otherwise (-1: none).
const DefaultMaxBody = 1 << 20

// The headers that Use understands, besides Authorization and If-Match.
const (
	HeaderRequestID      = "X-Request-Id"
	HeaderActAs          = "X-Act-As-User"
	HeaderIdempotencyKey = "Idempotency-Key"
)

// Handle registers an operation for authenticated callers. h gets the principal from the request and returns domain
// errors as they are: the one map of problem.go turns them into problem details, with "body." (or "query." where there
// is no body) in front of the locations of fields. Operation.Errors lists the statuses particular to the operation; a
// default problem response is documented for all others. Call Use first.
func Handle[I, O any](api huma.API, op huma.Operation, h func(context.Context, identity.Principal, *I) (*O, error)) {
	op.Security = []map[string][]string{{"bearer": {}}}
	op.Parameters = append(slices.Clone(op.Parameters), &huma.Param{Ref: "#/components/parameters/ActAsUser"})
	if op.Method == http.MethodPost {
		op.Parameters = append(op.Parameters, &huma.Param{Ref: "#/components/parameters/IdempotencyKey"})
	}
	register(api, op, func(ctx context.Context, in *I) (*O, error) {
		by, ok := PrincipalIn(ctx)
		if !ok {
			return nil, ErrUnauthenticated
		}
		return h(ctx, by, in)
	})
}

// Public registers an operation that anybody may call: the authenticator is not asked, and X-Act-As-User and
// Idempotency-Key mean nothing. Everything else is as in Handle.
func Public[I, O any](api huma.API, op huma.Operation, h func(context.Context, *I) (*O, error)) {
	op.Metadata = withKey(op.Metadata, publicKey)
	register(api, op, h)
}

func register[I, O any](api huma.API, op huma.Operation, h func(context.Context, *I) (*O, error)) {
	if op.OperationID == "" {
		var none *O
		op.OperationID = huma.GenerateOperationID(op.Method, op.Path, none)
	}
	switch {
	case op.MaxBodyBytes == 0:
		op.MaxBodyBytes = DefaultMaxBody + 1
	case op.MaxBodyBytes > 0:
		op.MaxBodyBytes++ // huma refuses what is as long as the limit; ours is the last that passes
	}
	responses := map[string]*huma.Response{"default": problemResponse(api)}
	maps.Copy(responses, op.Responses)
	op.Responses = responses
	where := "query"
	for _, name := range []string{"Body", "RawBody"} {
		if _, ok := reflect.TypeFor[I]().FieldByName(name); ok {
			where = "body"
		}
	}
	huma.Register(api, op, func(ctx context.Context, in *I) (*O, error) {
		out, err := h(ctx, in)
		if err != nil {
			return nil, ProblemOf(located(err, where))
		}
		return out, nil
	})
}

// located puts the part of the request in front of the locations that a domain gave. Those that name a part already
// pass.
func located(err error, where string) error {
	f := fault.As(err)
	if f == nil || len(f.Fields) == 0 || slices.ContainsFunc(f.Fields, func(f fault.Field) bool {
		part, _, dotted := strings.Cut(f.Location, ".")
		return part == "body" || dotted && slices.Contains([]string{"query", "path", "header"}, part)
	}) {
		return err
	}
	return check.Prefix(err, where)
}

const publicKey = "renkei.public"

func isPublic(op *huma.Operation) bool { return op.Metadata[publicKey] == true }

func withKey(m map[string]any, key string) map[string]any {
	c := map[string]any{key: true}
	maps.Copy(c, m)
	return c
}

type principalKey struct{}

// WithPrincipal puts who is asking into ctx. Use does it for operations; other handlers, and tests, may.
func WithPrincipal(ctx context.Context, p identity.Principal) context.Context {
	return context.WithValue(ctx, principalKey{}, p)
}

// PrincipalIn returns who is asking, if somebody is known.
func PrincipalIn(ctx context.Context) (identity.Principal, bool) {
	p, ok := ctx.Value(principalKey{}).(identity.Principal)
	return p, ok
}
