package ticketing

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/cairn-itdr/cairn/ent"
	"github.com/cairn-itdr/cairn/ent/psaconnection"
	"github.com/cairn-itdr/cairn/integrations/psa"
	"github.com/cairn-itdr/cairn/internal/database"
)

func is(err error, reason psa.Reason) bool {
	e, ok := errors.AsType[*psa.Error](err)
	return ok && e.Reason == reason
}

// maybeDone says whether the PSA may have done what failed. What is no error of
// an adapter's (the end of the time, a defect) may have come after the call.
func maybeDone(err error) bool {
	e, ok := errors.AsType[*psa.Error](err)
	return !ok || e.MaybeDone
}

// concernsConnection says that a failure is the connection's, and no ticket's.
func concernsConnection(r psa.Reason) bool {
	switch r {
	case psa.ReasonCredentials, psa.ReasonThrottled, psa.ReasonUnavailable, psa.ReasonTimeout, psa.ReasonRefused:
		return true
	case psa.ReasonPermission, psa.ReasonNotFound, psa.ReasonInvalid, psa.ReasonConflict, psa.ReasonProtocol, psa.ReasonForged:
		return false
	}
	return false
}

// backoff doubles with each failed attempt, up to the most, and scatters, so
// that what failed together does not come back together.
func backoff(first, most time.Duration, attempts int) time.Duration {
	d := most
	if attempts < 30 && first<<attempts < most && first<<attempts > 0 {
		d = first << attempts
	}
	return d/2 + rand.N(d/2+1) //nolint:gosec // nobody gains by guessing it
}

// strikes is how many failures in a row open the circuit.
const strikes = 5

// strike notes that a connection does not answer as it should. After some in a
// row, or at once where it says so itself (credentials refused, throttled), it
// rests: nobody calls until then, and then again. Failures of the connection as
// such count; a ticket that fails again and again counts once.
func (s *Service) strike(ctx context.Context, connectionID string, cause error, counts bool) error {
	_, after, reason := psa.Retry(cause)
	return s.onConnection(ctx, connectionID, func(c *ent.PSAConnection, u *ent.PSAConnectionUpdateOne) {
		now := s.Now()
		failures := c.Failures
		if counts {
			failures++
		}
		u.SetFailures(failures).SetLastError(explain(c, nil, "", cause)).SetLastErrorReason(string(reason)).SetLastErrorAt(now)
		atOnce := reason == psa.ReasonCredentials || reason == psa.ReasonThrottled
		if atOnce || failures >= strikes {
			until := now.Add(max(after, backoff(s.Pace.Pause, s.Pace.PauseMost, max(0, failures-strikes))))
			if c.PausedUntil == nil || until.After(*c.PausedUntil) {
				u.SetPausedUntil(until)
			}
		}
	})
}

// answerEvery is how often it is noted that a connection answers.
const answerEvery = 30 * time.Second

// answered notes that a connection does what it is asked.
func (s *Service) answered(ctx context.Context, connectionID string) error {
	c, err := s.DB.Client().PSAConnection.Query().Where(psaconnection.ID(connectionID)).Only(ctx)
	if err != nil {
		return fmt.Errorf("read PSA connection %s: %w", connectionID, err)
	}
	if c.Failures == 0 && c.LastError == "" && c.LastSuccessAt != nil && s.Now().Sub(*c.LastSuccessAt) < answerEvery {
		return nil
	}
	return s.onConnection(ctx, connectionID, func(_ *ent.PSAConnection, u *ent.PSAConnectionUpdateOne) {
		u.SetFailures(0).ClearPausedUntil().SetLastError("").SetLastErrorReason("").ClearLastErrorAt().SetLastSuccessAt(s.Now())
	})
}

func (s *Service) onConnection(ctx context.Context, id string, set func(*ent.PSAConnection, *ent.PSAConnectionUpdateOne)) error {
	err := s.DB.InTx(ctx, func(ctx context.Context, tx *database.Tx) error {
		c, err := tx.Client.PSAConnection.Query().Where(psaconnection.ID(id), locked).Only(ctx)
		if err != nil {
			return err
		}
		u := tx.Client.PSAConnection.UpdateOne(c)
		set(c, u)
		return u.Exec(ctx)
	})
	if err != nil {
		return fmt.Errorf("note how PSA connection %s answers: %w", id, err)
	}
	return nil
}

// explain says in words a technician can act on what went wrong. It repeats of
// the PSA's answer what the adapter found fit to be shown.
func explain(c *ent.PSAConnection, t *ent.Ticket, tenant string, err error) string {
	e, ok := errors.AsType[*psa.Error](err)
	if !ok {
		if errors.Is(err, context.DeadlineExceeded) {
			return fmt.Sprintf("%s did not answer in time. Cairn tries again.", c.Name)
		}
		return "Something failed within Cairn; its log says what. Cairn tries again."
	}
	said := e.Error()
	if e.Field != "" {
		said += fmt.Sprintf(" (field %q)", e.Field)
	}
	todo := ""
	switch e.Reason {
	case psa.ReasonCredentials:
		todo = "It refuses the credentials: enter valid ones (updatePsaConnection). Tickets wait and are made then."
	case psa.ReasonPermission:
		todo = "A right is missing: verifyPsaConnection names it and where to grant it. Then retryTicket."
	case psa.ReasonNotFound:
		todo = "Something the ticket needs is not there any more (board, company, status): choose again (updatePsaConnection, mapTenantToCompany). Then retryTicket."
	case psa.ReasonInvalid:
		todo = "It does not take a value: see what the board demands, and choose again (updatePsaConnection) or change the board. Then retryTicket."
	case psa.ReasonConflict:
		todo = "Something else changed it at the same time. Cairn tries again."
	case psa.ReasonThrottled:
		todo = "It asks for fewer calls. Cairn waits and goes on; a smaller budget (updatePsaConnection, callsPerMinute) keeps it from happening."
	case psa.ReasonUnavailable, psa.ReasonTimeout:
		todo = "Cairn tries again until it answers."
	case psa.ReasonProtocol:
		todo = "Its answer makes no sense to Cairn: is the address the PSA's? Cairn's log says more. retryTicket tries again."
	case psa.ReasonRefused:
		todo = "Cairn does not call this address: an operator can allow it (--allow-outbound)."
	case psa.ReasonForged:
	}
	if t != nil && tenant != "" {
		return fmt.Sprintf("%s, for tenant %q: %s. %s", c.Name, tenant, said, todo)
	}
	return fmt.Sprintf("%s: %s. %s", c.Name, said, todo)
}
