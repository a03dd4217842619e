package graphtest_test

import (
	"fmt"

	"github.com/renkei-go/renkei/staff/graphsync/graphtest"
)

// A test of one's own makes a server with graphtest.New and looks at it afterwards. Faults are chosen call by call.
func ExampleCall_Writes() {
	throttleWrites := func(c graphtest.Call) graphtest.Fault {
		if c.Writes() {
			return graphtest.Fault{Status: 429, RetryAfter: 7}
		}
		return graphtest.Fault{}
	}
	fmt.Println(throttleWrites(graphtest.Call{Method: "GET", Path: "/users/delta"}))
	fmt.Println(throttleWrites(graphtest.Call{Method: "PATCH", Path: "/users/1"}))
	// Output:
	// {0  0 false}
	// {429  7 false}
}
