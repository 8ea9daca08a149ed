package ticketing

import (
	"context"
	"fmt"

	"github.com/cairn-itdr/cairn/ent"
	"github.com/cairn-itdr/cairn/ent/predicate"
	"github.com/cairn-itdr/cairn/ent/psaconnection"
	"github.com/cairn-itdr/cairn/ent/ticket"
	"github.com/cairn-itdr/cairn/internal/access"
	"github.com/cairn-itdr/cairn/internal/database"
)

func ticketOf(c *ent.PSAConnection, which ...predicate.Ticket) []predicate.Ticket {
	return append(which, ticket.ConnectionID(c.ID), ticket.StateNEQ(ticket.StateDeleted))
}

// due changes tickets and has them worked on at once.
func (s *Service) due(ctx context.Context, c *ent.PSAConnection, set func(*ent.TicketUpdate), which ...predicate.Ticket) error {
	err := s.DB.InTx(ctx, func(ctx context.Context, tx *database.Tx) error {
		return s.dueIn(ctx, tx, c, set, which...)
	})
	if err != nil {
		return fmt.Errorf("make tickets of PSA connection %s due: %w", c.ID, err)
	}
	return nil
}

func (s *Service) dueIn(ctx context.Context, tx *database.Tx, c *ent.PSAConnection, set func(*ent.TicketUpdate), which ...predicate.Ticket) error {
	// Locked in one order: two that make the same tickets due would wait for
	// each other.
	ids, err := tx.Client.Ticket.Query().Where(append(which, locked)...).Order(ticket.ByID()).IDs(ctx)
	if err != nil || len(ids) == 0 {
		return err
	}
	for _, id := range ids {
		update := tx.Client.Ticket.Update().Where(ticket.ID(id)).SetNextAttemptAt(s.Now())
		set(update)
		if err := update.Exec(ctx); err != nil {
			return err
		}
	}
	return s.Wake(ctx, tx, c.OrganizationID, c.ID)
}

// Sweep finds what has become due by time, or was left by a lost wake-up or a
// killed process: it wakes the connections that have due tickets, and calls
// reconcile for each connection in use. ctx reaches across organizations.
func (s *Service) Sweep(ctx context.Context) error {
	all, err := s.DB.Client().PSAConnection.Query().Where(psaconnection.DisconnectedAtIsNil()).Order(psaconnection.ByID()).All(ctx)
	if err != nil {
		return fmt.Errorf("read the PSA connections: %w", err)
	}
	for _, c := range all {
		scoped := access.System(ctx, "ticketing", c.OrganizationID)
		waiting, err := s.DB.Client().Ticket.Query().Where(ticket.ConnectionID(c.ID), ticket.NextAttemptAtLTE(s.Now())).Exist(scoped)
		if err != nil {
			return fmt.Errorf("look for due tickets: %w", err)
		}
		if waiting {
			err := s.DB.InTx(scoped, func(ctx context.Context, tx *database.Tx) error { return s.Wake(ctx, tx, c.OrganizationID, c.ID) })
			if err != nil {
				return err
			}
		}
		if err := s.Reconcile(scoped, c.ID); err != nil {
			return err
		}
	}
	return nil
}
