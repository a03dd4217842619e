package approval

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"maps"
	"slices"
	"time"

	"github.com/renkei-go/renkei/foundation/fault"
)

// ContentHash returns the SHA-256, in hex, of the canonical JSON of content: object keys sorted, no space, numbers as they
// were written. Equal data gives equal hashes whatever Go type holds it. It returns an Invalid fault for what is no
// JSON data.
func ContentHash(content any) (string, error) {
	data, err := jsonData(content)
	if err != nil {
		return "", err
	}
	return hashOf(data)
}

func jsonData(content any) (any, error) {
	raw, err := json.Marshal(content)
	if err != nil {
		return nil, fault.InvalidField("content", "must be JSON data").Because(err)
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	var data any
	if err := d.Decode(&data); err != nil {
		return nil, fault.InvalidField("content", "must be JSON data").Because(err)
	}
	return data, nil
}

func hashOf(data any) (string, error) {
	canonical, err := json.Marshal(data) // maps are written with sorted keys
	if err != nil {
		return "", fault.InvalidField("content", "must be JSON data").Because(err)
	}
	sum := sha256.Sum256(canonical)
	return hex.EncodeToString(sum[:]), nil
}

// Shown is what approvers could see from an instant on: no content, which may hold what not all of them may keep, but
// enough to say later which members of it have changed.
type Shown struct {
	Hash    string            `json:"hash"`
	At      time.Time         `json:"at"`
	Version int64             `json:"version"` // of the request
	By      string            `json:"by"`      // who changed it; the submitter at first
	Members map[string]string `json:"members"` // of a JSON object: the beginning of each member's hash
}

// shownOf takes the fingerprint of a content.
func shownOf(content any) (Shown, error) {
	data, err := jsonData(content)
	if err != nil {
		return Shown{}, err
	}
	s := Shown{Members: map[string]string{}}
	if s.Hash, err = hashOf(data); err != nil {
		return Shown{}, err
	}
	object, _ := data.(map[string]any)
	for name, value := range object {
		hash, err := hashOf(value)
		if err != nil {
			return Shown{}, err
		}
		s.Members[name] = hash[:memberHash]
	}
	return s, nil
}

const (
	memberHash = 16 // hex digits: enough to tell a change, which nobody forges
	maxShown   = 20 // fingerprints that a request keeps: the first, and the newest
)

// changedSince returns the members of the content that differ from what had the hash, ordered; nil when that was never
// shown, or so long ago that it is forgotten.
func (r Request) changedSince(hash string) []string {
	i := slices.IndexFunc(r.Shown, func(s Shown) bool { return s.Hash == hash })
	if i < 0 {
		return nil
	}
	return changed(r.Shown[i], r.Shown[len(r.Shown)-1])
}

func changed(was, is Shown) []string {
	names := []string{}
	for _, name := range slices.Sorted(maps.Keys(was.Members)) {
		if is.Members[name] != was.Members[name] {
			names = append(names, name)
		}
	}
	for name := range is.Members {
		if _, ok := was.Members[name]; !ok {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// show adds what is shown from now on.
func (r *Request) show(s Shown) {
	r.Shown = append(slices.Clone(r.Shown), s)
	if n := len(r.Shown); n > maxShown {
		r.Shown = slices.Delete(r.Shown, 1, 1+n-maxShown)
	}
	r.ContentHash = s.Hash
}

// stale is the refusal of a decision on what had the hash.
func (r Request) stale(hash string) error {
	err := ErrStaleContent.With("content_hash", r.ContentHash).With("version", r.Version).With("summary", r.Summary)
	if names := r.changedSince(hash); names != nil {
		err = err.With("changed", names)
	}
	return err
}
