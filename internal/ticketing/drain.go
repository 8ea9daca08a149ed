package ticketing

import (
	"context"
	"errors"
	"fmt"
	"time"

	entsql "entgo.io/ent/dialect/sql"
	"golang.org/x/sync/errgroup"

	"github.com/cairn-itdr/cairn/ent"
	"github.com/cairn-itdr/cairn/ent/psaconnection"
	"github.com/cairn-itdr/cairn/ent/ticket"
	"github.com/cairn-itdr/cairn/internal/database"
	"github.com/cairn-itdr/cairn/internal/typeid"
)

// Drain works on the tickets of a connection that are due, newest first, until
// none is. It runs within the scope of the organization. Several at once, in
// one process or many, share the work; one that finds all of a connection's
// parallel calls taken leaves it to those.
func (s *Service) Drain(ctx context.Context, connectionID string) error {
	c, err := s.DB.Client().PSAConnection.Query().Where(psaconnection.ID(connectionID), psaconnection.DisconnectedAtIsNil()).Only(ctx)
	if ent.IsNotFound(err) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read PSA connection %s: %w", connectionID, err)
	}
	d, _, err := s.adapter(c)
	if err != nil {
		return s.strike(ctx, c.ID, err, true)
	}
	g, ctx := errgroup.WithContext(ctx)
	var worker func() error
	spawn := func() {
		select {
		case d.slots <- struct{}{}:
			g.Go(worker)
		default: // as many as the PSA likes are at work, and will come to it
		}
	}
	worker = func() error {
		defer func() { <-d.slots }()
		for {
			c, t, err := s.claim(ctx, connectionID) // as it is now: settings change meanwhile
			if err != nil || t == nil {
				return err
			}
			spawn() // where there is one, there may be more
			if err := s.visit(ctx, c, t); err != nil {
				return err
			}
		}
	}
	spawn()
	return g.Wait()
}

// claim takes the newest ticket that is due for this worker, nil where there is
// none or the connection rests.
func (s *Service) claim(ctx context.Context, connectionID string) (c *ent.PSAConnection, out *ent.Ticket, err error) {
	err = s.DB.InTx(ctx, func(ctx context.Context, tx *database.Tx) error {
		now := s.Now()
		c, err = tx.Client.PSAConnection.Query().Where(psaconnection.ID(connectionID)).Only(ctx)
		if err != nil {
			return fmt.Errorf("read the connection: %w", err)
		}
		if c.DisconnectedAt != nil || c.PausedUntil != nil && c.PausedUntil.After(now) {
			return nil
		}
		t, err := tx.Client.Ticket.Query().Where(
			ticket.ConnectionID(connectionID), ticket.NextAttemptAtLTE(now),
			ticket.Or(ticket.ClaimedUntilIsNil(), ticket.ClaimedUntilLTE(now)), lockedFree,
		).Order(ticket.ByCreatedAt(entsql.OrderDesc()), ticket.ByID(entsql.OrderDesc())).First(ctx)
		if ent.IsNotFound(err) {
			return nil
		}
		if err != nil {
			return err
		}
		out, err = tx.Client.Ticket.UpdateOne(t).SetClaim(typeid.New("claim")).SetClaimedUntil(now.Add(s.Pace.Claim)).SetLook(false).Save(ctx)
		if err != nil {
			return err
		}
		out.Look = t.Look
		return nil
	})
	if err != nil {
		return nil, nil, fmt.Errorf("claim a ticket of connection %s: %w", connectionID, err)
	}
	return c, out, nil
}

// errLostClaim says that a ticket has become another worker's.
var errLostClaim = errors.New("the claim of the ticket ran out")

// errGone says that the ticket is not in the PSA any more, which its row says by now.
var errGone = errors.New("the ticket was deleted in the PSA")

// visit drives one claimed ticket to what is wanted, and writes how it went. An
// error is a fault of ours or of the database; what the PSA refuses is in the row.
func (s *Service) visit(ctx context.Context, c *ent.PSAConnection, t *ent.Ticket) error {
	_, adapter, err := s.adapter(c)
	if err != nil {
		return errors.Join(s.strike(ctx, c.ID, err, true), s.release(ctx, t))
	}
	work, cancel := context.WithTimeout(ctx, s.Pace.Work)
	defer cancel()
	v := &visit{Service: s, connection: c, adapter: adapter, ticket: t}
	err = v.drive(work)
	if ctx.Err() != nil { // stopped: the claim ends by itself, or the next start gives it free
		return s.release(context.WithoutCancel(ctx), t)
	}
	switch {
	case err == nil, errors.Is(err, errGone):
		return v.done(ctx)
	case errors.Is(err, errLostClaim):
		return nil
	default:
		return v.failed(ctx, err)
	}
}

// release gives a ticket free that was not finished with.
func (s *Service) release(ctx context.Context, t *ent.Ticket) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	return s.DB.InTx(ctx, func(ctx context.Context, tx *database.Tx) error {
		return tx.Client.Ticket.Update().Where(ticket.ID(t.ID), ticket.Claim(t.Claim)).ClearClaimedUntil().SetClaim("").SetLook(t.Look).Exec(ctx)
	})
}
