package ical

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestCorpus reads calendar files met in the wild where a checkout has them beside it: nothing may panic or take long,
// and of the well-formed ones nearly all must yield a component. Without the files there is nothing to iterate over.
func TestCorpus(t *testing.T) {
	var total, good int
	root := filepath.Join("..", "..", "..", "shared", "corpus")
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return nil //nolint:nilerr // without the files there is nothing to read
		}
		raw, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		begun := time.Now()
		objects, warn, err := Parse(raw)
		if took := time.Since(begun); took > 20*time.Second { // the machine may be busy
			t.Errorf("%s took %v", filepath.Base(path), took)
		}
		components := 0
		for _, o := range objects {
			components += len(o.Components)
		}
		if strings.Contains(codes(warn), WarnRejected) {
			t.Errorf("%s: golang-ical refuses the canonical form", filepath.Base(path))
		}
		folder := filepath.Base(filepath.Dir(path))
		if filepath.Ext(path) != ".ics" || folder == "malformed" || folder == "embedded-template" || len(raw) > MaxBytes {
			return nil
		}
		if total++; components > 0 {
			good++
		} else {
			t.Logf("%s: no component, %v", filepath.Base(path), err)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if total > 0 {
		t.Logf("%d of %d files", good, total)
	}
	if good*100 < total*97 {
		t.Errorf("only %d of %d files yield a component", good, total)
	}
}
