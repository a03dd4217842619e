package telemetry_test

import (
	"context"
	"fmt"

	"github.com/renkei-go/renkei/foundation/telemetry"
)

// A row or a message carries the trace as text; who takes it up later goes on with it.
func Example() {
	ctx := telemetry.WithParent(context.Background(), "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")
	stored := telemetry.Parent(ctx)

	later, span := telemetry.Tracer(nil, "example").Start(telemetry.WithParent(context.Background(), stored), "work")
	defer span.End()
	fmt.Println(telemetry.Parent(later))
	// Output: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01
}
