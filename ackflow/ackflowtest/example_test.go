package ackflowtest_test

import (
	"context"
	"fmt"

	"github.com/renkei-go/renkei/ackflow/ackflowtest"
)

func ExampleTargets() {
	var contracts ackflowtest.Targets
	contracts.Add("c1", "alice", "manager")
	fmt.Println(contracts.Participants(context.Background(), "acme", "c1"))
	_, err := contracts.Participants(context.Background(), "acme", "c2")
	fmt.Println(err)
	// Output:
	// [alice manager] <nil>
	// TARGET_NOT_FOUND: there is no such target
}
