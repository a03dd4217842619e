package main

import (
	"context"
	"errors"

	"github.com/renkei-go/renkei/ackflow"
	"github.com/renkei-go/renkei/approval"
)

// guard: the decision waits for every acknowledgement.
func guard(ctx context.Context, s *shop, c *checks) error {
	_, err := s.approvals.CreateActionPolicy(ctx, as("director"), approval.ActionRule{
		Flow: flow, Action: approval.Approve, Guards: []approval.GuardSpec{{Type: approval.ChatAckCompleted}},
	})
	if err != nil {
		return err
	}
	q, err := s.order(ctx, "ann", "1")
	if err != nil {
		return err
	}
	err = s.approve(ctx, "boss", q, "")
	c.that(missing(err) == "missing_link", "nobody has been asked, so the purchase is not approved", err)
	asked, err := s.ask(ctx, q, "250,000 leave the budget; 40 pallets arrive.", "finance", "warehouse")
	if err != nil {
		return err
	}
	if _, err := s.acks.Ack(ctx, as("finance"), asked.ID, 0); err != nil {
		return err
	}
	err = s.approve(ctx, "boss", q, "please")
	c.that(missing(err) == "incomplete warehouse", "finance has acknowledged, the warehouse has not: denied", err)
	_, err = s.acks.Ack(ctx, as("boss"), asked.ID, 0)
	c.that(errors.Is(err, ackflow.ErrNotRequired), "the boss cannot acknowledge for the warehouse", err)
	if _, err := s.acks.Ack(ctx, as("warehouse"), asked.ID, 0); err != nil {
		return err
	}
	if _, err := s.acks.EditMessage(ctx, as("ann"), asked.MessageID, "250,000 leave the budget; 80 pallets arrive."); err != nil {
		return err
	}
	err = s.approve(ctx, "boss", q, "")
	c.that(missing(err) == "incomplete finance warehouse", "ann has changed the message, so both have to read it again", err)
	for _, who := range []string{"finance", "warehouse"} {
		if _, err := s.acks.Ack(ctx, as(who), asked.ID, 0); err != nil {
			return err
		}
	}
	v, refusal, err := s.approvals.EvaluateAction(ctx, as("boss"), approval.Evaluation{Action: approval.Approve, Target: q.ID})
	c.that(err == nil && refusal == nil && v.Allowed, "the dry run says that the boss may approve now", v)
	err = s.approve(ctx, "boss", q, "")
	c.that(err == nil, "everybody has acknowledged: approved", err)
	return nil
}

// override: management may decide in spite of it, for a reason that is kept.
func override(ctx context.Context, s *shop, c *checks) error {
	q, err := s.order(ctx, "boss", "2")
	if err != nil {
		return err
	}
	if _, err := s.ask(ctx, q, "A new press.", "finance"); err != nil {
		return err
	}
	err = s.approve(ctx, "director", q, "")
	c.that(errors.Is(err, approval.ErrReasonRequired), "the director is asked for a reason", err)
	err = s.approve(ctx, "boss", q, "it is urgent")
	c.that(errors.Is(err, approval.ErrSelfApproval), "no reason lets the boss approve a purchase of their own", err)
	err = s.approve(ctx, "director", q, "the old press is broken")
	c.that(err == nil, "with a reason the director overrides the guard", err)
	n := s.entries(ctx, "action_policy_override")
	c.that(n == 1, "the audit trail has the override", n)
	return nil
}

// template: an approval asks those whom it concerns to take note, in the same transaction and once.
func template(ctx context.Context, s *shop, c *checks) error {
	_, err := s.acks.CreateTemplate(ctx, as("director"), ackflow.NewTemplate{
		FlowType: flow, ActionKey: approval.Approve, MessageBody: "Approved: please prepare the delivery.", IsEnabled: true,
		Terms: ackflow.Terms{RequiredUserIDs: []string{"warehouse"}},
	})
	if err != nil {
		return err
	}
	q, err := s.order(ctx, "ann", "3")
	if err != nil {
		return err
	}
	asked, err := s.ask(ctx, q, "Paper for the year.", "finance")
	if err != nil {
		return err
	}
	if _, err := s.acks.Ack(ctx, as("finance"), asked.ID, 0); err != nil {
		return err
	}
	undone := errors.New("the order was not stored")
	err = s.db.Do(ctx, func(ctx context.Context) error { return errors.Join(s.approve(ctx, "boss", q, ""), undone) })
	n := s.entries(ctx, "chat_ack_template_applied")
	c.that(errors.Is(err, undone) && n == 0, "when the program's own transaction fails, nobody is asked", n)
	if err := s.approve(ctx, "boss", q, ""); err != nil {
		return err
	}
	links, err := s.acks.Links(ctx, as("ann"), ackflow.LinkQuery{TargetTable: approval.TargetKind, TargetID: q.ID})
	c.that(err == nil && len(links) == 2 && links[0].TemplateID != "", "approved: the warehouse is asked by the template", links)
	err = s.approve(ctx, "boss", q, "")
	n = s.entries(ctx, "chat_ack_template_applied")
	c.that(errors.Is(err, approval.ErrDecided) && n == 1, "once, however often the boss presses the button", n)
	return nil
}
