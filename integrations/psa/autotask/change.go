package autotask

import (
	"context"
	"slices"
	"strconv"
	"time"

	"github.com/cairn-itdr/cairn/integrations/psa"
	"github.com/cairn-itdr/cairn/integrations/psa/wire"
)

// ChangedTickets returns the tickets of a queue that changed since: something
// happened to them, a field of theirs was set, or somebody entered working time,
// which touches the entry alone.
func (a *Adapter) ChangedTickets(ctx context.Context, queue string, since time.Time) ([]psa.Ticket, error) {
	const doing = "list changed tickets"
	where := []filter{{Op: "or", Items: []filter{
		{Op: "gte", Field: "lastActivityDate", Value: stamp(since)},
		{Op: "gte", Field: "lastTrackedModificationDateTime", Value: stamp(since)},
	}}}
	if queue != "" {
		n, err := wire.Number(doing, string(psa.SettingBoard), queue)
		if err != nil {
			return nil, err
		}
		where = append(where, eq("queueID", n))
	}
	rows, err := queried[ticket](ctx, a, doing, "Tickets", query{Fields: ticketFields, Filter: where})
	if err != nil {
		return nil, err
	}
	out, err := a.all(ctx, rows)
	if err != nil {
		return nil, err
	}
	if out, err = a.addWorkedOn(ctx, doing, since, out); err != nil {
		return nil, err
	}
	out = slices.DeleteFunc(out, func(t psa.Ticket) bool {
		return t.ChangedAt.Before(since.Truncate(time.Millisecond)) || queue != "" && t.Settings[psa.SettingBoard].ID != queue
	})
	slices.SortStableFunc(out, func(x, y psa.Ticket) int { return x.ChangedAt.Compare(y.ChangedAt) })
	return out, nil
}

// addWorkedOn adds the tickets with working time entered since.
func (a *Adapter) addWorkedOn(ctx context.Context, doing string, since time.Time, out []psa.Ticket) ([]psa.Ticket, error) {
	type entry struct {
		TicketID int    `json:"ticketID"`
		At       string `json:"lastModifiedDateTime"`
	}
	entries, err := queried[entry](ctx, a, doing, "TimeEntries", query{
		Fields: []string{"id", "ticketID", "lastModifiedDateTime"},
		Filter: []filter{{Op: "gte", Field: "lastModifiedDateTime", Value: stamp(since)}, {Op: "exist", Field: "ticketID"}},
	})
	if err != nil && !psa.Is(err, psa.ReasonPermission) {
		return nil, err
	}
	worked := map[string]time.Time{}
	for _, e := range entries {
		if id, at := strconv.Itoa(e.TicketID), when(e.At); e.TicketID > 0 && at.After(worked[id]) {
			worked[id] = at
		}
	}
	var more []string
	for id := range worked {
		if !slices.ContainsFunc(out, func(t psa.Ticket) bool { return t.ID == id }) {
			more = append(more, id)
		}
	}
	slices.Sort(more)
	others, err := a.ReadTickets(ctx, more)
	if err != nil {
		return nil, err
	}
	out = append(out, others...)
	for i, t := range out {
		if at := worked[t.ID]; at.After(t.ChangedAt) {
			out[i].ChangedAt = at
		}
	}
	return out, nil
}
