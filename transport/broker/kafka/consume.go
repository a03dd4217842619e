package kafka

import (
	"context"
	"errors"
	"sync"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/renkei-go/renkei/transport/broker"
)

// consumer is a member of a group: a worker for each partition that the group has given it.
type consumer struct {
	*driver
	topic   string
	deliver broker.Deliver

	ctx  context.Context         //nolint:containedctx // of the workers, which the client's callbacks start
	fail context.CancelCauseFunc // ends all

	mu      sync.Mutex
	workers map[int32]*worker
}

func (d *driver) Consume(ctx context.Context, topic, group string, deliver broker.Deliver) error {
	workCtx, fail := context.WithCancelCause(ctx)
	defer fail(nil)
	c := &consumer{driver: d, topic: topic, deliver: deliver, ctx: workCtx, fail: fail, workers: map[int32]*worker{}}
	session := max(d.options.Lease, shortestSession)
	client, err := d.client(
		kgo.ConsumerGroup(groupID(topic, group)),
		kgo.ConsumeTopics(topic),
		kgo.Balancers(kgo.CooperativeStickyBalancer()),
		kgo.SessionTimeout(session),
		kgo.HeartbeatInterval(session/6),
		kgo.DisableAutoCommit(),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), // rather again than never
		kgo.BlockRebalanceOnPoll(),                        // so that what is polled is ours when the workers get it
		// The client's own goroutines call these, the first perhaps before Consume has the client in hand.
		kgo.OnPartitionsAssigned(func(_ context.Context, client *kgo.Client, given map[string][]int32) { c.start(client, given[topic]) }),
		kgo.OnPartitionsRevoked(func(_ context.Context, _ *kgo.Client, taken map[string][]int32) { c.stop(taken[topic]) }),
		kgo.OnPartitionsLost(func(_ context.Context, _ *kgo.Client, taken map[string][]int32) { c.stop(taken[topic]) }),
	)
	if err != nil {
		return err
	}
	err = c.poll(client)
	fail(err)
	c.stopAll()
	client.CloseAllowingRebalance() // leaves the group
	return broker.Ended(ctx, err)
}

// poll hands the records to the workers until something fails or the context ends.
func (c *consumer) poll(client *kgo.Client) error {
	for {
		fetches := client.PollFetches(c.ctx)
		if c.ctx.Err() != nil {
			return context.Cause(c.ctx)
		}
		for _, e := range fetches.Errors() {
			if _, gap := errors.AsType[*kgo.ErrDataLoss](e.Err); !gap { // the client goes on at what there is
				return e.Err
			}
		}
		fetches.EachPartition(func(p kgo.FetchTopicPartition) {
			c.mu.Lock()
			w := c.workers[p.Partition]
			c.mu.Unlock()
			if w != nil && len(p.Records) > 0 {
				w.add(p.Records)
			}
		})
		client.AllowRebalance()
	}
}

func (c *consumer) start(client *kgo.Client, partitions []int32) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, partition := range partitions {
		ctx, cancel := context.WithCancel(c.ctx)
		w := &worker{
			consumer: c, client: client, partition: partition, ctx: ctx, cancel: cancel,
			wake: make(chan struct{}, 1), done: make(chan struct{}),
		}
		w.resume() // a pause outlives the hands that it was made in
		c.workers[partition] = w
		go w.run()
	}
}

// stop returns when nothing of the partitions is in hand any more, and what was done is committed.
func (c *consumer) stop(partitions []int32) {
	var stopped []*worker
	c.mu.Lock()
	for _, partition := range partitions {
		if w := c.workers[partition]; w != nil {
			w.cancel()
			stopped = append(stopped, w)
			delete(c.workers, partition)
		}
	}
	c.mu.Unlock()
	for _, w := range stopped {
		<-w.done
	}
}

func (c *consumer) stopAll() {
	var all []int32
	c.mu.Lock()
	for partition := range c.workers {
		all = append(all, partition)
	}
	c.mu.Unlock()
	c.stop(all)
}

// Records of a partition that wait in memory: fetching it pauses above the first number and goes on below the second.
const (
	plenty = 4 * broker.Batch
	few    = broker.Batch
)

// worker handles a partition.
type worker struct {
	*consumer
	client    *kgo.Client
	partition int32
	ctx       context.Context //nolint:containedctx // ends when the partition goes to another node
	cancel    context.CancelFunc
	wake      chan struct{}
	done      chan struct{}

	queue  sync.Mutex
	waits  []*kgo.Record
	paused bool
}

func (w *worker) place() map[string][]int32 { return map[string][]int32{w.topic: {w.partition}} }

func (w *worker) resume() { w.client.ResumeFetchPartitions(w.place()) }

func (w *worker) add(records []*kgo.Record) {
	w.queue.Lock()
	defer w.queue.Unlock()
	w.waits = append(w.waits, records...)
	if len(w.waits) > plenty && !w.paused {
		w.paused = true
		w.client.PauseFetchPartitions(w.place())
	}
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

func (w *worker) take() []*kgo.Record {
	w.queue.Lock()
	defer w.queue.Unlock()
	n := min(len(w.waits), broker.Batch)
	batch := w.waits[:n:n]
	w.waits = w.waits[n:]
	if len(w.waits) < few && w.paused {
		w.paused = false
		w.resume()
	}
	return batch
}

func (w *worker) run() {
	defer close(w.done)
	defer w.cancel()
	for {
		batch := w.take()
		if len(batch) == 0 {
			select {
			case <-w.wake:
				continue
			case <-w.ctx.Done():
				return
			}
		}
		messages := make([]*message.Message, len(batch))
		for i, record := range batch {
			messages[i] = decode(record)
		}
		err := w.deliver(w.ctx, messages...)
		if err == nil {
			err = w.commit(batch[len(batch)-1])
		}
		if err != nil {
			if w.ctx.Err() == nil {
				w.fail(err)
			}
			return
		}
	}
}

// commit moves the group's place behind the record, even when the partition is being taken away: what is done should not
// come again.
func (w *worker) commit(last *kgo.Record) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(w.ctx), w.options.Timeout)
	defer cancel()
	place := map[string]map[int32]kgo.EpochOffset{w.topic: {w.partition: {Epoch: last.LeaderEpoch, Offset: last.Offset + 1}}}
	for {
		var failure error
		w.client.CommitOffsetsSync(ctx, place, func(_ *kgo.Client, _ *kmsg.OffsetCommitRequest, answer *kmsg.OffsetCommitResponse, err error) {
			failure = err
			for _, topic := range answerTopics(answer) {
				for _, partition := range topic.Partitions {
					failure = errors.Join(failure, kerr.ErrorForCode(partition.ErrorCode))
				}
			}
		})
		if !errors.Is(failure, kerr.RebalanceInProgress) {
			return failure
		}
		if err := pause(ctx); err != nil {
			return failure
		}
	}
}

// answerTopics is for the answer that a failed request does not have.
func answerTopics(answer *kmsg.OffsetCommitResponse) []kmsg.OffsetCommitResponseTopic {
	if answer == nil {
		return nil
	}
	return answer.Topics
}
