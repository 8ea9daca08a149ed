package graph

import (
	"context"
	"fmt"
	"strings"

	"github.com/99designs/gqlgen/graphql"

	"github.com/cairn-itdr/cairn/internal/access"
)

// Generating needs a tree that compiles; it reads gqlgen.yml at the top.
//go:generate sh -c "cd .. && go tool gqlgen generate"

// Resolver answers the fields of the schema.
type Resolver struct{ Config }

// requires is the schema's @requires.
func requires(ctx context.Context, _ any, next graphql.Resolver, permission access.Permission) (any, error) {
	if err := permit(ctx, permission); err != nil {
		return nil, err
	}
	return next(ctx)
}

// permit says whether the principal of ctx has the permission somewhere. On
// which rows, the scope beneath decides.
func permit(ctx context.Context, permission access.Permission) error {
	s, err := access.From(ctx)
	if err != nil {
		return fmt.Errorf("permission %s: %w", permission, err)
	}
	if !s.May(permission) {
		return failure(codeForbidden, "this needs the permission %s, which %s does not have", permission, described(s.Principal))
	}
	return nil
}

// described says what decides over what a principal may do.
func described(p access.Principal) string {
	parts := []string{"the role", string(p.Role)}
	for _, f := range p.Flags {
		parts = append(parts, "with", string(f))
	}
	if p.AssignedOnly {
		parts = append(parts, "narrowed to assigned tenants")
	}
	return strings.Join(parts, " ")
}
