package graph

import (
	"context"
	"fmt"

	"github.com/99designs/gqlgen/graphql"

	"github.com/cairn-itdr/cairn/graph/model"
	"github.com/cairn-itdr/cairn/internal/access"
)

// Generating needs a tree that compiles; it reads gqlgen.yml at the top.
//go:generate sh -c "cd .. && go tool gqlgen generate"

// Resolver answers the fields of the schema.
type Resolver struct{ Config }

// requires is the schema's @requires.
func requires(ctx context.Context, _ any, next graphql.Resolver, permission model.Permission) (any, error) {
	if err := permit(ctx, permission); err != nil {
		return nil, err
	}
	return next(ctx)
}

// permit says whether the principal of ctx has the permission. The role alone
// decides for now; the policy of package access takes this place, and it alone.
func permit(ctx context.Context, permission model.Permission) error {
	s, err := access.From(ctx)
	if err != nil {
		return fmt.Errorf("permission %s: %w", permission, err)
	}
	if s.Principal.Role != access.RoleAdmin {
		return failure(codeForbidden, "this needs the permission %s, which the role %s does not have", permission, s.Principal.Role)
	}
	return nil
}
