package graph

import (
	"context"

	"github.com/cairn-itdr/cairn/internal/idempotency"
	"github.com/cairn-itdr/cairn/internal/refusal"
)

// once carries a mutation out, or finds what came of it where the input has an
// idempotency key it was carried out under, and returns the ids of what was
// made or changed, or why it was refused. From the ids the resolver reads what
// the payload shows, the first time and every other.
func once[R any](
	ctx context.Context, r *Resolver, mutation string, key *string, input any, act func(ctx context.Context) (R, error),
) (R, []*refusal.Error, error) {
	call := idempotency.Call{Mutation: mutation, Key: key, Input: input}
	result, err := idempotency.Once(ctx, r.DB, r.Now, call, act)
	refused, err := userErrors(err)
	return result, refused, err
}
