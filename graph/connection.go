package graph

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"entgo.io/ent/dialect"
	"entgo.io/ent/dialect/sql"

	"github.com/cairn-itdr/cairn/graph/cursor"
	"github.com/cairn-itdr/cairn/graph/model"
)

// How many items a page has: unless told otherwise, and at the most.
const (
	defaultPage = 50
	maxPage     = 100
)

// order is how a list is ordered: by a column, then by id.
type order[T any] struct {
	list       string // names list and key in cursors
	column     string // of the entity, where it is one
	kind       cursor.Kind
	descending bool
	place      func(T) cursor.Place
}

// directed returns the order in the direction asked for.
func (o order[T]) directed(d model.OrderDirection) order[T] {
	o.descending = d == model.OrderDirectionDesc
	return o
}

// cursorName is what a cursor is bound to.
func (o order[T]) cursorName() string {
	if o.descending {
		return o.list + "-"
	}
	return o.list + "+"
}

// page is which part of a list is wanted.
type page struct {
	limit         int
	backward      bool // the last ones rather than the first
	after, before *cursor.Place
}

// pageArguments are the paging arguments of a field.
type pageArguments struct {
	first  *int
	after  *string
	last   *int
	before *string
}

// String tells arguments apart.
func (a pageArguments) String() string {
	var b strings.Builder
	for _, v := range []any{a.first, a.last} {
		if n, ok := v.(*int); ok && n != nil {
			fmt.Fprint(&b, *n)
		}
		b.WriteByte(' ')
	}
	for _, s := range []*string{a.after, a.before} {
		if s != nil {
			b.WriteString(*s)
		}
		b.WriteByte(' ')
	}
	return b.String()
}

// page checks paging arguments. Every error is BAD_USER_INPUT.
func (o order[T]) page(a pageArguments) (p page, err error) {
	p.limit = defaultPage
	name, n := "first", a.first
	if a.last != nil {
		if a.first != nil {
			return page{}, badInput("first and last exclude each other")
		}
		p.backward = true
		name, n = "last", a.last
	}
	if n != nil {
		switch {
		case *n < 0:
			return page{}, badInput("%s: %d is negative", name, *n)
		case *n > maxPage:
			return page{}, badInput("%s: %d is more than the %d a page may have; go on with after or before", name, *n, maxPage)
		}
		p.limit = *n
	}
	for _, c := range []struct {
		name   string
		cursor *string
		place  **cursor.Place
	}{{"after", a.after, &p.after}, {"before", a.before, &p.before}} {
		if c.cursor == nil {
			continue
		}
		at, err := cursor.Decode(*c.cursor, o.cursorName(), o.kind)
		if err != nil {
			return page{}, badInput("%s: %s", c.name, err)
		}
		*c.place = &at
	}
	return p, nil
}

// connect makes a connection of a page of which one item more than its limit
// was fetched: what is beyond tells whether there is more. Items are in the
// list's order.
func (o order[T]) connect(p page, items []T, count func(context.Context) (int, error)) *model.Connection[T] {
	more := len(items) > p.limit
	items = atMost(p.limit, p.backward, items)
	c := &model.Connection[T]{
		Edges: make([]*model.Edge[T], len(items)),
		Count: count,
		PageInfo: &model.PageInfo{
			HasNextPage:     p.backward && p.before != nil || !p.backward && more,
			HasPreviousPage: p.backward && more || !p.backward && p.after != nil,
		},
	}
	for i, item := range items {
		c.Edges[i] = &model.Edge[T]{Cursor: cursorOf(o, item), Node: item}
	}
	if len(items) > 0 {
		c.PageInfo.StartCursor = &c.Edges[0].Cursor
		c.PageInfo.EndCursor = &c.Edges[len(items)-1].Cursor
	}
	return c
}

// atMost returns the first n items, or the last.
func atMost[T any](n int, last bool, items []T) []T {
	switch {
	case len(items) <= n:
		return items
	case last:
		return items[len(items)-n:]
	}
	return items[:n]
}

func cursorOf[T any](o order[T], item T) string {
	p := o.place(item)
	return p.Encode(o.cursorName())
}

// entityQuery is what ent's queries have in common.
type entityQuery[T any, P, O ~func(*sql.Selector), Q any] interface {
	Where(ps ...P) Q
	Order(os ...O) Q
	Limit(n int) Q
	Clone() Q
	All(ctx context.Context) ([]T, error)
	Count(ctx context.Context) (int, error)
}

// entities returns a page of a query of entities; saw notes where they lead.
func entities[T any, P, O ~func(*sql.Selector), Q entityQuery[T, P, O, Q]](
	ctx context.Context, query Q, o order[T], a pageArguments, saw func(...T),
) (*model.Connection[T], error) {
	p, err := o.page(a)
	if err != nil {
		return nil, err
	}
	count := query.Clone().Count
	query.Where(o.between(p)).Order(o.by(p)).Limit(p.limit + 1)
	items, err := query.All(ctx)
	if err != nil {
		return nil, fmt.Errorf("list %s: %w", o.list, err)
	}
	if p.backward {
		slices.Reverse(items)
	}
	c := o.connect(p, items, count)
	if saw != nil {
		saw(c.Nodes()...)
	}
	return c, nil
}

// expression is the order's column. Text is compared byte by byte, which is
// what SQLite does and PostgreSQL must be told to.
func (o order[T]) expression(s *sql.Selector) string {
	if o.kind == cursor.Text && s.Dialect() == dialect.Postgres {
		return s.C(o.column) + ` COLLATE "C"`
	}
	return s.C(o.column)
}

// by orders a query for a page; backward the other way round.
func (o order[T]) by(p page) func(*sql.Selector) {
	return func(s *sql.Selector) {
		direction := " ASC"
		if o.descending != p.backward {
			direction = " DESC"
		}
		s.OrderExpr(sql.Expr(o.expression(s)+direction), sql.Expr(s.C("id")+direction))
	}
}

// between narrows a query to what lies between a page's cursors.
func (o order[T]) between(p page) func(*sql.Selector) {
	return func(s *sql.Selector) {
		after, before := " > ", " < "
		if o.descending {
			after, before = before, after
		}
		for _, c := range []struct {
			place    *cursor.Place
			operator string
		}{{p.after, after}, {p.before, before}} {
			if c.place == nil {
				continue
			}
			// Written now: the query may get another name before it is run.
			comparison := "(" + o.expression(s) + ", " + s.C("id") + ")" + c.operator + "("
			s.Where(sql.P(func(b *sql.Builder) {
				b.WriteString(comparison)
				b.Args(c.place.Key, c.place.ID).WriteByte(')')
			}))
		}
	}
}

func comparePlaces(x, y cursor.Place) int {
	return cmp.Or(x.Moment().Compare(y.Moment()), cmp.Compare(x.ID, y.ID))
}
