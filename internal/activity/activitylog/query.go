package activitylog

import (
	"strconv"
	"strings"

	"github.com/cairn-itdr/cairn/internal/access"
	"github.com/cairn-itdr/cairn/internal/database"
)

var selectListed = strings.Join(listed, ", ")

// query gathers the conditions of a statement on activities, in either dialect.
type query struct {
	dialect    database.Dialect
	conditions []string
	args       []any
	lookUp     bool // a key's index serves, which is not in the order of a page
}

func newQuery(d database.Dialect) *query { return &query{dialect: d} }

// logRows says how activities hang on organization and tenant.
var logRows = access.Rows{Read: access.ActivityRead, Tenant: "tenant_id"}

// scope narrows to the activities the scope may reach.
func (q *query) scope(s access.Scope) { q.scopeOf("activities", logRows, s) }

// scopeOf narrows to the rows of a table that the scope may reach.
func (q *query) scopeOf(table string, rows access.Rows, s access.Scope) {
	if s.EveryOrganization() {
		return
	}
	c := condition{query: q}
	rows.WriteCondition(s, func(name string) string { return q.aside(table + "." + name) }, &c)
	q.where("(" + c.text.String() + ")")
}

// condition gathers a scope's condition with its arguments.
type condition struct {
	query *query
	text  strings.Builder
}

func (c *condition) Write(text string) { c.text.WriteString(text) }
func (c *condition) Bind(value any)    { c.text.WriteString(c.query.bind(value)) }

func (q *query) where(condition string) { q.conditions = append(q.conditions, condition) }

// bind adds an argument and returns its placeholder.
func (q *query) bind(value any) string {
	q.args = append(q.args, value)
	if q.dialect == database.Postgres {
		return "$" + strconv.Itoa(len(q.args))
	}
	return "?"
}

// in narrows a column to some values; none do not narrow.
func (q *query) in(column string, values []string) {
	if len(values) > 0 {
		q.where(q.isOneOf(column, values))
	}
}

func (q *query) isOneOf(column string, values []string) string {
	if q.dialect == database.Postgres {
		return column + " = ANY(" + q.bind(values) + ")"
	}
	if len(values) == 1 {
		return column + " = " + q.bind(values[0])
	}
	for _, v := range values {
		q.args = append(q.args, v)
	}
	return column + " IN (?" + strings.Repeat(",?", len(values)-1) + ")"
}

// contains narrows a column to texts with part in them. ASCII case is ignored
// and no other: that is what SQLite's LIKE does, and both databases must agree.
func (q *query) contains(column, part string) {
	if part == "" {
		return
	}
	pattern := "%" + strings.NewReplacer(`\`, `\\`, "%", `\%`, "_", `\_`).Replace(part) + "%"
	if q.dialect == database.Postgres {
		q.where(column + ` COLLATE "C" ILIKE ` + q.bind(pattern) + ` ESCAPE '\'`)
		return
	}
	q.where(column + ` LIKE ` + q.bind(pattern) + ` ESCAPE '\'`)
}

// between narrows to what lies between a page's ends, and returns the order
// that puts the page first.
func (q *query) between(p Page) (order string) {
	after, before := ">", "<"
	if !p.Ascending {
		after, before = before, after
	}
	if p.Start != nil {
		q.where("(activities.occurred_at, activities.id) " + after + " (" + q.bind(p.Start.OccurredAt) + ", " + q.bind(p.Start.ID) + ")")
	}
	if p.End != nil {
		q.where("(activities.occurred_at, activities.id) " + before + " (" + q.bind(p.End.OccurredAt) + ", " + q.bind(p.End.ID) + ")")
	}
	column := q.aside("activities.occurred_at")
	if p.Ascending != p.FromEnd {
		return column + ", activities.id"
	}
	return column + " DESC, activities.id DESC"
}

// aside keeps a column from choosing the index of a look-up. SQLite would read
// all of a tenant or an organization in the order of time; PostgreSQL knows its data.
func (q *query) aside(column string) string {
	if q.lookUp && q.dialect == database.SQLite {
		return "+" + column
	}
	return column
}

// conjunction hands the conditions gathered so far over, as a WHERE clause; their
// arguments stay, for what is written behind it.
func (q *query) conjunction() string {
	where := ""
	if len(q.conditions) > 0 {
		where = " WHERE " + strings.Join(q.conditions, " AND ")
	}
	q.conditions = nil
	return where
}

// statement writes the SELECT; limit 0 means no limit.
func (q *query) statement(selected, order string, limit int) string {
	var b strings.Builder
	b.WriteString("SELECT " + selected + " FROM activities" + q.conjunction())
	if order != "" {
		b.WriteString(" ORDER BY " + order)
	}
	if limit > 0 {
		b.WriteString(" LIMIT " + strconv.Itoa(limit))
	}
	return b.String()
}
