package database

import (
	"context"
	"errors"
	"fmt"
	"sync"

	entgo "entgo.io/ent"
	"entgo.io/ent/dialect"
	entsql "entgo.io/ent/dialect/sql"

	"github.com/cairn-itdr/cairn/ent"
	"github.com/cairn-itdr/cairn/ent/intercept"
	"github.com/cairn-itdr/cairn/ent/tenant"
	"github.com/cairn-itdr/cairn/internal/access"
)

// newClient is the one way to an ent client: it comes with the scope on.
func newClient(drv dialect.Driver) (*ent.Client, *writes) {
	c := ent.NewClient(ent.Driver(drv))
	c.Intercept(intercept.TraverseFunc(scopeQuery))
	w := &writes{client: c, reached: map[string]bool{}}
	c.Use(w.scope)
	return c, w
}

// scopeQuery narrows every query, eager loading and counts included, to the
// scope of its context.
func scopeQuery(ctx context.Context, q intercept.Query) error {
	s, err := access.From(ctx)
	if err != nil {
		return fmt.Errorf("query %s: %w", q.Type(), err)
	}
	q.WhereP(Within(q.Type(), s))
	return nil
}

// Within narrows a statement on an entity's table to the scope.
func Within(entity string, s access.Scope) func(*entsql.Selector) {
	rows := ent.Rows[entity]
	return func(selector *entsql.Selector) {
		// Written now: the query may get another name before it is run.
		column := selector.C
		selector.Where(entsql.P(func(b *entsql.Builder) {
			b.WriteByte('(')
			rows.WriteCondition(s, column, builder{b})
			b.WriteByte(')')
		}))
	}
}

// builder lets ent's builder take a condition.
type builder struct{ *entsql.Builder }

func (b builder) Write(text string) { b.WriteString(text) }
func (b builder) Bind(value any)    { b.Arg(value) }

// writes keeps mutations within the scope.
type writes struct {
	client *ent.Client

	// reached are the tenants found to lie within a scope, so that thousands
	// of rows of one tenant ask once. A client lives as long as a transaction.
	mu      sync.Mutex
	reached map[string]bool
}

// scope lets a mutation write rows of its scope alone.
func (w *writes) scope(next entgo.Mutator) entgo.Mutator {
	return entgo.MutateFunc(func(ctx context.Context, m entgo.Mutation) (entgo.Value, error) {
		s, err := access.From(ctx)
		if err != nil {
			return nil, fmt.Errorf("change %s: %w", m.Type(), err)
		}
		rows := ent.Rows[m.Type()]
		if rows.Internal && !s.System() {
			return nil, fmt.Errorf("change %s: such rows are Cairn's own", m.Type())
		}
		if m.Op().Is(entgo.OpCreate) {
			if err := w.create(ctx, s, rows, m); err != nil {
				return nil, fmt.Errorf("create %s: %w", m.Type(), err)
			}
			return next.Mutate(ctx, m)
		}
		if rows.AppendOnly {
			return nil, fmt.Errorf("change %s: such rows are never changed or removed", m.Type())
		}
		narrowed, ok := m.(interface {
			WhereP(predicates ...func(*entsql.Selector))
		})
		if !ok {
			return nil, fmt.Errorf("change %s: can't be narrowed to its scope", m.Type())
		}
		narrowed.WhereP(Within(m.Type(), s))
		return next.Mutate(ctx, m)
	})
}

var (
	errOtherOrganization = errors.New("row of another organization")
	errOtherPrincipal    = errors.New("row of another principal")
	// ErrTenantOutOfScope is returned where a row was to be written for a tenant
	// that the scope does not reach, or that is not there.
	ErrTenantOutOfScope = errors.New("tenant out of scope")
)

func (w *writes) create(ctx context.Context, s access.Scope, rows access.Rows, m entgo.Mutation) error {
	if !s.EveryOrganization() {
		if m.Type() == ent.TypeOrganization {
			return errors.New("outside every organization's scope")
		}
		if given, ok := m.Field("organization_id"); ok && given != s.OrganizationID {
			return errOtherOrganization
		}
		if err := m.SetField("organization_id", s.OrganizationID); err != nil {
			return err
		}
		if given, ok := m.Field(rows.Principal); ok && rows.Principal != "" && !s.System() && given != s.Principal.ID {
			return errOtherPrincipal
		}
	}
	if rows.Tenant == "" || m.Type() == ent.TypeTenant {
		return nil
	}
	value, given := m.Field(rows.Tenant)
	if !given {
		return nil // required columns are checked as such
	}
	id, ok := value.(string)
	if !ok {
		return fmt.Errorf("column %s is no text", rows.Tenant)
	}
	return w.reach(ctx, s, id)
}

// ReachTenant asks whether the scope of ctx reaches the tenant
// (ErrTenantOutOfScope). The first row written for it would ask the same: this
// is for who must not read once it has begun to write.
func (tx *Tx) ReachTenant(ctx context.Context, tenantID string) error {
	s, err := access.From(ctx)
	if err != nil {
		return err
	}
	return tx.writes.reach(ctx, s, tenantID)
}

// reach says whether the scope reaches the tenant.
func (w *writes) reach(ctx context.Context, s access.Scope, tenantID string) error {
	key := s.OrganizationID + " " + s.Principal.ID + " " + tenantID
	w.mu.Lock()
	known := w.reached[key]
	w.mu.Unlock()
	if known {
		return nil
	}
	found, err := w.client.Tenant.Query().Where(tenant.ID(tenantID)).Exist(ctx)
	if err != nil {
		return fmt.Errorf("look for the tenant: %w", err)
	}
	if !found {
		return fmt.Errorf("%w: %s", ErrTenantOutOfScope, tenantID)
	}
	w.mu.Lock()
	w.reached[key] = true
	w.mu.Unlock()
	return nil
}
