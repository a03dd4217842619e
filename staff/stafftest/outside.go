package stafftest

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/renkei-go/renkei/foundation/fault"
	"github.com/renkei-go/renkei/foundation/identity"
	"github.com/renkei-go/renkei/staff"
)

func keys(t *testing.T, s staff.Store) {
	ctx := t.Context()
	k := staff.StoredKey{Hash: "h1", Key: staff.Key{
		Name: "payroll", Prefix: "stf_abc", Scopes: []staff.Scope{staff.ScopeRead, staff.ScopeExports}, Groups: staff.Groups{staff.Basic, staff.Payroll},
		SystemType: staff.SystemFinance, CIDRs: []string{"10.0.0.0/8"}, ExpiresAt: noon.Add(time.Hour), CreatedBy: "admin", CreatedAt: noon, UpdatedAt: noon,
	}}
	var err error
	if k.ID, err = s.InsertKey(ctx, "acme", k); err != nil {
		t.Fatal(err)
	}
	same := func(what string, got, want staff.StoredKey, err error) {
		t.Helper()
		if err != nil || fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%s = %+v, %v, want %+v", what, got, err, want)
		}
	}
	got, err := s.Key(ctx, "acme", k.ID)
	same("Key", got, k, err)
	if _, err := s.InsertKey(ctx, "rival", k); fault.CodeOf(err) != fault.Conflict {
		t.Errorf("the same hash twice: %v", err)
	}
	k.Hash, k.OldHash, k.OldUntil, k.RevokedAt = "h2", "h1", noon.Add(time.Minute), noon
	k.Allowance, k.AllowedUntil = 7, noon.Add(time.Hour)
	if err := s.UpdateKey(ctx, "acme", k); err != nil {
		t.Fatal(err)
	}
	for _, hash := range []string{"h1", "h2"} {
		found, err := s.KeyByHash(ctx, hash)
		same("KeyByHash", found.Item, k, err)
		if found.Tenant != "acme" {
			t.Errorf("it is %s's", found.Tenant)
		}
	}
	if err := s.UseKey(ctx, "acme", k.ID, noon.Add(time.Second), "10.1.2.3"); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		tenant      identity.TenantID
		key, person int64
		at, since   time.Time
		before      int64 // how many others
	}{
		{"acme", k.ID, 1, noon, noon.Add(-time.Hour), 0}, {"acme", k.ID, 1, noon.Add(time.Minute), noon.Add(-time.Hour), 0},
		{"acme", k.ID, 2, noon.Add(2 * time.Minute), noon.Add(-time.Hour), 1}, {"acme", k.ID + 1, 2, noon, noon.Add(-time.Hour), 0},
		{"rival", k.ID, 2, noon, noon.Add(-time.Hour), 0}, {"acme", k.ID, 3, noon.Add(time.Hour), noon.Add(time.Minute), 1},
		{"acme", k.ID, 4, noon.Add(time.Hour), noon.Add(-time.Hour), 2}, // the first is forgotten
	} {
		if n, err := s.Deactivated(ctx, c.tenant, c.key, c.person, c.since); err != nil || n != c.before {
			t.Errorf("Deactivated %+v = %d, %v", c, n, err)
		}
		if err := s.Deactivate(ctx, c.tenant, c.key, c.person, c.at, c.since); err != nil {
			t.Errorf("Deactivate %+v: %v", c, err)
		}
	}
	k.LastUsedAt, k.LastUsedFrom = noon.Add(time.Second), "10.1.2.3"
	all, err := s.Keys(ctx, "acme", 0, 5)
	if err != nil || len(all) != 1 {
		t.Fatalf("Keys = %v, %v", all, err)
	}
	same("Keys", all[0], k, err)
	for name, err := range map[string]error{
		"no hash": second(s.KeyByHash(ctx, "")), "unknown hash": second(s.KeyByHash(ctx, "h3")),
		"Key of another tenant": second(s.Key(ctx, "rival", k.ID)), "UpdateKey of another tenant": s.UpdateKey(ctx, "rival", k),
	} {
		if !errors.Is(err, staff.ErrUnknownKey) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func second[T any](_ T, err error) error { return err }

func imports(t *testing.T, s staff.Store) {
	ctx := t.Context()
	i := staff.Imported{Source: "ats", Key: "id:1", Hash: "h", PersonID: 7, CreatedAt: noon}
	if err := s.InsertImport(ctx, "acme", i); err != nil {
		t.Fatal(err)
	}
	if got, found, err := s.Import(ctx, "acme", "ats", "id:1"); err != nil || !found || got != i {
		t.Errorf("Import = %+v, %v, %v", got, found, err)
	}
	for _, c := range [][3]string{{"rival", "ats", "id:1"}, {"acme", "other", "id:1"}, {"acme", "ats", "id:2"}} {
		if _, found, err := s.Import(ctx, "rival", c[1], c[2]); err != nil || found {
			t.Errorf("Import%v = %v, %v", c, found, err)
		}
	}
	if err := s.InsertImport(ctx, "acme", i); fault.CodeOf(err) != fault.Conflict {
		t.Errorf("the same twice: %v", err)
	}
	if all, err := s.ImportsOf(ctx, "acme", 7); err != nil || len(all) != 1 || all[0] != i {
		t.Errorf("ImportsOf = %v, %v", all, err)
	}
	if err := s.ForgetImports(ctx, "acme", 7); err != nil {
		t.Fatal(err)
	}
	if all, err := s.ImportsOf(ctx, "acme", 7); err != nil || len(all) != 0 {
		t.Errorf("after ForgetImports: %v, %v", all, err)
	}
}

func systems(t *testing.T, s staff.Store) {
	ctx := t.Context()
	sync := func(y staff.System) {
		t.Helper()
		if err := s.SyncSystem(ctx, "acme", y); err != nil {
			t.Fatal(err)
		}
	}
	sync(staff.System{Name: "hr", Type: staff.SystemHR, LastSyncAt: noon, LastSuccessfulAt: noon, Status: staff.SyncActive, Metadata: map[string]any{"records": "5"}})
	sync(staff.System{Name: "hr", LastSyncAt: noon.Add(time.Hour), Status: staff.SyncFailed, Error: "try_again"})
	sync(staff.System{Name: "hr", Type: staff.SystemRecruitment, LastSyncAt: noon.Add(2 * time.Hour), LastSuccessfulAt: noon.Add(2 * time.Hour), Status: staff.SyncActive})
	sync(staff.System{Name: "lms", Type: staff.SystemLMS, LastSyncAt: noon, LastSuccessfulAt: noon, Status: staff.SyncActive})
	sync(staff.System{Name: "off", Type: staff.SystemHR, LastSyncAt: noon.AddDate(-1, 0, 0), Status: staff.SyncDisabled})
	sync(staff.System{Name: "other", LastSyncAt: noon.AddDate(-1, 0, 0), LastSuccessfulAt: noon.AddDate(-1, 0, 0), Status: staff.SyncActive})
	all, err := s.Systems(ctx, "acme", 0, 10)
	if err != nil || len(all) != 4 {
		t.Fatalf("Systems = %v, %v", all, err)
	}
	hr := all[0]
	if hr.Name != "hr" || hr.Type != staff.SystemHR || !hr.LastSuccessfulAt.Equal(noon) || !hr.LastSyncAt.Equal(noon.Add(time.Hour)) ||
		hr.Status != staff.SyncFailed || hr.Error != "try_again" || len(hr.Metadata) != 0 || all[3].Type != staff.SystemOther {
		t.Errorf("Systems = %+v", all)
	}
	if none, err := s.Systems(ctx, "rival", 0, 10); err != nil || len(none) != 0 {
		t.Errorf("Systems of another tenant = %v, %v", none, err)
	}
	unhealthy := func(lmsBefore time.Time, want ...string) []staff.Owned[staff.System] {
		t.Helper()
		got, err := s.Unhealthy(ctx, map[string]time.Time{staff.SystemLMS: lmsBefore, staff.SystemHR: noon.Add(-time.Hour)}, 10)
		var names []string
		for _, y := range got {
			names = append(names, y.Item.Name)
		}
		if err != nil || fmt.Sprint(names) != fmt.Sprint(want) {
			t.Errorf("Unhealthy = %v, %v, want %v", names, err, want)
		}
		return got
	}
	unhealthy(noon, "hr")
	failing := unhealthy(noon.Add(time.Second), "hr", "lms")
	if err := s.Alerted(ctx, failing[0].Tenant, failing[0].Item.ID, noon); err != nil {
		t.Fatal(err)
	}
	unhealthy(noon.Add(time.Second), "lms")
	sync(staff.System{Name: "hr", LastSyncAt: noon, Status: staff.SyncFailed, Error: "again"})
	unhealthy(noon.Add(time.Second), "lms")
	sync(staff.System{Name: "hr", LastSyncAt: noon, LastSuccessfulAt: noon, Status: staff.SyncActive})
	sync(staff.System{Name: "hr", LastSyncAt: noon, Status: staff.SyncFailed, Error: "anew"})
	unhealthy(noon, "hr")
	for _, tenant := range []identity.TenantID{"rival", "acme", "acme"} {
		if err := s.DisableSystem(ctx, tenant, "hr", noon.Add(time.Hour)); err != nil {
			t.Fatal(err)
		}
		if tenant == "rival" {
			unhealthy(noon, "hr")
		}
	}
	unhealthy(noon)
	if err := s.DisableSystem(ctx, "acme", "nobody", noon); err != nil {
		t.Error(err)
	}
	if all, err = s.Systems(ctx, "acme", 0, 10); err != nil || len(all) != 4 || all[0].Status != staff.SyncDisabled || all[0].Error != "" {
		t.Errorf("after DisableSystem: %+v, %v", all, err)
	}
}
