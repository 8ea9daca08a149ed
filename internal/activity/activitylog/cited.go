package activitylog

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strconv"

	"github.com/cairn-itdr/cairn/ent"
	"github.com/cairn-itdr/cairn/internal/access"
	"github.com/cairn-itdr/cairn/internal/database"
)

// Citer says whose evidence is meant: that of findings, or of incidents, which
// is that of their findings.
type Citer string

// The citers, by the column of findings that holds their id.
const (
	Finding  Citer = "id"
	Incident Citer = "incident_id"
)

// Cited returns, for each citer with one of these ids, the same page of the
// activities its evidence names, each once, oldest first. One statement reads
// the pages of all, and nothing beside them.
func (l *Log) Cited(ctx context.Context, by Citer, ids []string, p Page) (map[string][]*Entry, error) {
	out := make(map[string][]*Entry, len(ids))
	q, cited, err := l.cited(ctx, by, ids)
	if err != nil || len(ids) == 0 {
		return out, err
	}
	p.Ascending = true
	order := q.between(p)
	statement := cited + ", ranked AS (SELECT cited.citer, activities.id AS activity," +
		" row_number() OVER (PARTITION BY cited.citer ORDER BY " + order + ") AS place" +
		" FROM cited JOIN activities ON activities.id = cited.activity" + q.conjunction() + ")" +
		" SELECT " + selectListed + ", ranked.citer FROM ranked JOIN activities ON activities.id = ranked.activity" +
		" WHERE ranked.place <= " + strconv.Itoa(p.Limit) + " ORDER BY " + order
	err = l.each(ctx, statement, q.args, func(rows *sql.Rows) error {
		var citer string
		e, err := scanEntry(rows, &citer)
		out[citer] = append(out[citer], e)
		return err
	})
	if err != nil {
		return nil, err
	}
	if p.FromEnd {
		for _, list := range out {
			slices.Reverse(list)
		}
	}
	return out, nil
}

// CountCited returns how many activities the evidence of each citer names.
func (l *Log) CountCited(ctx context.Context, by Citer, ids []string) (map[string]int, error) {
	out := make(map[string]int, len(ids))
	q, cited, err := l.cited(ctx, by, ids)
	if err != nil || len(ids) == 0 {
		return out, err
	}
	statement := cited + " SELECT cited.citer, count(*) FROM cited JOIN activities ON activities.id = cited.activity" +
		q.conjunction() + " GROUP BY cited.citer"
	return out, l.each(ctx, statement, q.args, func(rows *sql.Rows) error {
		var citer string
		var n int
		err := rows.Scan(&citer, &n)
		out[citer] = n
		return err
	})
}

// cited writes the table of who cites what, and gathers the scope's condition
// on activities for the statement behind it.
func (l *Log) cited(ctx context.Context, by Citer, ids []string) (q *query, with string, err error) {
	s, err := access.From(ctx)
	if err != nil {
		return nil, "", fmt.Errorf("read evidence: %w", err)
	}
	q = newQuery(l.db.Dialect())
	q.scopeOf("findings", ent.Rows[ent.TypeFinding], s)
	q.in("findings."+string(by), ids)
	with = "WITH cited AS (SELECT DISTINCT findings." + string(by) + " AS citer, evidence.value AS activity FROM findings, " +
		evidenceValues(l.db.Dialect()) + q.conjunction() + ")"
	q.scope(s)
	return q, with, nil
}

// evidenceValues is the table of a finding's evidence.
func evidenceValues(d database.Dialect) string {
	if d == database.Postgres {
		return "jsonb_array_elements_text(CASE jsonb_typeof(findings.evidence) WHEN 'array' THEN findings.evidence ELSE '[]' END) AS evidence(value)"
	}
	return "json_each(findings.evidence) AS evidence"
}

// Citation says that an incident's finding cites an activity.
type Citation struct{ IncidentID, ActivityID, FindingID string }

// Citations returns which findings of these incidents cite which of these
// activities, the oldest finding first.
func (l *Log) Citations(ctx context.Context, incidentIDs, activityIDs []string) (out []Citation, err error) {
	s, err := access.From(ctx)
	if err != nil {
		return nil, fmt.Errorf("read citations: %w", err)
	}
	if len(incidentIDs) == 0 || len(activityIDs) == 0 {
		return nil, nil
	}
	q := newQuery(l.db.Dialect())
	q.scopeOf("findings", ent.Rows[ent.TypeFinding], s)
	q.in("findings.incident_id", incidentIDs)
	q.in("evidence.value", activityIDs)
	statement := "SELECT DISTINCT findings.incident_id, evidence.value, findings.id, findings.occurred_at FROM findings, " +
		evidenceValues(l.db.Dialect()) + q.conjunction() + " ORDER BY findings.occurred_at, findings.id"
	err = l.each(ctx, statement, q.args, func(rows *sql.Rows) error {
		var c Citation
		var occurredAt any // only to order by
		err := rows.Scan(&c.IncidentID, &c.ActivityID, &c.FindingID, &occurredAt)
		out = append(out, c)
		return err
	})
	return out, err
}
