package work

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/cairn-itdr/cairn/internal/access"
	"github.com/cairn-itdr/cairn/internal/database"
)

// Claim is one row under lease.
type Claim struct {
	ID             string
	OrganizationID string
	// Fence is the claim's token: higher than that of every claim before it.
	Fence int
	// Attempts failed in a row before this one.
	Attempts int
	Urgent   bool

	wakes  int
	keys   []string // by the queue's limits
	queue  *queue
	runner *Runner
}

// group is the due rows that share all their limits' keys.
type group struct {
	keys   []string
	urgent bool
}

// state is how a limit's key stands.
type state struct {
	parallel    int // 0: what the queue says
	paused      bool
	tripped     bool // it failed until it had to rest: one at a time until it does not
	bulk, total int  // rows under way
}

// allows says whether one more row of a key may be begun.
func (s *state) allows(l Limit, urgent bool) bool {
	if s.paused {
		return false
	}
	places := l.Parallel
	if s.parallel > 0 {
		places = s.parallel
	}
	if s.tripped {
		places = 1
	}
	if places == 0 {
		return true
	}
	if urgent || places == 1 {
		return s.total < places
	}
	return s.total < places && s.bulk < places-1
}

// claim claims up to so many rows: bulk of any, and urgent ones up to urgent in all.
func (r *Runner) claim(ctx context.Context, q *queue, bulk, urgent int) (claims []*Claim, err error) {
	ctx = access.SystemAcrossOrganizations(ctx, "work")
	// Looking takes no lock, and mostly there is nothing.
	groups, err := r.due(ctx, r.DB.Reader(), q)
	if err != nil || len(groups) == 0 {
		return nil, err
	}
	err = r.DB.InTx(ctx, func(ctx context.Context, tx *database.Tx) error {
		claims = nil
		states, err := r.states(ctx, tx, q)
		if err != nil {
			return err
		}
		if groups, err = r.due(ctx, tx.SQL, q); err != nil {
			return err
		}
		for len(groups) > 0 && urgent > 0 {
			i := next(groups, q, states)
			if i < 0 || bulk <= 0 && !groups[i].urgent {
				return nil
			}
			c, err := r.claimOne(ctx, tx, q, groups[i])
			if err != nil {
				return err
			}
			if c == nil { // none left, or others hold them locked
				groups = slices.Delete(groups, i, i+1)
				continue
			}
			groups[i].urgent = groups[i].urgent && c.Urgent
			for n, l := range q.Limits {
				states.of(l.Name, c.keys[n]).add(c.Urgent)
			}
			claims = append(claims, c)
			urgent--
			if !c.Urgent {
				bulk--
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("claim rows of %s: %w", q.Table, err)
	}
	return claims, nil
}

// next returns the group to claim of: urgent ones first, then that of which the
// least is under way; groups come with the newest row first. -1 where none may.
func next(groups []group, q *queue, states states) int {
	best, least := -1, 0
	for i, g := range groups {
		allowed, under := true, 0
		for n, l := range q.Limits {
			s := states.of(l.Name, g.keys[n])
			allowed = allowed && s.allows(l, g.urgent)
			if n == 0 {
				under = s.total
			}
		}
		switch {
		case !allowed:
		case best < 0, g.urgent && !groups[best].urgent, g.urgent == groups[best].urgent && under < least:
			best, least = i, under
		}
	}
	return best
}

type querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

// isDue is the condition for a row that may be claimed at $1.
const isDue = "next_attempt_at <= $1 AND (claimed_until IS NULL OR claimed_until <= $1)"

// byKey finds the due rows' keys of the only limit there is by going from key to
// key along the index, and looks at one row of each: ten thousand rows that wait
// cost no more than ten.
const byKey = "WITH RECURSIVE keys(key) AS (SELECT min(%[2]s) FROM %[1]s WHERE next_attempt_at IS NOT NULL " +
	"UNION ALL SELECT (SELECT min(t.%[2]s) FROM %[1]s t WHERE t.next_attempt_at IS NOT NULL AND t.%[2]s > keys.key) FROM keys WHERE keys.key IS NOT NULL) " +
	"SELECT urgency, key FROM (SELECT key, " +
	"(SELECT urgency FROM %[1]s WHERE %[2]s = key AND " + isDue + " ORDER BY urgency DESC, %[3]s DESC LIMIT 1) AS urgency, " +
	"(SELECT %[3]s FROM %[1]s WHERE %[2]s = key AND " + isDue + " ORDER BY urgency DESC, %[3]s DESC LIMIT 1) AS newest " +
	"FROM keys WHERE key IS NOT NULL) AS due WHERE urgency IS NOT NULL ORDER BY newest DESC"

// dueQuery asks for the groups of due rows.
func (q *queue) dueQuery() string {
	if len(q.Limits) == 1 {
		return fmt.Sprintf(byKey, q.Table, q.Limits[0].Column, q.Newest)
	}
	columns, by := []string{"max(urgency)"}, ""
	for _, l := range q.Limits {
		columns = append(columns, l.Column)
	}
	if len(q.Limits) > 0 {
		by = " GROUP BY " + strings.Join(columns[1:], ", ")
	}
	return fmt.Sprintf("SELECT %s FROM %s WHERE %s%s HAVING count(*) > 0 ORDER BY max(%s) DESC",
		strings.Join(columns, ", "), q.Table, isDue, by, q.Newest)
}

// due returns the groups of due rows, that of the newest row first.
func (r *Runner) due(ctx context.Context, db querier, q *queue) ([]group, error) {
	rows, err := db.QueryContext(ctx, q.dueQuery(), r.Now())
	if err != nil {
		return nil, fmt.Errorf("look for due rows of %s: %w", q.Table, err)
	}
	defer rows.Close()
	var out []group
	for rows.Next() {
		g := group{keys: make([]string, len(q.Limits))}
		var urgency int
		into := []any{&urgency}
		for n := range g.keys {
			into = append(into, &g.keys[n])
		}
		if err := rows.Scan(into...); err != nil {
			return nil, fmt.Errorf("look for due rows of %s: %w", q.Table, err)
		}
		g.urgent = urgency > 0
		out = append(out, g)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("look for due rows of %s: %w", q.Table, err)
	}
	return out, nil
}

// claimOne claims the most urgent, then newest due row of a group.
func (r *Runner) claimOne(ctx context.Context, tx *database.Tx, q *queue, g group) (*Claim, error) {
	now := r.Now()
	args := []any{now, now.Add(q.Lease)}
	where := []string{isDue}
	for n, l := range q.Limits {
		args = append(args, g.keys[n])
		where = append(where, fmt.Sprintf("%s = $%d", l.Column, len(args)))
	}
	free := ""
	if tx.Dialect() == database.Postgres {
		free = " FOR UPDATE SKIP LOCKED"
	}
	c := &Claim{keys: g.keys, queue: q, runner: r}
	var urgency int
	err := tx.SQL.QueryRowContext(ctx, fmt.Sprintf(
		"UPDATE %[1]s SET fence = fence + 1, claimed_until = $2 WHERE id = (SELECT id FROM %[1]s WHERE %[2]s ORDER BY urgency DESC, %[3]s DESC, id DESC LIMIT 1%[4]s) "+
			"RETURNING id, organization_id, fence, attempts, wakes, urgency", q.Table, strings.Join(where, " AND "), q.Newest, free), args...).
		Scan(&c.ID, &c.OrganizationID, &c.Fence, &c.Attempts, &c.wakes, &urgency)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	c.Urgent = urgency > 0
	return c, nil
}

// onTable puts the queue's table into a statement.
func (q *queue) onTable(statement string) string { return fmt.Sprintf(statement, q.Table) }

// Key returns the claim's key of a limit, "" where its queue has no such limit.
func (c *Claim) Key(limit string) string {
	for n, l := range c.queue.Limits {
		if l.Name == limit {
			return c.keys[n]
		}
	}
	return ""
}

// InTx runs do in a transaction as long as the claim is its holder's: the row is
// locked, and ErrStale returned where another may have it.
func (c *Claim) InTx(ctx context.Context, do func(ctx context.Context, tx *database.Tx) error) error {
	return c.runner.DB.InTx(ctx, func(ctx context.Context, tx *database.Tx) error {
		if err := c.Check(ctx, tx); err != nil {
			return err
		}
		return do(ctx, tx)
	})
}

// Check locks the row until tx ends, and returns ErrStale where the claim is not
// its holder's any more. InTx calls it; a transaction that has to lock something
// else before the row calls it itself.
func (c *Claim) Check(ctx context.Context, tx *database.Tx) error {
	lock := ""
	if tx.Dialect() == database.Postgres {
		lock = " FOR UPDATE"
	}
	var one int
	err := tx.SQL.QueryRowContext(ctx,
		c.queue.onTable("SELECT 1 FROM %s WHERE id = $1 AND fence = $2 AND claimed_until IS NOT NULL")+lock, c.ID, c.Fence).Scan(&one)
	if errors.Is(err, sql.ErrNoRows) {
		return ErrStale
	}
	if err != nil {
		return fmt.Errorf("check the claim of %s: %w", c.ID, err)
	}
	return nil
}

// extend moves the end of the lease.
func (c *Claim) extend(ctx context.Context) error {
	return c.InTx(ctx, func(ctx context.Context, tx *database.Tx) error {
		_, err := tx.SQL.ExecContext(ctx, c.queue.onTable("UPDATE %s SET claimed_until = $1 WHERE id = $2"), c.runner.Now().Add(c.queue.Lease), c.ID)
		return err
	})
}

// releaseWithin is how long a stopped process takes to give a row free.
const releaseWithin = 5 * time.Second

// release ends the claim and changes nothing else.
func (c *Claim) release(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, releaseWithin)
	defer cancel()
	err := c.InTx(ctx, func(ctx context.Context, tx *database.Tx) error {
		_, err := tx.SQL.ExecContext(ctx, c.queue.onTable("UPDATE %s SET claimed_until = NULL WHERE id = $1"), c.ID)
		return err
	})
	if err != nil && !errors.Is(err, ErrStale) {
		c.runner.Logger.WarnContext(ctx, "work: a row could not be given free; its lease ends by itself", "queue", c.queue.Name, "row", c.ID, "error", err)
	}
}
