package server

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"

	"github.com/renkei-go/renkei/foundation/audit"
	"github.com/renkei-go/renkei/foundation/fault"
	"github.com/renkei-go/renkei/foundation/identity"
	"github.com/renkei-go/renkei/foundation/secret"
)

// keysFile is where the keys live in the data folder, unless the settings give them.
const keysFile = "secret.keys"

// keyRing is what the server's secret keys are used for. Each use has a key of its own, derived from the operator's.
type keyRing struct {
	audit  audit.Keys
	tokens secret.String  // of the oldest key: mails that wait to be sent are rendered with tokens that were issued before a rotation
	seal   *secret.Sealer // keeps stored answers unreadable to who has only the database
}

func keysOf(cfg Config) (keyRing, error) {
	text := cfg.SecretKeys.Reveal()
	if text == "" {
		var err error
		if text, err = kept(cfg.DataDir, keysFile, func() string { return "k1:" + secret.NewKey().Reveal() }); err != nil {
			return keyRing{}, err
		}
	}
	sealer, err := secret.ParseKeys(text)
	if err != nil {
		return keyRing{}, err
	}
	ring := keyRing{seal: sealer, audit: audit.Keys{Secrets: map[string][]byte{}}}
	for i, entry := range entries(text) {
		derive := func(use string) []byte {
			mac := hmac.New(sha256.New, []byte(entry.key))
			mac.Write([]byte("renkei " + use))
			return mac.Sum(nil)
		}
		ring.audit.Secrets[entry.id] = derive("audit")
		if i == 0 {
			ring.audit.Current = entry.id
		}
		ring.tokens = secret.NewString(hex.EncodeToString(derive("guest tokens")))
	}
	return ring, nil
}

// errOtherKeys is returned at the start, before anything is sealed that others cannot read.
var errOtherKeys = fault.New(fault.Conflict, "other_secret_keys",
	"the database was sealed with other secret keys of the same names; give every server the same RENKEI_SECRET_KEYS, or the secret.keys of the first one")

// keysFit looks at the end of the audit trail, which every server seals, and returns errOtherKeys when nothing there is
// sealed with the keys that it says. One entry that was tampered with is for audit verify to tell.
func (p *parts) keysFit(ctx context.Context, tenant identity.TenantID, log *slog.Logger) error {
	last, err := p.audit.Last(ctx, tenant)
	if err != nil || last.Seq == 0 {
		return err
	}
	report, err := audit.Verify(ctx, tail{p.audit, last.Seq - 20}, tenant, p.keys.audit, nil)
	if err != nil {
		return err
	}
	var edited, unknown int64
	for _, problem := range report.Problems {
		switch problem.Kind {
		case audit.Edited:
			edited++
		case audit.UnknownKey:
			unknown++
		default:
		}
	}
	if edited > 0 && edited+unknown >= report.Sealed {
		return errOtherKeys
	}
	if unknown > 0 && unknown == report.Sealed {
		log.WarnContext(ctx, "the audit trail was last sealed with a key that this server does not have; what else that key sealed cannot be read")
	}
	return nil
}

// tail is the end of a trail.
type tail struct {
	audit.SealStore
	after int64
}

// Sealed implements audit.SealStore.
func (t tail) Sealed(ctx context.Context, tenant identity.TenantID, after int64, limit int) ([]audit.Sealed, error) {
	return t.SealStore.Sealed(ctx, tenant, max(after, t.after), limit)
}

type keyEntry struct{ id, key string }

// entries takes a list that ParseKeys accepts apart, the current key first.
func entries(text string) []keyEntry {
	var all []keyEntry
	for part := range strings.SplitSeq(text, ",") {
		id, key, _ := strings.Cut(strings.TrimSpace(part), ":")
		all = append(all, keyEntry{id, key})
	}
	return all
}

// resealers are the parts that keep something sealed, each with the call that seals it with the current key.
func (p *parts) resealers() []resealer {
	return []resealer{
		{"kept answers to idempotency keys", p.idempotency.Reseal},
		{"webhook subscriptions", p.hooks.Reseal},
	}
}

type resealer struct {
	what string
	run  func(context.Context) (int, error)
}

// rotate is the command: a new key in front of those in the data folder, and everything sealed with it. Keys that come
// from the settings cannot be changed from here; then it makes the key and says where to put it.
func rotate(ctx context.Context, cfg Config, stdout io.Writer) error {
	cfg = cfg.withDefaults()
	if !cfg.SecretKeys.IsZero() {
		id := freeID(entries(cfg.SecretKeys.Reveal()))
		_, err := fmt.Fprintf(stdout, "The keys come from the settings, which this command cannot change. Put this new key and a comma in front of RENKEI_SECRET_KEYS\n"+
			"and leave the old keys behind it; restart every server; then run keys reseal.\n%s:%s\n", id, secret.NewKey().Reveal())
		return err
	}
	// The database first: where a server is using the file, nothing has happened yet.
	db, err := open(ctx, cfg)
	if err != nil {
		return err
	}
	id, old, err := addKey(cfg.DataDir)
	if err := errors.Join(err, db.Close()); err != nil {
		return err
	}
	fmt.Fprintf(stdout, "%s is the new current key in %s; %d older stay behind it, to read what they sealed\n", id, filepath.Join(cfg.DataDir, keysFile), old)
	if err := reseal(ctx, cfg, stdout); err != nil {
		return fmt.Errorf("the key is changed, but not all is sealed with it; run keys reseal: %w", err)
	}
	_, err = fmt.Fprintln(stdout, "restart every server of this data folder")
	return err
}

// reseal is the command: what is sealed with an older key is sealed with the current one. The audit chain stays as it
// is: the older keys prove it.
func reseal(ctx context.Context, cfg Config, stdout io.Writer) (err error) {
	cfg.Broker, cfg.PublicURL = "", "http://"+cfg.Listen // nothing is sent
	p, err := wire(ctx, cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.close()) }()
	for _, r := range p.resealers() {
		n, err := r.run(ctx)
		if err != nil {
			return fmt.Errorf("%s: %w", r.what, err)
		}
		fmt.Fprintf(stdout, "%s: %d sealed anew\n", r.what, n)
	}
	_, err = fmt.Fprintln(stdout, "keep the older keys as long as audit verify has entries that they sealed, and invitations are out that they signed")
	return err
}

// freeID is the first of k1, k2, … after the number of keys that none of them has.
func freeID(keys []keyEntry) string {
	taken := map[string]bool{}
	for _, k := range keys {
		taken[k.id] = true
	}
	n := len(keys) + 1
	for taken[fmt.Sprint("k", n)] {
		n++
	}
	return fmt.Sprint("k", n)
}

var errRotating = fault.New(fault.Conflict, "rotation_in_progress",
	"another rotation is under way; if it broke off, remove "+keysFile+".new from the data folder")

// addKey puts a new key in front of those in the data folder and returns its id and how many there were. A crash leaves
// the old file or the new one.
func addKey(dir string) (id string, old int, err error) {
	failed := func(err error) (string, int, error) {
		return "", 0, fault.New(fault.Unavailable, "data_dir", "the keys in the data folder cannot be changed").Because(err)
	}
	path := filepath.Join(dir, keysFile)
	next, err := os.OpenFile(path+".new", os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600) // held until the rename: one rotation at a time
	if errors.Is(err, fs.ErrExist) {
		return "", 0, errRotating
	}
	if err != nil {
		return failed(err)
	}
	renamed := false
	defer func() {
		_ = next.Close()
		if !renamed {
			_ = os.Remove(next.Name())
		}
	}()
	text, err := kept(dir, keysFile, func() string { return "k1:" + secret.NewKey().Reveal() })
	if err != nil {
		return "", 0, err
	}
	if _, err := secret.ParseKeys(text); err != nil {
		return "", 0, err
	}
	keys := entries(text)
	id = freeID(keys)
	_, err = fmt.Fprintf(next, "%s:%s,%s\n", id, secret.NewKey().Reveal(), text)
	if err = errors.Join(err, next.Sync()); err != nil {
		return failed(err)
	}
	if err := os.Rename(next.Name(), path); err != nil {
		return failed(err)
	}
	renamed = true
	return id, len(keys), nil
}
