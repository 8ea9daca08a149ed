package ticketing

import (
	"context"
	"errors"
	"fmt"

	"github.com/cairn-itdr/cairn/ent"
	"github.com/cairn-itdr/cairn/integrations/psa"
	"github.com/cairn-itdr/cairn/internal/refusal"
	"github.com/cairn-itdr/cairn/internal/work"
)

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

// outcomeOf says what a failure means for the row and the connection.
func outcomeOf(cause error) (work.Outcome, psa.Reason) {
	retryable, after, reason := psa.Retry(cause)
	out := work.Outcome{Err: cause, After: after, Reason: string(reason)}
	if _, ok := errors.AsType[*psa.Error](cause); !ok && !errors.Is(cause, context.DeadlineExceeded) {
		return out, reason // a fault of ours: no PSA's
	}
	if concernsConnection(reason) {
		out.Blame = connectionLimit
		out.Plain = reason == psa.ReasonCredentials || reason == psa.ReasonThrottled
		return out, reason
	}
	out.Final = !retryable
	return out, reason
}

// explain says in words a technician can act on what went wrong. It repeats of
// the PSA's answer what the adapter found fit to be shown.
func explain(c *ent.PSAConnection, tenant string, err error) string {
	e, ok := errors.AsType[*psa.Error](err)
	if !ok {
		if r := refusal.From(err); r != nil {
			return r.Message
		}
		if errors.Is(err, context.DeadlineExceeded) {
			return fmt.Sprintf("%s did not answer in time. Cairn tries again.", c.Name)
		}
		return "Something failed within Cairn; its log says what. Cairn tries again."
	}
	said := e.Error()
	if e.Field != "" {
		said += fmt.Sprintf(" (field %q)", e.Field)
	}
	if tenant != "" {
		return fmt.Sprintf("%s, for tenant %q: %s. %s", c.Name, tenant, said, remedy(e.Reason))
	}
	return fmt.Sprintf("%s: %s. %s", c.Name, said, remedy(e.Reason))
}

// remedy says what a person can do about a failure.
func remedy(r psa.Reason) string {
	switch r {
	case psa.ReasonCredentials:
		return "It refuses the credentials: enter valid ones (updatePsaConnection). Tickets wait and are made then."
	case psa.ReasonPermission:
		return "A right is missing: verifyPsaConnection names it and where to grant it. Then retryTicket."
	case psa.ReasonNotFound:
		return "Something the ticket needs is not there any more (board, company, status): " +
			"choose again (updatePsaConnection, mapTenantToCompany). Then retryTicket."
	case psa.ReasonInvalid:
		return "It does not take a value: see what the board demands, and choose again (updatePsaConnection) or change the board. Then retryTicket."
	case psa.ReasonConflict:
		return "Something else changed it at the same time. Cairn tries again."
	case psa.ReasonThrottled:
		return "It asks for fewer calls. Cairn waits and goes on; a smaller budget (updatePsaConnection, callsPerMinute) keeps it from happening."
	case psa.ReasonUnavailable, psa.ReasonTimeout:
		return "Cairn tries again until it answers."
	case psa.ReasonProtocol:
		return "Its answer makes no sense to Cairn: is the address the PSA's? Cairn's log says more. retryTicket tries again."
	case psa.ReasonRefused:
		return "Cairn does not call this address: an operator can allow it (--allow-outbound)."
	case psa.ReasonForged:
	}
	return ""
}
