package activitylog

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/cairn-itdr/cairn/internal/access"
	"github.com/cairn-itdr/cairn/internal/database"
)

// dayOf counts the days since 1970, UTC.
func dayOf(t time.Time) int64 {
	day := t.Unix() / 86400
	if t.Unix() < 0 && t.Unix()%86400 != 0 {
		day--
	}
	return day
}

// keyed says that the filter looks something up: the indexes for that have the
// day before the key.
func (f Filter) keyed() bool {
	return len(f.AccountIDs) > 0 || len(f.SessionIDs) > 0 || len(f.Addresses) > 0
}

// days names the tenants and the days a look-up must go through, so that the
// database jumps from one to the next.
func (l *Log) days(ctx context.Context, q *query, s access.Scope, f Filter) error {
	switch {
	case len(f.TenantIDs) > 0:
	case len(f.AccountIDs) > 0:
		q.where("activities.tenant_id IN (SELECT tenant_id FROM accounts WHERE " + q.isOneOf("id", f.AccountIDs) + ")")
	case !s.EveryOrganization():
		q.where("activities.tenant_id IN (SELECT id FROM tenants WHERE organization_id = " + q.bind(s.OrganizationID) + ")")
	default:
		return nil
	}
	first, last, err := l.span(ctx, s, f)
	if err != nil {
		return err
	}
	if !f.From.IsZero() {
		first = max(first, dayOf(f.From))
	}
	if !f.To.IsZero() {
		last = min(last, dayOf(f.To))
	}
	all := make([]int64, 0, max(0, last-first+1))
	for d := first; d <= last; d++ {
		all = append(all, d)
	}
	if q.dialect == database.Postgres {
		q.where("activities.day = ANY(" + q.bind(all) + ")")
		return nil
	}
	list, err := json.Marshal(all)
	if err != nil {
		return fmt.Errorf("search activities: %w", err)
	}
	q.where("activities.day IN (SELECT value FROM json_each(" + q.bind(string(list)) + "))")
	return nil
}

// span returns the first and the last day that could hold what the filter
// looks for; the last lies before the first where none can.
func (l *Log) span(ctx context.Context, s access.Scope, f Filter) (first, last int64, err error) {
	// One end of one index each: a day too many costs less than a closer look.
	q := newQuery(l.db.Dialect())
	switch {
	case len(f.TenantIDs) == 1:
		q.where("tenant_id = " + q.bind(f.TenantIDs[0]))
	case !s.EveryOrganization():
		q.where("organization_id = " + q.bind(s.OrganizationID))
	}
	where := q.conjunction()
	statement := "SELECT (SELECT day FROM activities" + where + " ORDER BY occurred_at LIMIT 1)," +
		" (SELECT day FROM activities" + where + " ORDER BY occurred_at DESC LIMIT 1)"
	args := q.args
	if q.dialect != database.Postgres { // its numbers name the argument twice
		args = append(args, q.args...)
	}
	var from, to *int64
	if err := l.db.Reader().QueryRowContext(ctx, statement, args...).Scan(&from, &to); err != nil {
		return 0, 0, fmt.Errorf("search activities: %w", err)
	}
	if from == nil || to == nil {
		return 0, -1, nil
	}
	return *from, *to, nil
}
