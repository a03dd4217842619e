package delivery

import "time"

// lane is what a dispatch knows of a Lane: what it holds of it and has not begun.
type lane struct {
	name  Lane
	group *group
	queue []job
	ready bool // in dispatch.ready or group.parked
	drop  bool // the destination is held: give back what is not begun
	noted bool // there is a stored Destination
	asked int  // by the last claim
	more  bool // the last claim may have left some
}

// group is a destination's name over all tenants. What hangs for one of them, such as a mail relay, hangs for all, so
// they share its cap.
type group struct {
	held    int // claimed and not begun, or running
	running int
	most    float64 // how many may run: falls when the destination asks for less, rises again
	window  int     // how much to hold: grows while it accepts
	parked  []*lane // ready, but the group runs all it may
}

// mostLanes bounds what is remembered of destinations without work.
const mostLanes = 4096

func (d *dispatch) lane(name Lane) *lane {
	if l := d.lanes[name]; l != nil {
		return l
	}
	g := d.groups[name.Destination]
	if g == nil {
		g = &group{most: float64(d.e.cfg.PerDestination), window: d.e.cfg.PerDestination}
		d.groups[name.Destination] = g
	}
	l := &lane{name: name, group: g}
	d.lanes[name] = l
	return l
}

// forget lets go of lanes without work when there are many. It is called between claims, because a claim on its way
// counts on what its lanes were noted to be.
func (d *dispatch) forget() {
	if len(d.lanes) < mostLanes {
		return
	}
	for name, l := range d.lanes {
		if l.group.held == 0 {
			delete(d.lanes, name)
			delete(d.groups, name.Destination)
		}
	}
}

// room is how much more to claim of a lane.
func (d *dispatch) room(l *lane) int {
	g := l.group
	free := g.window - g.held
	if free < g.window/2 {
		return 0 // few large claims rather than many small ones
	}
	return free
}

func (d *dispatch) makeReady(l *lane) {
	if !l.ready && len(l.queue) > 0 {
		l.ready = true
		d.ready = append(d.ready, l)
	}
}

// start begins attempts, one of each ready lane in turn. A job whose lease might end before its attempt does, whose
// destination is held, or any when release is set, is given back.
func (d *dispatch) start(release bool) {
	fresh := d.e.cfg.Lease - d.e.cfg.Timeout
	for len(d.ready) > 0 && (release || d.running < d.e.cfg.Workers) {
		l := d.ready[0]
		d.ready = d.ready[1:]
		l.ready = false
		g := l.group
		for len(l.queue) > 0 && (release || l.drop || time.Since(l.queue[0].claimed) > fresh) {
			j := d.take(l)
			d.results <- result{job: j, released: true, began: time.Now()}
		}
		l.drop = false
		if len(l.queue) == 0 {
			continue
		}
		if g.running >= max(1, int(g.most)) {
			l.ready = true
			g.parked = append(g.parked, l)
			continue
		}
		d.begin(d.take(l))
		d.makeReady(l)
	}
}

func (d *dispatch) take(l *lane) job {
	j := l.queue[0]
	l.queue[0] = job{} // so that a long queue does not keep what it has given away
	l.queue = l.queue[1:]
	l.group.running++
	d.running++
	return j
}

// sent takes a result off its lane and passes it on. A destination that accepts gets a wider window, so that a backlog
// is claimed in few statements; one that does not falls back to what it can hold up.
func (d *dispatch) sent(r result) {
	l := d.lanes[r.Lane()]
	g := l.group
	g.running--
	g.held--
	d.running--
	most := d.e.cfg.PerDestination
	switch {
	case r.released:
	case r.slow:
		g.most, g.window = max(1, g.most/2), most
	case r.State() == Succeeded:
		g.window = min(g.window+2, 2*d.e.cfg.Batch)
		g.most = min(g.most+1/g.most, float64(most))
	default:
		g.window = most
	}
	if len(g.parked) > 0 {
		first := g.parked[0]
		g.parked = g.parked[1:]
		first.ready = false
		d.makeReady(first)
	}
	d.makeReady(l)
	if l.more && d.room(l) > 0 {
		d.look, d.pausing = true, false // there is enough to do that a claim is worth while
	}
	d.unsaved <- r
}

// drop gives back what is not begun of lanes that are held.
func (d *dispatch) drop(lanes []Lane) {
	for _, name := range lanes {
		l := d.lanes[name]
		if l == nil || len(l.queue) == 0 {
			continue
		}
		l.drop = true
		if !l.ready {
			d.makeReady(l)
			continue
		}
		// It may be parked behind attempts that hang.
		for i, p := range l.group.parked {
			if p == l {
				l.group.parked = append(l.group.parked[:i:i], l.group.parked[i+1:]...)
				l.ready = false
				d.makeReady(l)
				break
			}
		}
	}
}
