package intake

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/cairn-itdr/cairn/ent"
	"github.com/cairn-itdr/cairn/ent/account"
	"github.com/cairn-itdr/cairn/internal/activity"
	"github.com/cairn-itdr/cairn/internal/database"
)

// accounts gives records the account that acted, and makes accounts that were
// not seen before.
type accounts struct {
	tx         *database.Tx
	tenant     *ent.Tenant
	cache      *cache
	generation uint64
	now        func() time.Time
}

// unknownUser is Entra's error for a name that no account has (AADSTS50034):
// guessing at names makes no accounts.
const unknownUser = 50034

// acts says whether a record was made by an account of the tenant.
func acts(a *activity.Activity) bool {
	return (a.Actor.Kind == activity.ActorUser || a.Actor.Kind == activity.ActorGuest) &&
		a.Actor.Principal != "" && a.ErrorCode != unknownUser
}

func (s *accounts) assign(ctx context.Context, batch []*activity.Activity) error {
	ids := map[string]string{}
	kinds := map[string]account.Kind{}
	var missing []string
	for _, a := range batch {
		if !acts(a) {
			continue
		}
		principal := a.Actor.Principal
		if _, seen := ids[principal]; seen {
			continue
		}
		if entry, ok := s.cache.get(s.key(principal)); ok {
			ids[principal] = entry.accountID
			continue
		}
		ids[principal] = ""
		kinds[principal] = kindOf(a)
		missing = append(missing, principal)
	}
	slices.Sort(missing)
	for part := range slices.Chunk(missing, accountChunk) {
		if err := s.findOrMake(ctx, part, kinds, ids); err != nil {
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

func (s *accounts) findOrMake(ctx context.Context, principals []string, kinds map[string]account.Kind, ids map[string]string) error {
	stored, err := s.tx.Client.Account.Query().
		Where(account.TenantID(s.tenant.ID), account.PrincipalIn(principals...)).
		Select(account.FieldID, account.FieldPrincipal).
		All(ctx)
	if err != nil {
		return fmt.Errorf("find accounts: %w", err)
	}
	for _, a := range stored {
		ids[a.Principal] = a.ID
	}
	var create []*ent.AccountCreate
	for _, p := range principals {
		if ids[p] == "" {
			create = append(create, s.tx.Client.Account.Create().
				SetOrganizationID(s.tenant.OrganizationID).SetTenantID(s.tenant.ID).
				SetPrincipal(p).SetKind(kinds[p]).SetCreatedAt(s.now()))
		}
	}
	if len(create) > 0 {
		made, err := s.tx.Client.Account.CreateBulk(create...).Save(ctx)
		if err != nil {
			return fmt.Errorf("make accounts: %w", err)
		}
		for _, a := range made {
			ids[a.Principal] = a.ID
		}
	}
	for _, p := range principals {
		s.cache.put(cacheEntry{key: s.key(p), accountID: ids[p]})
	}
	return nil
}

func (s *accounts) key(principal string) cacheKey {
	return cacheKey{tenant: s.tenant.ID, generation: s.generation, principal: principal}
}

func kindOf(a *activity.Activity) account.Kind {
	if a.Actor.Kind == activity.ActorGuest {
		return account.KindGuest
	}
	return account.KindMember
}
