package halopsa

import (
	"context"
	"net/url"
	"slices"
	"time"

	"github.com/cairn-itdr/cairn/integrations/psa"
)

// ChangedTickets returns the tickets of a team that changed since, newest first
// from the API: where the time is not heard, the first page that is older ends it.
func (a *Adapter) ChangedTickets(ctx context.Context, team string, since time.Time) ([]psa.Ticket, error) {
	const doing = "list changed tickets"
	old := func(t ticket) bool {
		at := when(t.LastUpdate)
		if action := when(t.LastAction); action.After(at) {
			at = action
		}
		return at.Before(since)
	}
	rows, err := pages[ticket](ctx, a, call{doing: doing, resource: "Tickets", query: url.Values{
		"lastupdatefromdate": {since.UTC().Format("2006-01-02T15:04:05")}, "order": {"last_update"}, "orderdesc": {"true"},
	}}, func(rows []ticket) bool { return len(rows) > 0 && old(rows[len(rows)-1]) })
	if err != nil {
		return nil, err
	}
	seen := map[int]bool{} // a ticket that changes meanwhile moves to another page
	rows = slices.DeleteFunc(rows, func(t ticket) bool {
		drop := old(t) || t.Deleted || team != "" && t.Team != team || seen[t.ID]
		seen[t.ID] = true
		return drop
	})
	out, err := a.all(ctx, rows)
	slices.SortStableFunc(out, func(x, y psa.Ticket) int { return x.ChangedAt.Compare(y.ChangedAt) })
	return out, err
}
