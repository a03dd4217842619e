package main

import (
	"context"
	"fmt"
	"io"

	"github.com/renkei-go/renkei/approval"
	"github.com/renkei-go/renkei/foundation/identity"
	"github.com/renkei-go/renkei/foundation/sqldb"
)

// Order is a table of our own.
type Order struct {
	ID     string `bun:",pk"`
	Item   string
	Amount int
	State  string // waiting, placed, refused or lapsed
	Note   string
}

// place stores an order in a transaction of our own, and asks for consent in the same one.
func (s *shop) place(ctx context.Context, by identity.Principal, order Order) (approval.Request, error) {
	tx, err := s.own.BeginTx(ctx, nil)
	if err != nil {
		return approval.Request{}, err
	}
	defer func() { _ = tx.Rollback() }()
	q, err := s.approvals.Submit(sqldb.WithTx(ctx, tx), by, approval.Submission{
		Subject: approval.Subject{Kind: kind, ID: order.ID}, Flow: flow, Summary: order.Item,
		Facts: approval.Facts{"amount": order.Amount}, Content: order,
	})
	if err != nil {
		return q, err
	}
	if order.State = "waiting"; q.Status == approval.NotRequired {
		order.State = "placed"
	}
	if _, err := tx.NewInsert().Model(&order).Exec(ctx); err != nil {
		return q, err
	}
	return q, tx.Commit()
}

func (s *shop) approve(ctx context.Context, who string, q approval.Request) error {
	p, err := people.Person(ctx, q.Tenant, who)
	if err != nil {
		return err
	}
	_, err = s.approvals.Act(ctx, as(who, p.Roles...), q.ID, approval.Decision{Action: approval.Approve, ContentHash: q.ContentHash})
	return err
}

func (s *shop) print(ctx context.Context, out io.Writer, id string) error {
	var order Order
	if err := s.own.NewSelect().Model(&order).Where("id = ?", id).Scan(ctx); err != nil {
		return err
	}
	if order.Note != "" {
		order.State += " (" + order.Note + ")"
	}
	_, err := fmt.Fprintf(out, "order %s, %s: %s\n", order.ID, order.Item, order.State)
	return err
}

// orders is told of every decision, in the transaction that takes it: the order and the decision are one.
type orders struct{ db *sqldb.DB }

var _ approval.SubjectHandler = orders{}

// Approved implements approval.SubjectHandler.
func (o orders) Approved(ctx context.Context, q approval.Request) error {
	return o.set(ctx, q, "placed")
}

// Rejected implements approval.SubjectHandler.
func (o orders) Rejected(ctx context.Context, q approval.Request) error {
	return o.set(ctx, q, "refused")
}

// TimedOut implements approval.SubjectHandler.
func (o orders) TimedOut(ctx context.Context, q approval.Request) error {
	return o.set(ctx, q, "lapsed")
}

func (o orders) set(ctx context.Context, q approval.Request, state string) error {
	_, err := o.db.IDB(ctx).NewUpdate().Model((*Order)(nil)).Set("state = ?", state).Set("note = ?", q.Outcome.Reason).
		Where("id = ?", q.Subject.ID).Exec(ctx)
	return err
}
