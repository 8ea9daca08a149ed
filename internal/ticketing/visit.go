package ticketing

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/cairn-itdr/cairn/ent"
	"github.com/cairn-itdr/cairn/ent/companymapping"
	"github.com/cairn-itdr/cairn/ent/incident"
	"github.com/cairn-itdr/cairn/ent/ticket"
	"github.com/cairn-itdr/cairn/ent/ticketevent"
	"github.com/cairn-itdr/cairn/integrations/psa"
	"github.com/cairn-itdr/cairn/internal/database"
)

// visit is one worker's work on one ticket, which it holds the claim of.
type visit struct {
	*Service

	connection *ent.PSAConnection
	adapter    psa.Adapter
	ticket     *ent.Ticket
	incident   *ent.Incident // with tenant and account
}

// waits ends a visit at what a person has to do first.
type waits struct{ why string }

func (w waits) Error() string { return w.why }

// later ends a visit at what time has to show first.
type later struct{ until time.Time }

func (later) Error() string { return "it is too early to tell" }

// drive brings the ticket in step. Each step reads the row, does one thing, and
// writes the row; killed between any two, the next visit goes on.
func (v *visit) drive(ctx context.Context) error {
	i, err := v.DB.Client().Incident.Query().Where(incident.ID(v.ticket.IncidentID)).WithTenant().WithAccount().WithMergedInto().Only(ctx)
	if err != nil {
		return fmt.Errorf("read incident %s: %w", v.ticket.IncidentID, err)
	}
	v.incident = i
	if v.ticket.ExternalID == "" {
		if err := v.create(ctx); err != nil {
			return err
		}
	} else if v.ticket.Look {
		if err := v.look(ctx); err != nil {
			return err
		}
	}
	if at := v.ticket.VerifyAt; at != nil && !at.After(v.Now()) {
		if err := v.closeDuplicates(ctx); err != nil {
			return err
		}
	}
	noted, err := v.note(ctx)
	if err != nil {
		return err
	}
	return v.update(ctx, noted)
}

// save writes what a step did, as long as the claim is this worker's. Events
// are told, and the incident is noted as looking different.
func (v *visit) save(ctx context.Context, set func(*ent.TicketUpdateOne), events ...event) error {
	var saved *ent.Ticket
	err := v.DB.InTx(ctx, func(ctx context.Context, tx *database.Tx) (err error) {
		if len(events) > 0 {
			if err := v.Changed(ctx, tx, v.ticket.TenantID, v.ticket.IncidentID); err != nil {
				return err
			}
		}
		update := tx.Client.Ticket.UpdateOneID(v.ticket.ID).Where(ticket.Claim(v.ticket.Claim)).SetUpdatedAt(v.Now())
		set(update)
		if saved, err = update.Save(ctx); ent.IsNotFound(err) {
			return errLostClaim
		} else if err != nil {
			return fmt.Errorf("update ticket %s: %w", v.ticket.ID, err)
		}
		if len(events) == 0 {
			return nil
		}
		return v.tell(ctx, tx, saved, events...)
	})
	if err != nil {
		return err
	}
	saved.Look = v.ticket.Look
	v.ticket = saved
	return nil
}

// done writes that the ticket is as the incident was when the visit began.
func (v *visit) done(ctx context.Context) error {
	err := v.DB.InTx(ctx, func(ctx context.Context, tx *database.Tx) error {
		now := v.Now()
		t, err := tx.Client.Ticket.Query().Where(ticket.ID(v.ticket.ID), ticket.Claim(v.ticket.Claim), locked).Only(ctx)
		if ent.IsNotFound(err) {
			return nil // another's by now: it does the same
		}
		if err != nil {
			return err
		}
		update := tx.Client.Ticket.UpdateOne(t).SetSyncedRevision(v.incident.Revision).
			SetAttempts(0).SetLastError("").SetLastErrorReason("").ClearLastErrorAt().SetClaim("").ClearClaimedUntil()
		switch {
		case t.State == ticket.StateDeleted:
			update.ClearNextAttemptAt()
		case t.WantedRevision > v.incident.Revision || t.Look:
			update.SetState(ticket.StatePending).SetNextAttemptAt(now)
		default:
			update.SetState(ticket.StateSynced)
			if t.VerifyAt != nil {
				update.SetNextAttemptAt(*t.VerifyAt)
			} else {
				update.ClearNextAttemptAt()
			}
		}
		return update.Exec(ctx)
	})
	if err != nil {
		return fmt.Errorf("finish ticket %s: %w", v.ticket.ID, err)
	}
	return v.answered(ctx, v.connection.ID)
}

// failed writes why the visit ended early, and when there will be another.
func (v *visit) failed(ctx context.Context, cause error) error {
	now := v.Now()
	if early, ok := errors.AsType[later](cause); ok {
		return v.save(ctx, func(u *ent.TicketUpdateOne) {
			u.SetNextAttemptAt(early.until).SetClaim("").ClearClaimedUntil()
		})
	}
	if waiting, ok := errors.AsType[waits](cause); ok {
		var events []event
		if v.ticket.State != ticket.StateWaiting || v.ticket.LastError != waiting.why {
			events = append(events, event{kind: ticketevent.KindWaiting, text: waiting.why})
		}
		return v.save(ctx, func(u *ent.TicketUpdateOne) {
			u.SetState(ticket.StateWaiting).SetLastError(waiting.why).SetLastErrorReason("").SetLastErrorAt(now).
				ClearNextAttemptAt().SetClaim("").ClearClaimedUntil()
		}, events...)
	}
	retryable, after, reason := psa.Retry(cause)
	text := explain(v.connection, v.ticket, v.tenantName(), cause)
	ofConnection := concernsConnection(reason)
	if ofConnection {
		// A ticket that fails again and again says no more of the connection
		// than it did the first time.
		if err := v.strike(ctx, v.connection.ID, cause, v.ticket.Attempts == 0); err != nil {
			return err
		}
	}
	var events []event
	if v.ticket.LastErrorReason != string(reason) || v.ticket.Attempts == 0 {
		events = append(events, event{kind: ticketevent.KindFailed, text: text})
	}
	v.Logger.WarnContext(ctx, "a ticket could not be brought in step",
		"ticket", v.ticket.ID, "connection", v.connection.ID, "tenant", v.ticket.TenantID, "reason", reason, "retryable", retryable, "error", cause)
	return v.save(ctx, func(u *ent.TicketUpdateOne) {
		u.SetAttempts(v.ticket.Attempts + 1).SetLastError(text).SetLastErrorReason(string(reason)).SetLastErrorAt(now).
			SetClaim("").ClearClaimedUntil()
		if v.ticket.Look { // not done, or again: it does no harm
			u.SetLook(true)
		}
		if retryable || ofConnection {
			u.SetState(ticket.StateRetrying).SetNextAttemptAt(now.Add(max(after, backoff(v.Pace.Retry, v.Pace.RetryMost, v.ticket.Attempts))))
		} else {
			u.SetState(ticket.StateFailed).ClearNextAttemptAt()
		}
	}, events...)
}

func (v *visit) tenantName() string { return v.incidentTenant().Name }

func (v *visit) incidentTenant() *ent.Tenant {
	if v.incident == nil || v.incident.Edges.Tenant == nil {
		return &ent.Tenant{Name: v.ticket.TenantID}
	}
	return v.incident.Edges.Tenant
}

// company returns the company the ticket goes to.
func (v *visit) company(ctx context.Context) (id, name string, err error) {
	m, err := v.DB.Client().CompanyMapping.Query().
		Where(companymapping.ConnectionID(v.connection.ID), companymapping.TenantID(v.ticket.TenantID)).Only(ctx)
	switch {
	case err == nil:
		return m.CompanyID, m.CompanyName, nil
	case !ent.IsNotFound(err):
		return "", "", fmt.Errorf("read the company of tenant %s: %w", v.ticket.TenantID, err)
	case v.connection.DefaultCompanyID != "":
		return v.connection.DefaultCompanyID, v.connection.DefaultCompanyName, nil
	default:
		return "", "", waits{fmt.Sprintf("Tenant %q has no company in %q, and there is no default company: map it (mapTenantToCompany) or set a default (updatePsaConnection), and the ticket is made.",
			v.tenantName(), v.connection.Name)}
	}
}
