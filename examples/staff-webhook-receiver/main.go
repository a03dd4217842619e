// Command staff-webhook-receiver receives webhooks of the staff service (seed 001 "Webhook Integration"), verifies their
// signatures and prints the events, each once:
//
//	go run ./refserver --demo --allow-private-targets 127.0.0.0/8
//	WEBHOOK_SECRETS=your-webhook-secret go run ./examples/staff-webhook-receiver
//	curl http://127.0.0.1:8080/api/webhooks.php -H 'Authorization: Bearer demo-admin' -H 'Content-Type: application/json' \
//	  -d '{"action":"subscribe","url":"http://localhost:8081/","events":["person.updated"],"secret":"your-webhook-secret"}'
//	curl -X PATCH http://127.0.0.1:8080/api/staff/people/6 -H 'Authorization: Bearer demo-admin' -H 'If-Match: *' \
//	  -H 'Content-Type: application/json' -d '{"job_title":"Senior Support Worker"}'
//
// WEBHOOK_SECRETS may hold several secrets, separated by commas: put the new one beside the old before a rotation. A
// private address, as here, has to be in the server's allow-list.
package main

import (
	"container/list"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/renkei-go/renkei/foundation/fault"
	"github.com/renkei-go/renkei/transport/webhook"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Getenv, os.Stdout)
	stop()
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "staff-webhook-receiver:", err)
		os.Exit(1)
	}
}

// run serves until ctx ends.
func run(ctx context.Context, args []string, getenv func(string) string, out io.Writer) error {
	flags := flag.NewFlagSet("staff-webhook-receiver", flag.ContinueOnError)
	addr := flags.String("addr", "localhost:8081", "`address` to listen on")
	if err := flags.Parse(args); err != nil {
		return err
	}
	var secrets []string
	for s := range strings.SplitSeq(getenv("WEBHOOK_SECRETS"), ",") {
		if s = strings.TrimSpace(s); s != "" {
			secrets = append(secrets, s)
		}
	}
	if len(secrets) == 0 {
		return errors.New("set WEBHOOK_SECRETS to the secret that the subscription was given")
	}
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", *addr)
	if err != nil {
		return err
	}
	server := &http.Server{
		Handler: &receiver{secrets: secrets, out: out, most: 10000}, ReadTimeout: 10 * time.Second, WriteTimeout: 10 * time.Second,
	}
	stopped := context.AfterFunc(ctx, func() {
		wait, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancel()
		_ = server.Shutdown(wait)
	})
	defer stopped()
	fmt.Fprintf(out, "listening on http://%s\n", listener.Addr())
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// receiver prints what arrives.
type receiver struct {
	secrets []string
	out     io.Writer
	most    int // ids to remember

	mu    sync.Mutex
	known map[string]bool
	order list.List
}

// ServeHTTP answers 204 for an event, also when it came before; 401 and 4xx make the sender try again.
func (r *receiver) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	if req.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		http.Error(w, "webhooks come by POST", http.StatusMethodNotAllowed)
		return
	}
	ev, err := webhook.Verify(req, r.secrets...)
	if err != nil {
		status := http.StatusBadRequest
		if fault.CodeOf(err) == fault.Unauthenticated {
			status = http.StatusUnauthorized
		}
		http.Error(w, fault.ReasonOf(err), status)
		return
	}
	r.print(ev)
	w.WriteHeader(http.StatusNoContent)
}

// print writes an event down unless it came before. A program that must not forget over a restart keeps the ids in its
// database, in the transaction that does the work.
func (r *receiver) print(ev webhook.Event) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if ev.ID != "" && r.known[ev.ID] {
		return
	}
	if r.known == nil {
		r.known = map[string]bool{}
	}
	if ev.ID != "" {
		r.known[ev.ID] = true
		r.order.PushBack(ev.ID)
	}
	if r.order.Len() > r.most {
		if oldest, ok := r.order.Remove(r.order.Front()).(string); ok {
			delete(r.known, oldest)
		}
	}
	fmt.Fprintf(r.out, "%s %s organisation %s: %s\n", ev.Time.Format(time.RFC3339), ev.Type, ev.OrganisationID, ev.Data)
}
