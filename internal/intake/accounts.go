package intake

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/cairn-itdr/cairn/ent"
	"github.com/cairn-itdr/cairn/ent/account"
	"github.com/cairn-itdr/cairn/internal/activity"
	"github.com/cairn-itdr/cairn/internal/database"
	"github.com/cairn-itdr/cairn/internal/typeid"
)

// accounts gives records the account that acted, and makes accounts that were
// not seen before.
type accounts struct {
	tx     *database.Tx
	tenant *ent.Tenant
	memory *memory
	now    func() time.Time
	made   map[string]bool // ids of accounts made in this batch
}

// accountPrefix is the type prefix of account ids (ent/schema/account.go).
const accountPrefix = "account"

// maxPrincipal is the longest name an account is known by: 64 characters, an
// at sign and 255 of a domain (RFC 5321, section 4.5.3.1).
const maxPrincipal = 320

// unknownUser is Entra's error for a name that no account has (AADSTS50034):
// guessing at names makes no accounts.
const unknownUser = 50034

// acts says whether a record was made by an account of the tenant.
func acts(a *activity.Activity) bool {
	return (a.Actor.Kind == activity.ActorUser || a.Actor.Kind == activity.ActorGuest) &&
		a.Actor.Principal != "" && len(a.Actor.Principal) <= maxPrincipal && a.ErrorCode != unknownUser
}

func (s *accounts) assign(ctx context.Context, batch []*activity.Activity) error {
	ids := map[string]string{}
	guests := guestsOf(batch)
	var missing []string
	for _, a := range batch {
		if !acts(a) {
			continue
		}
		principal := a.Actor.Principal
		if _, seen := ids[principal]; seen {
			continue
		}
		if id, guest, ok := s.recall(principal); ok && (guest || !guests[principal]) {
			ids[principal] = id
			continue
		}
		ids[principal] = ""
		missing = append(missing, principal)
	}
	slices.Sort(missing)
	for part := range slices.Chunk(missing, accountChunk) {
		if err := s.findOrMake(ctx, part, guests, ids); err != nil {
			return err
		}
	}
	for _, a := range batch {
		if acts(a) {
			a.AccountID = ids[a.Actor.Principal]
		}
	}
	return nil
}

// accountChunk is how many accounts one statement looks up or makes.
const accountChunk = 1000

// guestsOf returns the principals that a record calls guests. Not every record
// of a guest does; one is enough, so that their order does not matter.
func guestsOf(batch []*activity.Activity) map[string]bool {
	guests := map[string]bool{}
	for _, a := range batch {
		if acts(a) && a.Actor.Kind == activity.ActorGuest {
			guests[a.Actor.Principal] = true
		}
	}
	return guests
}

func (s *accounts) findOrMake(ctx context.Context, principals []string, guests map[string]bool, ids map[string]string) error {
	kinds, err := s.find(ctx, principals, ids)
	if err != nil {
		return err
	}
	var unseen, revealed []string
	for _, p := range principals {
		switch {
		case ids[p] == "":
			unseen = append(unseen, p)
			ids[p] = typeid.New(accountPrefix)
			s.made[ids[p]] = true
		case guests[p] && kinds[p] == account.KindMember:
			revealed = append(revealed, ids[p])
		}
	}
	if err := s.make(ctx, unseen, guests, ids); err != nil {
		return err
	}
	if len(revealed) > 0 {
		if err := s.tx.Client.Account.Update().Where(account.IDIn(revealed...)).SetKind(account.KindGuest).Exec(ctx); err != nil {
			return fmt.Errorf("note that accounts are guests: %w", err)
		}
	}
	for _, p := range principals {
		s.learn(p, ids[p], guests[p] || kinds[p] == account.KindGuest)
	}
	return nil
}

// find and make are written by hand: ent takes ten times as long for the
// thousands that a large tenant's first import brings, and PostgreSQL's
// planner takes the wrong index for a table that grows faster than its
// statistics, unless asked for one look-up a principal.
func (s *accounts) find(ctx context.Context, principals []string, ids map[string]string) (kinds map[string]account.Kind, err error) {
	var statement string
	args := []any{s.tenant.ID}
	if s.tx.Dialect() == database.Postgres {
		args = append(args, principals)
		statement = "SELECT w.principal, a.id, a.kind FROM unnest($2::text[]) AS w(principal) " +
			"CROSS JOIN LATERAL (SELECT id, kind FROM accounts WHERE tenant_id = $1 AND principal = w.principal LIMIT 1) AS a"
	} else {
		for _, p := range principals {
			args = append(args, p)
		}
		statement = "SELECT principal, id, kind FROM accounts WHERE tenant_id = ? AND principal IN (?" + strings.Repeat(",?", len(principals)-1) + ")"
	}
	rows, err := s.tx.SQL.QueryContext(ctx, statement, args...)
	if err != nil {
		return nil, fmt.Errorf("find accounts: %w", err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	kinds = map[string]account.Kind{}
	for rows.Next() {
		var principal, id string
		var kind account.Kind
		if err := rows.Scan(&principal, &id, &kind); err != nil {
			return nil, fmt.Errorf("find accounts: %w", err)
		}
		ids[principal], kinds[principal] = id, kind
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("find accounts: %w", err)
	}
	return kinds, nil
}

func (s *accounts) make(ctx context.Context, principals []string, guests map[string]bool, ids map[string]string) error {
	if len(principals) == 0 {
		return nil
	}
	args := make([]any, 0, 6*len(principals))
	for _, p := range principals {
		kind := account.KindMember
		if guests[p] {
			kind = account.KindGuest
		}
		args = append(args, ids[p], s.tenant.OrganizationID, s.tenant.ID, p, string(kind), s.now())
	}
	statement := "INSERT INTO accounts (id, organization_id, tenant_id, principal, kind, created_at) VALUES " + //nolint:gosec // every value is bound
		s.tx.Tuples(len(principals), 6)
	_, err := s.tx.SQL.ExecContext(ctx, statement, args...)
	if err != nil {
		return fmt.Errorf("make accounts: %w", err)
	}
	return nil
}

// Remembered of an account are a letter, which says whether it is known to be a
// guest, and its id.
const (
	rememberedMember = 'm'
	rememberedGuest  = 'g'
)

func (s *accounts) learn(principal, id string, guest bool) {
	letter := byte(rememberedMember)
	if guest {
		letter = rememberedGuest
	}
	s.memory.learn(s.memory.accountKey(principal), append([]byte{letter}, id...))
}

func (s *accounts) recall(principal string) (id string, guest, ok bool) {
	value, ok := s.memory.get(nil, s.memory.accountKey(principal))
	if !ok {
		return "", false, false
	}
	return string(value[1:]), value[0] == rememberedGuest, true
}
