package database

import (
	"context"
	"errors"
	"fmt"

	entgo "entgo.io/ent"
	"entgo.io/ent/dialect"
	entsql "entgo.io/ent/dialect/sql"

	"github.com/cairn-itdr/cairn/ent"
	"github.com/cairn-itdr/cairn/ent/intercept"
	"github.com/cairn-itdr/cairn/internal/access"
)

// newClient is the one way to an ent client: it comes with the scope on.
func newClient(drv dialect.Driver) *ent.Client {
	c := ent.NewClient(ent.Driver(drv))
	c.Intercept(intercept.TraverseFunc(scopeQuery))
	c.Use(scopeMutation)
	return c
}

// organizationColumn is the column by which an entity's rows belong to an organization.
func organizationColumn(entity string) string {
	if entity == ent.TypeOrganization {
		return "id"
	}
	return "organization_id"
}

// scopeQuery narrows every query, eager loading and counts included, to the
// scope of its context.
func scopeQuery(ctx context.Context, q intercept.Query) error {
	s, err := access.From(ctx)
	if err != nil {
		return fmt.Errorf("query %s: %w", q.Type(), err)
	}
	if !s.EveryOrganization() {
		q.WhereP(entsql.FieldEQ(organizationColumn(q.Type()), s.OrganizationID))
	}
	return nil
}

// scopeMutation lets a mutation write rows of its scope's organization only.
func scopeMutation(next entgo.Mutator) entgo.Mutator {
	return entgo.MutateFunc(func(ctx context.Context, m entgo.Mutation) (entgo.Value, error) {
		s, err := access.From(ctx)
		if err != nil {
			return nil, fmt.Errorf("change %s: %w", m.Type(), err)
		}
		if s.EveryOrganization() {
			return next.Mutate(ctx, m)
		}
		column := organizationColumn(m.Type())
		if m.Op().Is(entgo.OpCreate) {
			if m.Type() == ent.TypeOrganization {
				return nil, errors.New("create Organization: outside every organization's scope")
			}
			if given, ok := m.Field(column); ok && given != s.OrganizationID {
				return nil, fmt.Errorf("create %s: row of another organization", m.Type())
			}
			if err := m.SetField(column, s.OrganizationID); err != nil {
				return nil, fmt.Errorf("create %s: %w", m.Type(), err)
			}
			return next.Mutate(ctx, m)
		}
		narrowed, ok := m.(interface {
			WhereP(predicates ...func(*entsql.Selector))
		})
		if !ok {
			return nil, fmt.Errorf("change %s: can't be narrowed to its scope", m.Type())
		}
		narrowed.WhereP(entsql.FieldEQ(column, s.OrganizationID))
		return next.Mutate(ctx, m)
	})
}
