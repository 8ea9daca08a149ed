// Package idempotency lets a program send a mutation again without it being
// done again: the key the program chose, what was asked and the ids that came
// of it are kept in the transaction that did it.
//
// What may not live here: any mutation, and any secret.
package idempotency

import (
	"bytes"
	"context"
	"crypto/sha256"
	stdsql "database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"
	"unicode/utf8"

	"entgo.io/ent/dialect"
	"entgo.io/ent/dialect/sql"

	"github.com/cairn-itdr/cairn/ent"
	"github.com/cairn-itdr/cairn/ent/idempotencykey"
	"github.com/cairn-itdr/cairn/internal/access"
	"github.com/cairn-itdr/cairn/internal/database"
	"github.com/cairn-itdr/cairn/internal/refusal"
	"github.com/cairn-itdr/cairn/internal/typeid"
)

// Keep is how long a key is known at least.
const Keep = 48 * time.Hour

// maxKey is the longest key, in characters.
const maxKey = 200

// sweepAtOnce is how many keys past their time one call removes.
const sweepAtOnce = 100

// Call is one mutation as its caller sent it.
type Call struct {
	Mutation string  // as the API names it
	Key      *string // the caller's; nil where the mutation may act each time it is sent
	Input    any     // what was asked, to be compared as JSON
}

// Once runs act in a transaction, which everything act writes with InTx joins,
// and keeps its result under the call's key. The same call again returns that
// result and does nothing; another input under the same key is a refusal. What
// act refuses is rolled back with its key, which may then be used again. Calls
// that come at once follow each other. The result is kept as JSON: ids, by
// which the caller reads what they stand for, and never a secret.
//
// Without a key, act just runs.
func Once[R any](
	ctx context.Context, db *database.DB, now func() time.Time, c Call, act func(ctx context.Context) (R, error),
) (result R, err error) {
	if c.Key == nil {
		return act(ctx)
	}
	if n := utf8.RuneCountInString(*c.Key); n == 0 || n > maxKey {
		return result, refusal.New(refusal.Invalid, []string{"idempotencyKey"}, "an idempotency key has 1 to %d characters, this one %d", maxKey, n)
	}
	err = db.InTx(ctx, func(ctx context.Context, tx *database.Tx) error {
		if err := sweep(ctx, tx, now().Add(-Keep)); err != nil {
			return err
		}
		own, row, err := claim(ctx, tx, c, now())
		if err != nil {
			return err
		}
		if !own {
			return json.Unmarshal([]byte(row.Result), &result)
		}
		if result, err = act(ctx); err != nil {
			return err
		}
		encoded, err := json.Marshal(result)
		if err != nil {
			return fmt.Errorf("keep the result of %s: %w", c.Mutation, err)
		}
		if err := tx.Client.IdempotencyKey.UpdateOne(row).SetResult(string(encoded)).Exec(ctx); err != nil {
			return fmt.Errorf("keep the result of %s: %w", c.Mutation, err)
		}
		return nil
	})
	if err != nil {
		var none R
		return none, err
	}
	return result, nil
}

// claim returns the row of the call's key, and whether this call made it. A
// call under way with the same key is waited for.
func claim(ctx context.Context, tx *database.Tx, c Call, now time.Time) (own bool, row *ent.IdempotencyKey, err error) {
	s, err := access.From(ctx)
	if err != nil {
		return false, nil, fmt.Errorf("idempotency key of %s: %w", c.Mutation, err)
	}
	input, err := json.Marshal(c.Input)
	if err != nil {
		return false, nil, fmt.Errorf("idempotency key of %s: input: %w", c.Mutation, err)
	}
	hash := sha256.Sum256(input)
	id := typeid.New("idempotencykey")
	err = tx.Client.IdempotencyKey.Create().SetID(id).SetOrganizationID(s.OrganizationID).SetPrincipalID(s.Principal.ID).
		SetMutation(c.Mutation).SetKey(*c.Key).SetInputHash(hash[:]).SetCreatedAt(now).
		OnConflictColumns(idempotencykey.FieldOrganizationID, idempotencykey.FieldPrincipalID, idempotencykey.FieldMutation, idempotencykey.FieldKey).
		DoNothing().Exec(ctx)
	if err != nil && !errors.Is(err, stdsql.ErrNoRows) { // ent's word for a conflict
		return false, nil, fmt.Errorf("keep the idempotency key of %s: %w", c.Mutation, err)
	}
	row, err = tx.Client.IdempotencyKey.Query().Where(
		idempotencykey.PrincipalID(s.Principal.ID), idempotencykey.Mutation(c.Mutation), idempotencykey.Key(*c.Key),
	).Only(ctx)
	if err != nil {
		return false, nil, fmt.Errorf("read the idempotency key of %s: %w", c.Mutation, err)
	}
	if row.ID != id && !bytes.Equal(row.InputHash, hash[:]) {
		return false, nil, refusal.New(refusal.Conflict, []string{"idempotencyKey"},
			"this key stands for another %s, done at %s with other input: take a new key, or send the same input",
			c.Mutation, row.CreatedAt.UTC().Format(time.RFC3339))
	}
	return row.ID == id, row, nil
}

// sweep removes some keys of the organization that are past their time, but
// none that another transaction is at.
func sweep(ctx context.Context, tx *database.Tx, before time.Time) error {
	old, err := tx.Client.IdempotencyKey.Query().
		Where(idempotencykey.CreatedAtLT(before), unlocked).Limit(sweepAtOnce).IDs(ctx)
	if err == nil && len(old) > 0 {
		_, err = tx.Client.IdempotencyKey.Delete().Where(idempotencykey.IDIn(old...)).Exec(ctx)
	}
	if err != nil {
		return fmt.Errorf("remove old idempotency keys: %w", err)
	}
	return nil
}

func unlocked(s *sql.Selector) {
	if s.Dialect() == dialect.Postgres {
		s.ForUpdate(sql.WithLockAction(sql.SkipLocked))
	}
}
