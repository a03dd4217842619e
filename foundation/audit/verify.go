package audit

import (
	"context"

	"github.com/renkei-go/renkei/foundation/identity"
)

// Kind says what is wrong at a place of the chain.
type Kind string

// The kinds of problems.
const (
	Edited     Kind = "edited"      // the content, or the seal on it, is not what was sealed
	Removed    Kind = "removed"     // there is no entry at this place
	Reordered  Kind = "reordered"   // a genuine content at a place that was not given to it
	Inserted   Kind = "inserted"    // behind the end of the chain, or at a place that is taken
	CutTail    Kind = "cut_tail"    // the chain once reached to Seq, and now ends before
	UnknownKey Kind = "unknown_key" // sealed with a key that is not in the ring
)

// Problem is a place where the chain does not hold.
type Problem struct {
	Seq  int64
	ID   string // of the entry; empty when there is none
	Kind Kind
}

// Report is what Verify found. Entries that are not sealed yet cannot be vouched for.
type Report struct {
	Sealed   int64 // entries that have a seal
	Unsealed int64 // entries that wait for one
	Problems []Problem
	Omitted  int // problems beyond the first MaxProblems
}

// MaxProblems is how many problems a Report lists.
const MaxProblems = 1000

// OK says that the chain holds.
func (r Report) OK() bool { return len(r.Problems) == 0 }

func (r *Report) add(seq int64, id string, kind Kind) {
	if len(r.Problems) == MaxProblems {
		r.Omitted++
		return
	}
	r.Problems = append(r.Problems, Problem{seq, id, kind})
}

const verifyBatch = 1000

// Verify walks the tenant's chain and reports every place where it does not hold. Somebody who can write to the
// database but does not know the keys cannot edit, remove or move a sealed entry unseen; cutting off the end, together
// with the table's own note of it, is seen with a head that was exported before. head may be nil.
//
// It reads in batches, so memory stays flat, and it may run beside the sealer. It returns ErrBadHead, ErrBadKeys, or the
// store's error; problems of the chain are no error.
func Verify(ctx context.Context, store SealStore, tenant identity.TenantID, keys Keys, head *Head) (Report, error) {
	var r Report
	if err := keys.Validate(); err != nil {
		return r, err
	}
	if head != nil {
		key := keys.Secrets[head.KeyID]
		if head.Tenant != tenant || key == nil || !equal(head.Signature, head.signature(key)) {
			return r, ErrBadHead
		}
	}
	last, err := store.Last(ctx, tenant) // before the entries, which may grow meanwhile
	if err != nil {
		return r, err
	}
	w := walk{tenant: tenant, keys: keys, head: head, report: &r}
	for {
		entries, err := store.Sealed(ctx, tenant, w.at.Seq, verifyBatch)
		if err != nil {
			return r, err
		}
		for _, e := range entries {
			if e.Seal.Seq <= w.at.Seq {
				r.add(e.Seal.Seq, e.ID, Inserted)
				continue
			}
			w.step(e)
		}
		if len(entries) < verifyBatch {
			break
		}
	}
	w.end(last)
	if w.at.Seq > last.Seq {
		// More than the note of the end that was read first: sealed meanwhile, or put there.
		now, err := store.Last(ctx, tenant)
		if err != nil {
			return r, err
		}
		if w.at.Seq > now.Seq {
			r.add(w.at.Seq, w.id, Inserted)
		}
	}
	r.Unsealed, err = store.CountUnsealed(ctx, tenant)
	return r, err
}

// walk is Verify on its way.
type walk struct {
	tenant identity.TenantID
	keys   Keys
	head   *Head
	report *Report

	at       Seal   // the last entry's
	id       string // and its id
	computed string // its MAC as it should be; differs from at.MAC when that was tampered with
}

func (w *walk) step(e Sealed) {
	w.report.Sealed++
	gap := e.Seal.Seq != w.at.Seq+1
	if gap {
		// Named one by one: each is an act that somebody wants forgotten.
		for seq := w.at.Seq + 1; seq < e.Seal.Seq; seq++ {
			w.report.add(seq, "", Removed)
			if len(w.report.Problems) == MaxProblems {
				w.report.Omitted += int(e.Seal.Seq - seq - 1)
				break
			}
		}
	}
	computed := e.Seal.MAC
	if kind := w.check(e, gap, &computed); kind != "" {
		w.report.add(e.Seal.Seq, e.ID, kind)
	} else if w.head != nil && w.head.Seq == e.Seal.Seq && !equal(w.head.MAC, e.Seal.MAC) {
		w.report.add(e.Seal.Seq, e.ID, Edited) // a chain that holds, but not the one that the head was taken of
	}
	w.at, w.id, w.computed = e.Seal, e.ID, computed
}

func (w *walk) check(e Sealed, gap bool, computed *string) Kind {
	key := w.keys.Secrets[e.Seal.KeyID]
	if key == nil {
		return UnknownKey
	}
	d, err := digest(key, e.Seal.KeyID, e.Entry)
	if err != nil || !equal(d, e.Seal.Digest) {
		return Edited
	}
	if gap && w.at.Seq+1 < e.Seal.Seq {
		return "" // the MAC before it is gone with its entry, and that is reported
	}
	*computed = link(key, w.tenant, e.Seal.Seq, w.at.MAC, d)
	if equal(*computed, e.Seal.MAC) {
		return ""
	}
	// One altered MAC is one problem: the next entry still follows the MAC that should be there.
	if c := link(key, w.tenant, e.Seal.Seq, w.computed, d); equal(c, e.Seal.MAC) {
		*computed = c
		return ""
	}
	return Reordered
}

// end compares where the walk ended with what is known of the end.
func (w *walk) end(last Seal) {
	switch {
	case w.head != nil && w.at.Seq < w.head.Seq:
		w.report.add(w.head.Seq, "", CutTail)
	case w.at.Seq < last.Seq:
		w.report.add(last.Seq, "", CutTail)
	case w.at.Seq == last.Seq && last.Seq > 0 && !equal(w.at.MAC, last.MAC) && w.report.OK():
		w.report.add(last.Seq, w.id, Edited) // the note of the end was altered, or the last entry's seal
	}
}
