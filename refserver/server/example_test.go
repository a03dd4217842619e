package server_test

import (
	"context"
	"os"

	"github.com/renkei-go/renkei/refserver/server"
)

// The program as a function: the settings are checked and nothing is started.
func ExampleMain() {
	server.Main(context.Background(), []string{"--demo", "--check"}, nil, os.Stdout, os.Stdout)
	// Output: the settings are valid
}
