package connectwise

import (
	"context"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/cairn-itdr/cairn/integrations/psa"
	"github.com/cairn-itdr/cairn/integrations/psa/wire"
)

// ChangedTickets returns the tickets of a board that changed since, and those
// that somebody worked on: an entry of working time need not touch its ticket.
func (a *Adapter) ChangedTickets(ctx context.Context, board string, since time.Time) ([]psa.Ticket, error) {
	const doing = "list changed tickets"
	where := ""
	if board != "" {
		n, err := wire.Number(doing, string(psa.SettingBoard), board)
		if err != nil {
			return nil, err
		}
		where = fmt.Sprintf(" and board/id=%d", n)
	}
	found, err := dated(a, since, func(stamp string) ([]psa.Ticket, error) {
		return a.ticketsWhere(ctx, doing, "lastUpdated>=["+stamp+"]"+where)
	})
	if err != nil {
		return nil, err
	}
	worked, err := a.workedOn(ctx, since)
	if err != nil {
		return nil, err
	}
	var more []string
	for id := range worked {
		if !slices.ContainsFunc(found, func(t psa.Ticket) bool { return t.ID == id }) {
			more = append(more, id)
		}
	}
	slices.Sort(more)
	others, err := a.ReadTickets(ctx, more)
	if err != nil {
		return nil, err
	}
	found = append(found, others...)
	// What does not fit the question shows that it was not heard.
	found = slices.DeleteFunc(found, func(t psa.Ticket) bool {
		return board != "" && t.Settings[psa.SettingBoard].ID != board
	})
	for i, t := range found {
		if at := worked[t.ID]; at.After(t.ChangedAt) {
			found[i].ChangedAt = at
		}
	}
	slices.SortStableFunc(found, func(x, y psa.Ticket) int { return x.ChangedAt.Compare(y.ChangedAt) })
	return found, nil
}

// workedOn are the service tickets with working time entered since, and when;
// none without the right to read it.
func (a *Adapter) workedOn(ctx context.Context, since time.Time) (map[string]time.Time, error) {
	type entry struct {
		TicketID int    `json:"chargeToId"`
		Kind     string `json:"chargeToType"`
		Info     struct {
			LastUpdated string `json:"lastUpdated"`
		} `json:"_info"`
	}
	entries, err := dated(a, since, func(stamp string) ([]entry, error) {
		return pages[entry](ctx, a, call{doing: "list time entries", resource: "time/entries", query: url.Values{
			"conditions": {"lastUpdated>=[" + stamp + `] and chargeToType="ServiceTicket"`}, "orderBy": {"id asc"},
			"fields": {"id,chargeToId,chargeToType,_info"},
		}}, maxTickets)
	})
	if err != nil && !psa.Is(err, psa.ReasonPermission) {
		return nil, err
	}
	out := map[string]time.Time{}
	for _, e := range entries {
		if e.Kind != "ServiceTicket" {
			continue
		}
		id := strconv.Itoa(e.TicketID)
		if at, err := time.Parse(time.RFC3339, e.Info.LastUpdated); err == nil && at.After(out[id]) {
			out[id] = at
		}
	}
	return out, nil
}

// dated asks with a time. Some instances take times without a zone only; which
// kind this one is, is learned.
func dated[T any](a *Adapter, since time.Time, ask func(stamp string) ([]T, error)) ([]T, error) {
	layouts := map[bool]string{false: "2006-01-02T15:04:05Z", true: "2006-01-02T15:04:05"}
	a.mu.Lock()
	zoneless := a.zoneless
	a.mu.Unlock()
	found, err := ask(since.UTC().Format(layouts[zoneless]))
	if !psa.Is(err, psa.ReasonInvalid) {
		return found, err
	}
	again, againErr := ask(since.UTC().Format(layouts[!zoneless]))
	if againErr != nil {
		return nil, err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.zoneless = !zoneless
	return again, nil
}
