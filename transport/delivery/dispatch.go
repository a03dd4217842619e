package delivery

import (
	"context"
	"sync"
	"time"
)

// dispatch is one Run or Step: a loop that owns what is claimed, goroutines that send, one that claims the next batch
// meanwhile, and some that write results down in as large batches as come together.
type dispatch struct {
	e        *Engine
	once     bool
	begin    func(j job) // starts an attempt, which outlives Run's ctx by Drain
	hold     int         // most in hand
	claimed  int
	inHand   int // claimed and not yet written down
	running  int
	lanes    map[Lane]*lane
	groups   map[string]*group
	ready    []*lane // lanes that may have something to start
	after    Lane    // where the last round of claims ended
	look     bool    // something may be due
	backlog  bool    // the last claim left something
	looking  bool    // a claim is on its way
	stopping bool
	pause    *time.Timer // until the next claim
	pausing  bool
	later    *time.Timer // until a limited lane has room

	found    chan found
	taken    chan taken
	results  chan result  // sent, from the senders' goroutines
	unsaved  chan result  // to the goroutines that write
	finished chan written // written

	gathering sync.Mutex
	gone      int // from the queue since it was tidied
	tidying   chan struct{}
}

// found is what is due.
type found struct {
	lanes []Waiting
	now   time.Time // the store's
	began time.Time // this process's
	err   error
}

// taken is what was claimed.
type taken struct {
	rooms      []Room // that were asked for
	deliveries []Delivery
	probes     map[Lane]bool // lanes whose breaker is open
	began      time.Time
	again      time.Time // when a held or limited lane has room; zero: none has less than it wants
	now        time.Time
	err        error
}

// written is a batch that was written down, and the lanes that are held from now on.
type written struct {
	size int
	held []Lane
}

const (
	writers = 2                     // one waits for the disk while the other gathers its batch
	linger  = 15 * time.Millisecond // how long a result waits for others to be written with
	rest    = 8 * time.Millisecond  // longest pause between claims when there is much to do but no backlog
)

func (e *Engine) newDispatch(once bool) *dispatch {
	hold := e.cfg.Workers + 4*e.cfg.Batch
	d := &dispatch{
		e: e, once: once, hold: hold, lanes: map[Lane]*lane{}, groups: map[string]*group{}, look: true,
		found: make(chan found, 1), taken: make(chan taken, 1),
		// None is ever full, so that nobody waits who should not.
		results: make(chan result, hold), unsaved: make(chan result, hold), finished: make(chan written, hold),
		pause: time.NewTimer(time.Hour), later: time.NewTimer(time.Hour), tidying: make(chan struct{}, 1),
	}
	d.pause.Stop()
	d.later.Stop()
	return d
}

func (d *dispatch) loop(ctx context.Context) error {
	// Attempts outlive ctx by Drain, and their results must be written whatever happens.
	lasting := context.WithoutCancel(ctx)
	sending, interrupt := context.WithCancel(lasting)
	defer interrupt()
	d.begin = func(j job) { go func() { d.results <- d.e.attempt(sending, j) }() }
	completed := make(chan struct{}, writers)
	for range writers {
		go func() {
			d.write(lasting, sending.Done())
			completed <- struct{}{}
		}()
	}
	defer func() {
		close(d.unsaved)
		for range writers {
			<-completed
		}
	}()
	defer d.pause.Stop()
	defer d.later.Stop()

	poll := time.NewTicker(d.e.cfg.Poll)
	defer poll.Stop()
	drain := time.NewTimer(time.Hour)
	defer drain.Stop()
	var drained <-chan time.Time
	stop := ctx.Done()
	for {
		if d.stopping = d.stopping || ctx.Err() != nil; !d.stopping {
			d.seek(ctx)
		}
		d.start(ctx.Err() != nil)
		if d.stopping && d.inHand == 0 && !d.looking {
			return nil
		}
		select {
		case r := <-d.results:
			d.sent(r)
			for more := true; more; { // all that there is, before looking around
				select {
				case r = <-d.results:
					d.sent(r)
				default:
					more = false
				}
			}
		case w := <-d.finished:
			d.inHand -= w.size
			d.tidy(sending, w.size)
			d.look = d.look || d.backlog || len(d.e.ordered) > 0 // the next of an order key may be free
			d.drop(w.held)
		case f := <-d.found:
			if err := d.choose(ctx, f); err != nil {
				return err
			}
		case t := <-d.taken:
			if err := d.accept(ctx, t); err != nil {
				return err
			}
		case <-d.pause.C:
			d.pausing = false
		case <-d.later.C:
			d.look = true
		case <-d.e.woken:
			d.look = true
		case <-poll.C:
			d.look = true
		case <-stop:
			stop = nil
			drain.Reset(d.e.cfg.Drain)
			drained = drain.C
		case <-drained:
			interrupt()
		}
	}
}

// seek begins a claim when something may be due, there is room for a batch, and the last one is a moment ago.
func (d *dispatch) seek(ctx context.Context) {
	if !d.look || d.looking || d.pausing || d.hold-d.inHand < d.e.cfg.Batch {
		return
	}
	d.look, d.looking = false, true
	after := d.after
	go func() { d.found <- d.e.due(ctx, after) }()
}

// due finds the next lanes, going round.
func (e *Engine) due(ctx context.Context, after Lane) found {
	f := found{began: time.Now()}
	if f.now, f.err = e.now(ctx); f.err != nil {
		return f
	}
	if f.lanes, f.err = e.store.Due(ctx, e.kinds, f.now, after, e.cfg.Batch); f.err != nil {
		return f
	}
	if len(f.lanes) < e.cfg.Batch && after != (Lane{}) { // the end of the round: begin the next
		var first []Waiting
		first, f.err = e.store.Due(ctx, e.kinds, f.now, Lane{}, e.cfg.Batch-len(f.lanes))
		f.lanes = append(f.lanes, first...)
	}
	return f
}

// choose decides how much of each lane to claim.
func (d *dispatch) choose(ctx context.Context, f found) error {
	if f.err != nil {
		return d.failed(ctx, f.err)
	}
	d.forget()
	most := min(d.e.cfg.Batch, d.hold-d.inHand)
	fair := max(d.e.cfg.PerDestination, most/max(1, len(f.lanes)))
	d.backlog = len(f.lanes) >= d.e.cfg.Batch
	var rooms []Room
	var noted []Lane
	seen := make(map[Lane]bool, len(f.lanes))
	wanted := map[string]int{} // of each group by this claim
	for i, w := range f.lanes {
		if most == 0 {
			break
		}
		if seen[w.Lane] {
			continue
		}
		seen[w.Lane] = true
		d.after = w.Lane
		l := d.lane(w.Lane)
		l.noted, l.asked, l.more = w.Noted, 0, true
		room := d.room(l) - wanted[w.Destination]
		if d.once { // one round only, so it takes what there is room for at once
			room = max(room, most/(len(f.lanes)-i))
		} else {
			room = min(room, fair)
		}
		if room = min(room, most); room <= 0 {
			continue
		}
		l.asked = room
		rooms = append(rooms, Room{w.Lane, room})
		wanted[w.Destination] += room
		most -= room
		if w.Noted {
			noted = append(noted, w.Lane)
		}
	}
	d.backlog = d.backlog || most == 0
	if len(rooms) == 0 {
		d.looking = false
		d.stopping = d.stopping || d.once
		d.breathe()
		return nil
	}
	go func() { d.taken <- d.e.claim(ctx, f, rooms, noted) }()
	return nil
}

// accept takes what was claimed in hand.
func (d *dispatch) accept(ctx context.Context, t taken) error {
	if t.err != nil {
		return d.failed(ctx, t.err)
	}
	d.looking = false
	d.stopping = d.stopping || d.once
	got := map[*lane]int{}
	for _, dl := range t.deliveries {
		l := d.lane(dl.Lane())
		l.queue = append(l.queue, job{dl, t.began, l.noted, t.probes[l.name]})
		l.group.held++
		got[l]++
		d.makeReady(l)
	}
	for _, r := range t.rooms {
		if l := d.lane(r.Lane); got[l] < l.asked {
			l.more = false
		}
	}
	n := len(t.deliveries)
	d.inHand += n
	d.claimed += n
	d.e.watch.claimed.Add(ctx, int64(n))
	d.look = d.look || d.backlog
	if !t.again.IsZero() {
		d.later.Reset(max(t.again.Sub(t.now), time.Millisecond))
	}
	if n < d.e.cfg.Batch/4 {
		d.breathe()
	}
	return nil
}

// breathe lets a few come together when there is much to do and no backlog, so that claims do not eat the machine.
func (d *dispatch) breathe() {
	if d.inHand > 0 {
		d.pausing = true
		d.pause.Reset(min(rest, time.Duration(d.inHand)*100*time.Microsecond))
	}
}

// failed ends a Step, and lets a Run try again at the next poll.
func (d *dispatch) failed(ctx context.Context, err error) error {
	d.looking = false
	if d.once {
		d.stopping = true
		if d.inHand == 0 {
			return err
		}
	}
	if ctx.Err() == nil {
		d.e.cfg.Logger.ErrorContext(ctx, "deliveries could not be claimed", "error", err)
	}
	return nil
}

// write writes results down until there are no more. When hurry closes it does not wait for a database that is away.
func (d *dispatch) write(ctx context.Context, hurry <-chan struct{}) {
	for {
		batch := d.gather()
		if len(batch) == 0 {
			return
		}
		held := d.e.complete(ctx, batch, hurry)
		d.e.watch.completed.Add(ctx, int64(len(batch)))
		d.finished <- written{len(batch), held}
	}
}

// tidyAfter is how many deliveries leave the queue before it is tidied.
const tidyAfter = 20_000

// tidy has the store tidy the queue when many have left it, without anybody waiting for that.
func (d *dispatch) tidy(ctx context.Context, left int) {
	if d.gone += left; d.gone < tidyAfter {
		return
	}
	select {
	case d.tidying <- struct{}{}:
	default:
		return // it is still at it
	}
	d.gone = 0
	go func() {
		ctx, cancel := context.WithTimeout(ctx, d.e.cfg.Lease)
		defer cancel()
		if err := d.e.store.Tidy(ctx); err != nil && ctx.Err() == nil {
			d.e.cfg.Logger.WarnContext(ctx, "the queue could not be tidied", "error", err)
		}
		<-d.tidying
	}()
}

// gather waits for a result and takes with it what comes in the next moment. One writer gathers at a time, so that
// batches are large. It returns none when there will be none.
func (d *dispatch) gather() []result {
	d.gathering.Lock()
	defer d.gathering.Unlock()
	first, ok := <-d.unsaved
	if !ok {
		return nil
	}
	batch := []result{first}
	var enough <-chan time.Time
	if !d.once {
		timer := time.NewTimer(linger)
		defer timer.Stop()
		enough = timer.C
	}
	for len(batch) < d.e.cfg.Batch {
		select {
		case r, ok := <-d.unsaved:
			if !ok {
				return batch
			}
			batch = append(batch, r)
			continue
		default:
		}
		if d.once {
			return batch
		}
		select {
		case r, ok := <-d.unsaved:
			if !ok {
				return batch
			}
			batch = append(batch, r)
		case <-enough:
			return batch
		}
	}
	return batch
}
