package scim

import (
	"context"
	"time"

	"github.com/renkei-go/renkei/foundation/identity"
	"github.com/renkei-go/renkei/staff"
)

// Kind is a kind of resource.
type Kind string

// The kinds of resources.
const (
	User  Kind = "User"
	Group Kind = "Group"
)

// Link is what clients said of a resource that staff has no field for. A resource without a link is as staff has it.
type Link struct {
	Kind       Kind
	ItemID     int64  // of the person or unit
	UserName   string // of a User, as given; empty: none was
	NameKey    string // UserName without regard to case
	ExternalID string
	DeletedAt  time.Time // when a client deleted it; zero: not. A person is hidden from then on while inactive, a unit for good
	Version    int64     // rises by one with each change, from 1
	UpdatedAt  time.Time
}

// Membership says how many people are in a unit, and the highest number of an assignment among them: together they are
// different after every change, since assignments end and never begin again.
type Membership struct{ Count, Last int64 }

// Store keeps links and selects resources. Implementations are safe for concurrent use and join the transaction in ctx.
// Package staffbun is one; it passes stafftest.RunSCIM.
type Store interface {
	// Links returns those of the items that have one.
	Links(ctx context.Context, tenant identity.TenantID, kind Kind, items ...int64) ([]Link, error)
	// LinksBy returns those with the NameKey or the ExternalID, where these are not empty, by ItemID.
	LinksBy(ctx context.Context, tenant identity.TenantID, kind Kind, nameKey, externalID string) ([]Link, error)
	// SaveLink adds or replaces a link.
	SaveLink(ctx context.Context, tenant identity.TenantID, l Link) error
	// ForgetLink removes the link of an item, if there is one.
	ForgetLink(ctx context.Context, tenant identity.TenantID, kind Kind, item int64) error
	// Visible returns the ids above after of up to limit items that are neither erased nor hidden, by id, without the first
	// offset of them.
	Visible(ctx context.Context, tenant identity.TenantID, kind Kind, after int64, offset, limit int) ([]int64, error)
	// CountVisible says how many there are.
	CountVisible(ctx context.Context, tenant identity.TenantID, kind Kind) (int64, error)
	// MembersOf returns the ids above after of up to limit visible people who are or will be in a unit, by id.
	MembersOf(ctx context.Context, tenant identity.TenantID, today staff.Date, unit, after int64, limit int) ([]int64, error)
	// Memberships counts the visible people who are or will be in the units, of those that have any.
	Memberships(ctx context.Context, tenant identity.TenantID, today staff.Date, units ...int64) (map[int64]Membership, error)
}

// Keeper returns what a staff.Config needs to disclose and to forget the names that clients gave a person.
func Keeper(s Store) staff.Keeper { return keeper{s} }

type keeper struct{ store Store }

func (k keeper) Kept(ctx context.Context, tenant identity.TenantID, person int64) (any, error) {
	links, err := k.store.Links(ctx, tenant, User, person)
	if err != nil || len(links) == 0 {
		return nil, err
	}
	l := links[0]
	return map[string]any{"user_name": l.UserName, "external_id": l.ExternalID, "updated_at": l.UpdatedAt}, nil
}

func (k keeper) Forget(ctx context.Context, tenant identity.TenantID, person int64) error {
	return k.store.ForgetLink(ctx, tenant, User, person)
}
