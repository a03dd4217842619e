package sweep_test

import (
	"context"
	"fmt"
	"time"

	"github.com/renkei-go/renkei/foundation/sweep"
)

func ExampleEvery() {
	ctx, stop := context.WithCancel(context.Background())
	left := 3
	deadlines := func(_ context.Context, limit int) (int, error) { // approvals.Sweep, say
		n := min(left, 2, limit)
		left -= n
		fmt.Println(n, "done")
		if n == 0 {
			stop()
		}
		return n, nil
	}
	fmt.Println(sweep.Every(ctx, time.Second, deadlines))
	// Output:
	// 2 done
	// 1 done
	// 0 done
	// <nil>
}
