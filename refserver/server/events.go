package server

import (
	"context"
	"log/slog"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/renkei-go/renkei/calendar/imip"
	"github.com/renkei-go/renkei/staff"
	"github.com/renkei-go/renkei/transport"
	"github.com/renkei-go/renkei/transport/broker"
	"github.com/renkei-go/renkei/transport/broker/amqp"
	"github.com/renkei-go/renkei/transport/broker/kafka"
	"github.com/renkei-go/renkei/transport/broker/nats"
	"github.com/renkei-go/renkei/transport/broker/redis"
	"github.com/renkei-go/renkei/transport/outboxbun"
)

// brokers are what BROKER_URL may name, by scheme.
var brokers = map[string]broker.Opener{
	"nats": nats.Open, "kafka": kafka.Open, "amqp": amqp.Open, "amqps": amqp.Open, "redis": redis.Open, "rediss": redis.Open,
}

// wireEvents makes the way from the outbox to the handlers of events: through the process, or through a broker, where
// each handler is one consumer group over all nodes.
func (p *parts) wireEvents(ctx context.Context, cfg Config, outbox *outboxbun.Store, invitations *imip.Inviter, log *slog.Logger) error {
	routing := transport.RouterConfig{DB: p.db, Inbox: outbox, Poison: outbox, Logger: log, Tracer: p.watching.tracer, Meter: p.watching.meter}
	var publisher message.Publisher
	if cfg.Broker == "" {
		channel := transport.InProcess()
		routing.Subscriber, publisher, p.broker = channel, channel, channel
	} else {
		b, err := broker.Open(ctx, cfg.Broker, broker.Options{Logger: log}, brokers)
		if err != nil {
			return err
		}
		routing.SubscriberFor, publisher, p.broker = b.SubscriberFor, b, b
	}
	var err error
	if p.router, err = transport.NewRouter(routing); err != nil {
		return err
	}
	p.router.Handle("invitations", imip.EventType, invitations.Handle)
	p.routeWebhooks()
	p.router.Handle("plans for Entra", staff.EventErased, p.forget)
	p.router.Handle("waiting webhooks", staff.EventErased, p.withdraw)
	p.relay, err = transport.NewRelay(transport.RelayConfig{
		Store: outbox, Publisher: publisher, Woken: outbox.Woken(), Ready: p.router.Running(), Logger: log,
		Tracer: p.watching.tracer, Meter: p.watching.meter,
	})
	return err
}
