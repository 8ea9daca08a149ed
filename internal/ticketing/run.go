package ticketing

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/cairn-itdr/cairn/ent"
	"github.com/cairn-itdr/cairn/ent/companymapping"
	"github.com/cairn-itdr/cairn/ent/psaconnection"
	"github.com/cairn-itdr/cairn/ent/ticket"
	"github.com/cairn-itdr/cairn/ent/ticketevent"
	"github.com/cairn-itdr/cairn/ent/ticketstep"
	"github.com/cairn-itdr/cairn/integrations/psa"
	"github.com/cairn-itdr/cairn/internal/database"
	"github.com/cairn-itdr/cairn/internal/work"
)

// visit is one worker's work on one ticket, which it holds the claim of.
type visit struct {
	*Service

	claim      *work.Claim
	adapter    psa.Adapter
	connection *ent.PSAConnection
	ticket     *ent.Ticket
	incident   *ent.Incident // with tenant and account
	events     []*ent.IncidentEvent
	steps      []*ent.TicketStep
	seen       seen

	company struct{ id, name string }
	again   bool // the ticket was read once more because something was not there
}

// stepsAtOnce is how many steps one run takes: a ticket with a long history
// lets newer ones go between.
const stepsAtOnce = 40

// run brings a ticket in step, a step at a time, and says how it went.
func (s *Service) run(ctx context.Context, c *work.Claim) work.Outcome {
	ctx, cancel := context.WithTimeout(ctx, s.Pace.Run)
	defer cancel()
	v := &visit{Service: s, claim: c}
	for range stepsAtOnce {
		s.at("read")
		if err := v.read(ctx); err != nil {
			return work.Outcome{Err: err}
		}
		if v.connection.DisconnectedAt != nil {
			return work.Outcome{}
		}
		f, err := v.facts(ctx)
		if err != nil {
			return v.broken(ctx, err)
		}
		st := plan(f)
		switch st.do {
		case actDone:
			return v.done(ctx, st)
		case actWait:
			s.at("waits")
			return v.waits(st)
		case actLater:
			return work.Outcome{Again: st.until}
		default:
		}
		if err := v.do(ctx, st); err != nil {
			return v.broken(ctx, err)
		}
	}
	return work.Outcome{Again: s.Now()}
}

// facts puts together what plan decides by.
func (v *visit) facts(ctx context.Context) (facts, error) {
	f := facts{ticket: v.ticket, incident: v.incident, steps: v.steps, seen: v.seen, pace: v.Pace}
	if v.ticket.State == ticket.StateDeleted {
		return f, nil
	}
	if v.adapter == nil {
		var err error
		if v.adapter, err = v.Adapter(v.connection); err != nil {
			return f, err
		}
	}
	d := v.adapter.Describe()
	f.notes = v.noteTexts(d)
	f.want = wanted{
		title: titleOf(v.incident, d), priority: chosen(v.connection, priorityOf(v.incident.Severity)),
		closed: chosen(v.connection, StatusClosed), reopened: chosen(v.connection, StatusReopened),
	}
	if v.ticket.ExternalID == "" {
		f.want.needless = needless(v.incident, v.connection)
		var err error
		if f.want.waits, err = v.hinders(ctx, d); err != nil {
			return f, err
		}
	}
	f.now = v.Now() // last: what was read is not younger
	return f, nil
}

// hinders says what a person has to do before the ticket can be made, and finds
// the company it goes to.
func (v *visit) hinders(ctx context.Context, d psa.Description) (string, error) {
	if label := missing(d.Settings, v.connection.Settings); label != "" {
		return fmt.Sprintf("PSA connection %q has no %s chosen for tickets: choose one (updatePsaConnection), and the ticket is made.",
			v.connection.Name, label), nil
	}
	m, err := v.DB.Client().CompanyMapping.Query().
		Where(companymapping.ConnectionID(v.connection.ID), companymapping.TenantID(v.ticket.TenantID)).Only(ctx)
	switch {
	case err == nil:
		v.company.id, v.company.name = m.CompanyID, m.CompanyName
	case !ent.IsNotFound(err):
		return "", fmt.Errorf("read the company of tenant %s: %w", v.ticket.TenantID, err)
	case v.connection.DefaultCompanyID != "":
		v.company.id, v.company.name = v.connection.DefaultCompanyID, v.connection.DefaultCompanyName
	default:
		return fmt.Sprintf("Tenant %q has no company in %q, and there is no default company: map it (mapTenantToCompany) "+
			"or set a default (updatePsaConnection), and the ticket is made.", v.tenantName(), v.connection.Name), nil
	}
	return "", nil
}

func (v *visit) tenantName() string {
	if v.incident == nil || v.incident.Edges.Tenant == nil {
		return v.claim.ID
	}
	return v.incident.Edges.Tenant.Name
}

// done writes that the ticket is as the incident was when it was read.
func (v *visit) done(ctx context.Context, st step) work.Outcome {
	if err := v.answered(ctx, v.connection); err != nil {
		return work.Outcome{Err: err}
	}
	revision, t := v.incident.Revision, v.ticket
	return work.Outcome{Again: st.until, Record: func(ctx context.Context, tx *database.Tx, s work.Settled) error {
		u := tx.Client.Ticket.UpdateOneID(t.ID).SetLastError("").SetLastErrorReason("").ClearLastErrorAt()
		switch {
		case t.State == ticket.StateDeleted, t.State == ticket.StateCancelled && t.ExternalID == "":
		case s.Woken:
			u.SetSyncedRevision(revision).SetState(ticket.StatePending)
		default:
			u.SetSyncedRevision(revision).SetState(ticket.StateSynced)
		}
		if t.State != ticket.StateSynced {
			if err := v.tell(ctx, tx, t); err != nil {
				return err
			}
		}
		return u.Exec(ctx)
	}}
}

// waits writes what a person has to do first.
func (v *visit) waits(st step) work.Outcome {
	t := v.ticket
	return work.Outcome{Again: st.until, Record: func(ctx context.Context, tx *database.Tx, _ work.Settled) error {
		if t.State == ticket.StateWaiting && t.LastError == st.why {
			return nil
		}
		err := tx.Client.Ticket.UpdateOneID(t.ID).SetState(ticket.StateWaiting).SetLastError(st.why).SetLastErrorReason("").
			SetLastErrorAt(v.Now()).SetUpdatedAt(v.Now()).Exec(ctx)
		if err != nil {
			return err
		}
		return v.tell(ctx, tx, t, event{kind: ticketevent.KindWaiting, text: st.why})
	}}
}

// broken writes why the run ended early.
func (v *visit) broken(ctx context.Context, cause error) work.Outcome {
	if errors.Is(cause, work.ErrStale) {
		return work.Outcome{Err: cause}
	}
	out, reason := outcomeOf(cause)
	// Whatever comes of it, what was begun is looked after.
	f := facts{steps: v.steps, pace: v.Pace, now: v.Now()}
	if steps, err := v.journal(ctx); err == nil {
		f.steps = steps
	}
	out.Again = f.later(f.settledAt(f.unclear()))
	if out.Again.IsZero() {
		out.Again = f.later(f.verifiedAt(f.unclear()))
	}
	t, text := v.ticket, explain(v.connection, v.tenantName(), cause)
	v.Logger.WarnContext(ctx, "a ticket could not be brought in step",
		"ticket", t.ID, "connection", t.ConnectionID, "tenant", t.TenantID, "reason", string(reason), "final", out.Final, "error", cause)
	out.Record = func(ctx context.Context, tx *database.Tx, s work.Settled) error {
		state := ticket.StateRetrying
		if out.Final && !s.Woken {
			state = ticket.StateFailed
		}
		err := tx.Client.Ticket.UpdateOneID(t.ID).SetState(state).SetLastError(text).SetLastErrorReason(string(reason)).
			SetLastErrorAt(v.Now()).SetUpdatedAt(v.Now()).Exec(ctx)
		if err != nil {
			return err
		}
		var events []event
		if t.LastErrorReason != string(reason) || t.State != state {
			events = append(events, event{kind: ticketevent.KindFailed, text: text})
		}
		return v.tell(ctx, tx, t, events...)
	}
	if out.Blame != "" {
		if err := v.fails(ctx, v.connection, cause); err != nil {
			v.Logger.WarnContext(ctx, "it could not be noted how a PSA connection fails", "connection", t.ConnectionID, "error", err)
		}
	}
	return out
}

// unclear are all steps of which it is not known whether they were done.
func (f facts) unclear() []*ent.TicketStep {
	out := f.open(ticketstep.KindCreate)
	out = append(out, f.open(ticketstep.KindNote)...)
	return append(out, f.open(ticketstep.KindUpdate)...)
}

func (v *visit) journal(ctx context.Context) ([]*ent.TicketStep, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), finishWithin)
	defer cancel()
	return v.DB.Client().TicketStep.Query().Where(ticketstep.TicketID(v.claim.ID)).Order(ticketstep.ByBeganAt(), ticketstep.ByID()).All(ctx)
}

// answerEvery is how often it is noted that a connection answers.
const answerEvery = 30 * time.Second

// answered notes that a connection does what it is asked. It is written in a
// transaction of its own, for it locks what many tickets share.
func (s *Service) answered(ctx context.Context, c *ent.PSAConnection) error {
	if c.LastError == "" && c.LastSuccessAt != nil && s.Now().Sub(*c.LastSuccessAt) < answerEvery {
		return nil
	}
	return s.onConnection(ctx, c.ID, func(u *ent.PSAConnectionUpdate) {
		u.SetLastError("").SetLastErrorReason("").ClearLastErrorAt().SetLastSuccessAt(s.Now())
	})
}

// fails notes why a connection does not do what it is asked.
func (s *Service) fails(ctx context.Context, c *ent.PSAConnection, cause error) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), finishWithin)
	defer cancel()
	_, _, reason := psa.Retry(cause)
	return s.onConnection(ctx, c.ID, func(u *ent.PSAConnectionUpdate) {
		u.SetLastError(explain(c, "", cause)).SetLastErrorReason(string(reason)).SetLastErrorAt(s.Now())
	})
}

func (s *Service) onConnection(ctx context.Context, id string, set func(*ent.PSAConnectionUpdate)) error {
	err := s.DB.InTx(ctx, func(ctx context.Context, tx *database.Tx) error {
		u := tx.Client.PSAConnection.Update().Where(psaconnection.ID(id))
		set(u)
		return u.Exec(ctx)
	})
	if err != nil {
		return fmt.Errorf("note how PSA connection %s answers: %w", id, err)
	}
	return nil
}
