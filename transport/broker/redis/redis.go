package redis

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/google/uuid"
	client "github.com/redis/go-redis/v9"
	"golang.org/x/sync/errgroup"

	"github.com/renkei-go/renkei/transport/broker"
)

// Fields of a stream entry.
const (
	fieldID       = "id"
	fieldMetadata = "metadata" // JSON
	fieldPayload  = "payload"
)

type driver struct {
	redis   *client.Client
	options broker.Options
	take    *client.Script
	keep    *client.Script
}

// takeScript returns the entries to handle next: none while somebody has some in hand, then those whose lease has run
// out, then new ones. Lua makes it one step, so two nodes never hold a partition of a group at the same time.
const takeScript = `
local held = redis.call('XPENDING', KEYS[1], ARGV[1], '-', '+', ARGV[3])
if #held > 0 then
  local ids = {}
  for i = 1, #held do
    if held[i][3] < tonumber(ARGV[4]) then return {} end
    ids[i] = held[i][1]
  end
  return redis.call('XCLAIM', KEYS[1], ARGV[1], ARGV[2], ARGV[4], unpack(ids))
end
local new = redis.call('XREADGROUP', 'GROUP', ARGV[1], ARGV[2], 'COUNT', ARGV[3], 'STREAMS', KEYS[1], '>')
if new then return new[1][2] end
return {}`

// keepScript sets the idle time of what the consumer still holds: 0 extends the lease, the lease's length gives it up.
const keepScript = `
local held = redis.call('XPENDING', KEYS[1], ARGV[1], '-', '+', ARGV[3], ARGV[2])
if #held == 0 then return 0 end
local ids = {}
for i = 1, #held do ids[i] = held[i][1] end
ids[#ids + 1] = 'IDLE'
ids[#ids + 1] = ARGV[4]
ids[#ids + 1] = 'JUSTID'
redis.call('XCLAIM', KEYS[1], ARGV[1], ARGV[2], '0', unpack(ids))
return #held`

// Open makes a Broker for a redis:// or rediss:// URL; the query takes the options of go-redis's ParseURL, such as
// read_timeout or pool_size. It does not connect. It returns broker.ErrInvalidURL or transport.ErrInvalidConfig.
func Open(_ context.Context, rawURL string, o broker.Options) (*broker.Broker, error) {
	options, err := client.ParseURL(rawURL)
	if err != nil {
		return nil, broker.ErrInvalidURL // the error would repeat the URL
	}
	options.ContextTimeoutEnabled = true
	options.DisableIdentity = true
	d := &driver{options: o.WithDefaults(), take: client.NewScript(takeScript), keep: client.NewScript(keepScript)}
	b, err := broker.New(d, o)
	if err != nil {
		return nil, err
	}
	d.redis = client.NewClient(options)
	return b, nil
}

func stream(topic string, partition int) string {
	return topic + ".{" + strconv.Itoa(partition) + "}"
}

func (d *driver) Publish(ctx context.Context, topic string, partition int, _ string, messages []*message.Message) error {
	oldest := strconv.FormatInt(time.Now().Add(-d.options.Keep).UnixMilli(), 10)
	_, err := d.redis.TxPipelined(ctx, func(pipe client.Pipeliner) error { // all or nothing, in order
		for _, msg := range messages {
			metadata, err := json.Marshal(msg.Metadata)
			if err != nil {
				return err
			}
			pipe.XAdd(ctx, &client.XAddArgs{
				Stream: stream(topic, partition), MinID: oldest, Approx: true,
				Values: []any{fieldID, msg.UUID, fieldMetadata, metadata, fieldPayload, []byte(msg.Payload)},
			})
		}
		return nil
	})
	return err
}

func (d *driver) Declare(ctx context.Context, topic, group string, again bool) error {
	begin := "$" // the end
	if again {
		begin = "0"
	}
	for partition := range broker.Partitions {
		err := d.redis.XGroupCreateMkStream(ctx, stream(topic, partition), group, begin).Err()
		if err != nil && !strings.HasPrefix(err.Error(), "BUSYGROUP") { // the error's code: it exists
			return err
		}
	}
	return nil
}

func (d *driver) Consume(ctx context.Context, topic, group string, deliver broker.Deliver) error {
	c := &consumer{driver: d, topic: topic, group: group, name: uuid.NewString(), deliver: deliver}
	g, groupCtx := errgroup.WithContext(ctx)
	for partition := range c.wake {
		c.wake[partition] = make(chan struct{}, 1)
		g.Go(func() error { return c.work(groupCtx, partition) })
	}
	g.Go(func() error { return c.watch(groupCtx) })
	err := g.Wait()
	c.leave()
	return broker.Ended(ctx, err)
}

// consumer is a group's share on this node.
type consumer struct {
	*driver
	topic, group string
	name         string // at Redis; new each time, so that it never takes its forerunner's entries for its own
	deliver      broker.Deliver
	wake         [broker.Partitions]chan struct{}
}

const backstop = time.Second // how often a partition is looked at without a sign

// watch waits for new entries in all partitions over one connection, and wakes those who handle them.
func (c *consumer) watch(ctx context.Context) error {
	streams := make([]string, 2*broker.Partitions)
	at := make(map[string]int, broker.Partitions)
	for partition := range broker.Partitions {
		streams[partition], streams[broker.Partitions+partition] = stream(c.topic, partition), "0-0"
		at[streams[partition]] = partition
	}
	// A connection of its own, because only closing it ends a blocking read at once.
	blocking := client.NewClient(c.redis.Options())
	closeOnce := sync.OnceFunc(func() { _ = blocking.Close() })
	defer closeOnce()
	unwatch := context.AfterFunc(ctx, closeOnce)
	defer unwatch()
	for {
		found, err := blocking.XRead(ctx, &client.XReadArgs{Streams: streams, Count: 1, Block: backstop}).Result()
		if errors.Is(err, client.Nil) {
			continue
		}
		if err != nil {
			return err
		}
		// From here the end of each is known; what comes later is seen by the next round.
		last, err := c.redis.Pipelined(ctx, func(pipe client.Pipeliner) error {
			for _, s := range found {
				pipe.XRevRangeN(ctx, s.Stream, "+", "-", 1)
			}
			return nil
		})
		if err != nil {
			return err
		}
		for i, s := range found {
			id := s.Messages[0].ID
			if end, ok := last[i].(*client.XMessageSliceCmd); ok && len(end.Val()) > 0 {
				id = end.Val()[0].ID
			}
			streams[broker.Partitions+at[s.Stream]] = id
			select {
			case c.wake[at[s.Stream]] <- struct{}{}:
			default:
			}
		}
	}
}

// work handles a partition, batch by batch.
func (c *consumer) work(ctx context.Context, partition int) error {
	key := stream(c.topic, partition)
	poll := time.NewTicker(backstop)
	defer poll.Stop()
	for {
		ids, messages, err := c.next(ctx, key)
		if err != nil {
			return err
		}
		if len(ids) > 0 {
			if err := c.handle(ctx, key, ids, messages); err != nil {
				return err
			}
			continue
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-c.wake[partition]:
		case <-poll.C:
		}
	}
}

func (c *consumer) next(ctx context.Context, key string) (ids []string, messages []*message.Message, err error) {
	result, err := c.take.Run(ctx, c.redis, []string{key}, c.group, c.name, broker.Batch, c.options.Lease.Milliseconds()).Slice()
	if err != nil {
		return nil, nil, err
	}
	for _, entry := range result {
		pair, ok := entry.([]any)
		if !ok || len(pair) != 2 {
			return nil, nil, fmt.Errorf("redis: an entry of the stream has %T", entry)
		}
		id, _ := pair[0].(string)
		fields, _ := pair[1].([]any)
		ids, messages = append(ids, id), append(messages, decode(id, fields))
	}
	return ids, messages, nil
}

// handle delivers a batch, keeps its lease meanwhile, and acknowledges it.
func (c *consumer) handle(ctx context.Context, key string, ids []string, messages []*message.Message) error {
	done := make(chan error, 1)
	go func() { done <- c.deliver(ctx, messages...) }()
	tick := time.NewTicker(c.options.Lease / 3)
	defer tick.Stop()
	for {
		select {
		case err := <-done:
			return c.settle(context.WithoutCancel(ctx), key, ids, err)
		case <-tick.C:
			_ = c.hold(ctx, key, 0) // if the server is away it does not count the time against us alone
		}
	}
}

// settle acknowledges a batch, or gives it up when it was not delivered. It does so even when the subscription has
// ended: what is done should not come again, and what is not should come at once.
func (c *consumer) settle(ctx context.Context, key string, ids []string, delivered error) error {
	ctx, cancel := context.WithTimeout(ctx, c.options.Timeout)
	defer cancel()
	if delivered == nil {
		return c.redis.XAck(ctx, key, c.group, ids...).Err()
	}
	_ = c.hold(ctx, key, c.options.Lease)
	return delivered
}

func (c *consumer) hold(ctx context.Context, key string, idle time.Duration) error {
	return c.keep.Run(ctx, c.redis, []string{key}, c.group, c.name, broker.Batch, idle.Milliseconds()).Err()
}

// leave takes the consumer off the groups where it holds nothing. One that holds something would take it along.
func (c *consumer) leave() {
	ctx, cancel := context.WithTimeout(context.Background(), min(c.options.Timeout, time.Second))
	defer cancel()
	const script = `
if #redis.call('XPENDING', KEYS[1], ARGV[1], '-', '+', 1, ARGV[2]) == 0 then
  redis.call('XGROUP', 'DELCONSUMER', KEYS[1], ARGV[1], ARGV[2])
end
return 0`
	_, _ = c.redis.Pipelined(ctx, func(pipe client.Pipeliner) error {
		for partition := range broker.Partitions {
			pipe.Eval(ctx, script, []string{stream(c.topic, partition)}, c.group, c.name)
		}
		return nil
	})
}

func (d *driver) Remove(ctx context.Context, topic string, _ []string) error {
	keys := make([]string, broker.Partitions)
	for partition := range keys {
		keys[partition] = stream(topic, partition)
	}
	return d.redis.Del(ctx, keys...).Err() // the groups go with them
}

func (d *driver) Close() error {
	if err := d.redis.Close(); err != nil && !errors.Is(err, client.ErrClosed) {
		return err
	}
	return nil
}

// decode never fails: what does not come from here has no metadata, and the router puts it aside as no event.
func decode(id string, fields []any) *message.Message {
	msg := message.NewMessage(id, nil)
	for i := 0; i+1 < len(fields); i += 2 {
		name, _ := fields[i].(string)
		value, _ := fields[i+1].(string)
		switch name {
		case fieldID:
			msg.UUID = value
		case fieldMetadata:
			_ = json.Unmarshal([]byte(value), &msg.Metadata)
		case fieldPayload:
			msg.Payload = message.Payload(value)
		}
	}
	if msg.Metadata == nil {
		msg.Metadata = message.Metadata{}
	}
	return msg
}
