package activitylog

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/cairn-itdr/cairn/internal/access"
	"github.com/cairn-itdr/cairn/internal/activity"
)

// Filter narrows a search. Fields are ANDed, a list means any of its values, a
// zero field does not narrow.
type Filter struct {
	TenantIDs      []string
	AccountIDs     []string
	From, To       time.Time // OccurredAt in [From, To)
	Sources        []activity.Source
	Operations     []string // compared in canonical form
	Results        []activity.Result
	Countries      []string
	CountriesNot   []string // records without a country count as none of them
	NetworkKinds   []activity.NetworkKind
	ApplicationIDs []string
	Addresses      []netip.Addr
	SessionIDs     []string
	Subject        string // part of the subject; ASCII case ignored, as in the next two
	Sender         string // part of the sender
	Text           string // part of the raw record
}

// Position is a place in a list: just at the record with this time and id.
type Position struct {
	OccurredAt time.Time
	ID         string
}

// Page says which part of the result is wanted.
type Page struct {
	Limit     int
	Ascending bool      // oldest first; else newest first
	Start     *Position // only records that come after this place in the list
	End       *Position // only records that come before it
	FromEnd   bool      // the last Limit records rather than the first; still in list order
}

// Search returns a page of the activities within the scope of ctx.
func (l *Log) Search(ctx context.Context, f Filter, p Page) ([]*Entry, error) {
	q, err := l.filtered(ctx, f)
	if err != nil {
		return nil, err
	}
	order := q.between(p)
	out, err := l.list(ctx, q.statement(selectListed, order, p.Limit), q.args)
	if err != nil {
		return nil, err
	}
	if p.FromEnd {
		slices.Reverse(out)
	}
	return out, nil
}

// Count returns how many activities within the scope of ctx fit the filter.
func (l *Log) Count(ctx context.Context, f Filter) (n int, err error) {
	q, err := l.filtered(ctx, f)
	if err != nil {
		return 0, err
	}
	if err := l.db.Reader().QueryRowContext(ctx, q.statement("count(*)", "", 0), q.args...).Scan(&n); err != nil {
		return 0, fmt.Errorf("count activities: %w", err)
	}
	return n, nil
}

func (l *Log) filtered(ctx context.Context, f Filter) (*query, error) {
	s, err := access.From(ctx)
	if err != nil {
		return nil, fmt.Errorf("search activities: %w", err)
	}
	q := newQuery(l.db.Dialect())
	q.lookUp = f.keyed()
	q.scope(s)
	if len(f.TenantIDs) > 0 {
		q.in(q.aside("tenant_id"), f.TenantIDs)
	}
	if len(f.AccountIDs) > 0 {
		q.in("account_id", f.AccountIDs)
		q.where("account_id <> ''")
	}
	if f.keyed() {
		if err := l.runs(ctx, q, s, f); err != nil {
			return nil, err
		}
	}
	if !f.From.IsZero() {
		q.where("occurred_at >= " + q.bind(f.From))
	}
	if !f.To.IsZero() {
		q.where("occurred_at < " + q.bind(f.To))
	}
	if len(f.Operations) > 0 {
		canonical := make([]string, len(f.Operations))
		for i, o := range f.Operations {
			canonical[i] = activity.CanonicalOperation(o)
		}
		q.in("operation", canonical)
	}
	q.in("source", texts(f.Sources))
	q.in("result", texts(f.Results))
	q.in("country", f.Countries)
	if len(f.CountriesNot) > 0 {
		q.where("NOT " + q.isOneOf("country", f.CountriesNot))
	}
	kinds := texts(f.NetworkKinds)
	if slices.Contains(f.NetworkKinds, activity.NetworkUnknown) {
		kinds = append(kinds, "") // what is stored where there is no address to look up
	}
	q.in("network_kind", kinds)
	q.in("application_id", f.ApplicationIDs)
	if len(f.Addresses) > 0 {
		addresses := make([]string, len(f.Addresses))
		for i, a := range f.Addresses {
			addresses[i] = a.Unmap().String()
		}
		q.in("address", addresses)
		q.where("address <> ''")
	}
	if len(f.SessionIDs) > 0 {
		q.in("session_id", f.SessionIDs)
		q.where("session_id <> ''")
	}
	q.contains("subject", f.Subject)
	q.contains("sender", f.Sender)
	q.contains("raw", f.Text)
	return q, nil
}

func texts[T ~string](in []T) []string {
	out := make([]string, len(in))
	for i, v := range in {
		out[i] = string(v)
	}
	return out
}
