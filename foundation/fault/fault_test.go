package fault_test

import (
	"errors"
	"fmt"
	"io"
	"testing"

	"github.com/renkei-go/renkei/foundation/fault"
)

var errTaken = fault.New(fault.Conflict, "resource_conflict", "the room is taken")

func Example() {
	book := func() error { return errTaken.With("alternatives", []string{"room-b"}) }

	err := fmt.Errorf("booking: %w", book())
	fmt.Println(errors.Is(err, errTaken), fault.CodeOf(err), fault.ReasonOf(err))
	fmt.Println(fault.As(err).Details["alternatives"])
	fmt.Println(fault.CodeOf(io.ErrUnexpectedEOF)) // a foreign error tells a client nothing
	// Output:
	// true conflict resource_conflict
	// [room-b]
	// internal
}

func TestEnrichedCopiesLeaveTheSentinelAlone(t *testing.T) {
	cause := errors.New("disk on fire")
	rich := errTaken.With("a", 1).With("b", 2).WithField("body.start_at", "must be later").WithMessage("taken").Because(cause)
	if errTaken.Details != nil || errTaken.Fields != nil || errTaken.Message != "the room is taken" || errTaken.Unwrap() != nil {
		t.Fatalf("the sentinel changed: %+v", errTaken)
	}
	if !errors.Is(rich, errTaken) || !errors.Is(rich, cause) || len(rich.Details) != 2 || len(fault.FieldsOf(rich)) != 1 {
		t.Fatalf("got %+v", rich)
	}
	if other := fault.New(fault.Conflict, "other", ""); errors.Is(rich, other) {
		t.Fatal("another reason is the same fault")
	}
	if got, want := rich.Error(), "resource_conflict: taken; body.start_at must be later: disk on fire"; got != want {
		t.Fatalf("got %q, want %q", got, want)
	}
}

func TestNothingIsNoFault(t *testing.T) {
	if fault.CodeOf(nil) != "" || fault.ReasonOf(nil) != "" || fault.As(nil) != nil || fault.FieldsOf(nil) != nil {
		t.Fatal("nil has a code")
	}
	if fault.ReasonOf(io.EOF) != "internal" {
		t.Fatal("a foreign error has a reason of its own")
	}
	if err := fault.InvalidField("title", "is missing"); fault.CodeOf(err) != fault.Invalid || fault.FieldsOf(err)[0].Location != "title" {
		t.Fatalf("got %v", err)
	}
}
