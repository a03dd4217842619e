package graphsync

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
)

// read brings the mirror up to date, page by page; each page is kept with where to read on.
func (s *Service) read(ctx context.Context, full bool) error {
	p, err := s.cfg.Store.Progress(ctx, s.cfg.Tenant)
	if err != nil {
		return err
	}
	reading := p.Users.Full || p.Groups.Full
	if (full || p.Users.Link == "" || p.Groups.Link == "" || !s.now().Before(p.FullAt.Add(s.cfg.FullEvery))) && !reading {
		err := s.progress(ctx, func(p *Progress) {
			p.FullAt = s.now()
			p.Users, p.Groups = p.Users.anew(FirstUsers), p.Groups.anew(FirstGroups)
		})
		if err != nil {
			return err
		}
	}
	if err := s.follow(ctx, KindUser, FirstUsers); err != nil {
		return err
	}
	return s.follow(ctx, KindGroup, FirstGroups)
}

// anew begins a full read.
func (c Cursor) anew(first string) Cursor { return Cursor{first, c.Generation + 1, true} }

func (p *Progress) cursor(kind Kind) *Cursor {
	if kind == KindUser {
		return &p.Users
	}
	return &p.Groups
}

// follow reads what there is of a kind. A link that is no longer good leads to the beginning, once.
func (s *Service) follow(ctx context.Context, kind Kind, first string) error {
	restarted := false
	for {
		p, err := s.cfg.Store.Progress(ctx, s.cfg.Tenant)
		if err != nil {
			return err
		}
		cursor := *p.cursor(kind)
		got, err := s.cfg.Graph.Delta(ctx, cursor.Link)
		if errors.Is(err, ErrResync) && !restarted {
			restarted = true
			if err := s.progress(ctx, func(p *Progress) { *p.cursor(kind) = cursor.anew(first) }); err != nil {
				return err
			}
			continue
		}
		if err != nil {
			return err
		}
		if err := s.keepPage(ctx, kind, cursor, got); err != nil || got.More == "" {
			return err
		}
	}
}

// keepPage stores a page, and where to read on.
func (s *Service) keepPage(ctx context.Context, kind Kind, cursor Cursor, got DeltaPage) error {
	return s.keep(ctx, func(ctx context.Context) error {
		var ids []string
		for _, c := range got.Changes {
			ids = append(ids, c.ID)
		}
		slices.Sort(ids)
		ids = slices.Compact(ids)
		objects, err := s.laid(ctx, kind, cursor.Generation, ids, got.Changes)
		if err != nil {
			return err
		}
		var put []Object
		var drop []string
		for _, id := range ids {
			if data, ok := objects[id]; ok {
				put = append(put, Object{kind, id, cursor.Generation, data})
			} else {
				drop = append(drop, id)
			}
		}
		if err := s.cfg.Store.PutObjects(ctx, s.cfg.Tenant, put); err != nil {
			return err
		}
		if err := s.cfg.Store.DropObjects(ctx, s.cfg.Tenant, kind, drop); err != nil {
			return err
		}
		next := Cursor{got.More + got.Next, cursor.Generation, cursor.Full && got.Next == ""}
		if cursor.Full && !next.Full {
			if err := s.cfg.Store.PruneObjects(ctx, s.cfg.Tenant, kind, cursor.Generation); err != nil {
				return err
			}
		}
		return s.progress(ctx, func(p *Progress) { *p.cursor(kind) = next })
	})
}

// laid returns what is known of objects with changes laid over it; those that are gone are missing.
func (s *Service) laid(ctx context.Context, kind Kind, generation int64, ids []string, changes []Change) (map[string][]byte, error) {
	found, err := s.cfg.Store.ObjectsByID(ctx, s.cfg.Tenant, kind, ids)
	if err != nil {
		return nil, err
	}
	objects := map[string][]byte{}
	for _, o := range found {
		if o.Generation == generation { // what an earlier full read said counts no more
			objects[o.ID] = o.Data
		}
	}
	for _, c := range changes {
		if c.Removed {
			delete(objects, c.ID)
			continue
		}
		if objects[c.ID], err = merge(kind, objects[c.ID], c); err != nil {
			return nil, err
		}
	}
	return objects, nil
}

// reference is one of what Graph calls a navigation property's delta.
type reference struct {
	ID      string          `json:"id"`
	Removed json.RawMessage `json:"@removed"`
}

// merge lays what a delta tells over what was known of an object.
func merge(kind Kind, known []byte, c Change) ([]byte, error) {
	var refs struct {
		Manager []reference `json:"manager@delta"`
		Members []reference `json:"members@delta"`
	}
	if err := json.Unmarshal(c.Data, &refs); err != nil {
		return nil, ErrUnreadable
	}
	if kind == KindUser {
		var a Account
		if err := over(&a, known, c.Data); err != nil {
			return nil, err
		}
		for _, r := range refs.Manager {
			if r.Removed == nil {
				a.ManagerID = Text(r.ID)
			} else if string(a.ManagerID) == r.ID {
				a.ManagerID = ""
			}
		}
		return json.Marshal(a)
	}
	var g Group
	if err := over(&g, known, c.Data); err != nil {
		return nil, err
	}
	members := make(map[string]bool, len(g.Members))
	for _, m := range g.Members {
		members[m] = true
	}
	for _, r := range refs.Members {
		members[r.ID] = r.Removed == nil
	}
	g.Members = g.Members[:0]
	for id, in := range members {
		if in {
			g.Members = append(g.Members, id)
		}
	}
	slices.Sort(g.Members)
	return json.Marshal(g)
}

func over(v any, known, told []byte) error {
	if len(known) > 0 {
		if err := json.Unmarshal(known, v); err != nil {
			return err
		}
	}
	if json.Unmarshal(told, v) != nil {
		return ErrUnreadable
	}
	return nil
}
