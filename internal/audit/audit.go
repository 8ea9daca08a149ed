// Package audit writes who did what, on which tenant, from where, with which
// result. Entries are written in the transaction they speak of and are never
// changed.
package audit

import (
	"context"
	"fmt"
	"time"

	"github.com/cairn-itdr/cairn/internal/access"
	"github.com/cairn-itdr/cairn/internal/database"
)

// Entry is one thing done or refused.
type Entry struct {
	Action   string // as the API names it: updateIncident, importActivity …
	TenantID string // empty where no tenant is concerned
	ObjectID string
	Result   string // OK, or the code of the refusal; imports have more (package importer)
	Detail   string
}

// OK is the result of what was done as asked.
const OK = "OK"

type addressKey struct{}

// WithAddress notes where the calls made with ctx come from.
func WithAddress(ctx context.Context, address string) context.Context {
	return context.WithValue(ctx, addressKey{}, address)
}

// Address is where the calls made with ctx come from; empty for Cairn's own.
func Address(ctx context.Context) string {
	address, _ := ctx.Value(addressKey{}).(string)
	return address
}

// Write records e, done by the principal of ctx.
func Write(ctx context.Context, tx *database.Tx, now time.Time, e Entry) error {
	s, err := access.From(ctx)
	if err != nil {
		return fmt.Errorf("audit: %w", err)
	}
	create := tx.Client.AuditEntry.Create().
		SetOrganizationID(s.OrganizationID).
		SetAt(now).
		SetPrincipalKind(s.Principal.Kind).
		SetPrincipalID(s.Principal.ID).
		SetPrincipalName(s.Principal.Name).
		SetPrincipalStaff(s.Principal.Role.Staff()).
		SetAction(e.Action).
		SetObjectID(e.ObjectID).
		SetAddress(Address(ctx)).
		SetResult(e.Result).
		SetDetail(e.Detail)
	if e.TenantID != "" {
		create.SetTenantID(e.TenantID)
	}
	if err := create.Exec(ctx); err != nil {
		return fmt.Errorf("audit: %w", err)
	}
	return nil
}
