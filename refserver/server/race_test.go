package server_test

import (
	"net/http"
	"strings"
	"sync"
	"testing"
)

// TestOneSlot: 64 clients want one room at one time. One gets it, 63 are answered 409 with alternatives, nobody a 5xx,
// and no deadlock is logged.
func TestOneSlot(t *testing.T) {
	each(t, func(t *testing.T, r rig) {
		const clients = 64
		answers := make([]answer, clients)
		var wg sync.WaitGroup
		for i := range clients {
			wg.Go(func() {
				answers[i] = r.call(t, []string{"alice", "bob", "manager", "hr"}[i%4], http.MethodPost, "/events", booking(object{"resource_ids": []string{"room-a"}}))
			})
		}
		wg.Wait()
		won := 0
		for _, a := range answers {
			switch a.status {
			case http.StatusCreated:
				won++
			case http.StatusConflict:
				var p problem
				if a.decode(t, &p); p.Reason != "resource_conflict" || len(p.Details.Alternatives) == 0 {
					t.Errorf("got %s", a.body)
				}
			default:
				t.Errorf("status %d: %s", a.status, a.body)
			}
		}
		if won != 1 {
			t.Errorf("%d winners", won)
		}
		if log := strings.ToLower(r.log.String()); strings.Contains(log, "deadlock") || strings.Contains(log, "level=error") {
			t.Errorf("the log:\n%s", log)
		}
	})
}
