package webhook

import (
	"context"
	"net"
)

// DialWith replaces the last step, so that a test sees which address would be dialled.
func (g *Guard) DialWith(dial func(ctx context.Context, d *net.Dialer, network, address string) (net.Conn, error)) {
	g.dial = dial
}
