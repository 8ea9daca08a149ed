// Package tenant is the service for tenants: making, naming and finding them.
// Onboarding, health and pausing join it here.
package tenant

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/cairn-itdr/cairn/ent"
	"github.com/cairn-itdr/cairn/ent/tenant"
	"github.com/cairn-itdr/cairn/internal/access"
	"github.com/cairn-itdr/cairn/internal/audit"
	"github.com/cairn-itdr/cairn/internal/database"
	"github.com/cairn-itdr/cairn/internal/naming"
	"github.com/cairn-itdr/cairn/internal/refusal"
	"github.com/cairn-itdr/cairn/internal/typeid"
)

// IDPrefix is the type prefix of tenant ids.
const IDPrefix = "tenant"

// Service makes and changes tenants.
type Service struct {
	db  *database.DB
	now func() time.Time
}

// New returns the service.
func New(db *database.DB, now func() time.Time) *Service { return &Service{db: db, now: now} }

// Create is what a new tenant needs.
type Create struct {
	Name              string
	MicrosoftTenantID string // GUID; empty where not known yet
}

// Create makes a tenant. Refusals: an empty or overlong name, a malformed
// Microsoft tenant id (INVALID), a name or Microsoft tenant in use (TAKEN).
func (s *Service) Create(ctx context.Context, in Create) (*ent.Tenant, error) {
	var out *ent.Tenant
	err := s.db.InTx(ctx, func(ctx context.Context, tx *database.Tx) (err error) {
		out, err = s.create(ctx, tx, typeid.New(IDPrefix), in)
		return err
	})
	return out, err
}

func (s *Service) create(ctx context.Context, tx *database.Tx, id string, in Create) (*ent.Tenant, error) {
	scope, err := access.From(ctx)
	if err != nil {
		return nil, fmt.Errorf("create tenant: %w", err)
	}
	name, err := checkName(in.Name)
	if err != nil {
		return nil, err
	}
	create := tx.Client.Tenant.Create().
		SetID(id).
		SetOrganizationID(scope.OrganizationID).
		SetName(name).
		SetNameKey(nameKey(name)).
		SetCreatedAt(s.now())
	if in.MicrosoftTenantID != "" {
		id, err := CheckMicrosoftID(in.MicrosoftTenantID)
		if err != nil {
			return nil, err
		}
		if err := free(ctx, tx.Client, id, ""); err != nil {
			return nil, err
		}
		create.SetMicrosoftTenantID(id)
	}
	if err := nameFree(ctx, tx, name, ""); err != nil {
		return nil, err
	}
	out, err := create.Save(ctx)
	if ent.IsConstraintError(err) { // another process was quicker
		return nil, refusal.New(refusal.Taken, nil, "another tenant has this name or this Microsoft tenant")
	}
	if err != nil {
		return nil, fmt.Errorf("create tenant: %w", err)
	}
	return out, audit.Write(ctx, tx, s.now(), audit.Entry{Action: "createTenant", TenantID: out.ID, ObjectID: out.ID, Result: "OK", Detail: name})
}

// Update is what is to change; nil leaves a thing as it is.
type Update struct {
	Name              *string
	MicrosoftTenantID *string
	Sensitive         *bool
}

// Update changes the tenant ref names (Cairn's id or Microsoft's). Refusals as
// with Create, and CONFLICT for a tenant bound to another directory already.
func (s *Service) Update(ctx context.Context, ref string, in Update) (*ent.Tenant, error) {
	var out *ent.Tenant
	err := s.db.InTx(ctx, func(ctx context.Context, tx *database.Tx) (err error) {
		out, err = s.update(ctx, tx, ref, in)
		return err
	})
	return out, err
}

func (s *Service) update(ctx context.Context, tx *database.Tx, ref string, in Update) (*ent.Tenant, error) {
	t, err := find(ctx, tx.Client, ref)
	if err != nil {
		return nil, err
	}
	update := tx.Client.Tenant.UpdateOne(t)
	var changed []string
	if in.Name != nil {
		name, err := checkName(*in.Name)
		if err != nil {
			return nil, err
		}
		if err := nameFree(ctx, tx, name, t.ID); err != nil {
			return nil, err
		}
		update.SetName(name).SetNameKey(nameKey(name))
		changed = append(changed, "name: "+name)
	}
	if in.MicrosoftTenantID != nil {
		id, err := CheckMicrosoftID(*in.MicrosoftTenantID)
		if err != nil {
			return nil, err
		}
		if t.MicrosoftTenantID != nil && *t.MicrosoftTenantID != id {
			return nil, refusal.New(refusal.Conflict, []string{"microsoftTenantId"},
				"tenant %q is bound to the Microsoft tenant %s; make another tenant for %s", t.Name, *t.MicrosoftTenantID, id)
		}
		if err := free(ctx, tx.Client, id, t.ID); err != nil {
			return nil, err
		}
		// Another process may be binding it elsewhere at this moment.
		update.Where(tenant.Or(tenant.MicrosoftTenantIDIsNil(), tenant.MicrosoftTenantID(id))).SetMicrosoftTenantID(id)
		changed = append(changed, "microsoftTenantId: "+id)
	}
	if in.Sensitive != nil {
		update.SetSensitive(*in.Sensitive)
		changed = append(changed, fmt.Sprintf("sensitive: %t", *in.Sensitive))
	}
	out, err := update.Save(ctx)
	switch {
	case ent.IsConstraintError(err): // another process was quicker
		return nil, refusal.New(refusal.Taken, nil, "another tenant has this name or this Microsoft tenant")
	case ent.IsNotFound(err):
		return nil, refusal.New(refusal.Conflict, nil, "tenant %q was bound to another Microsoft tenant at this moment", t.Name)
	case err != nil:
		return nil, fmt.Errorf("update tenant %s: %w", t.ID, err)
	}
	return out, audit.Write(ctx, tx, s.now(), audit.Entry{
		Action: "updateTenant", TenantID: t.ID, ObjectID: t.ID, Result: "OK", Detail: strings.Join(changed, ", "),
	})
}

// Find returns the tenant ref names: Cairn's id or Microsoft's.
func (s *Service) Find(ctx context.Context, ref string) (*ent.Tenant, error) {
	return find(ctx, s.db.Client(), ref)
}

func find(ctx context.Context, client *ent.Client, ref string) (*ent.Tenant, error) {
	unknown := refusal.New(refusal.NotFound, []string{"id"}, "no tenant has this id")
	q := client.Tenant.Query()
	if typeid.Check(IDPrefix, ref) == nil {
		q.Where(tenant.ID(ref))
	} else if id, err := uuid.Parse(ref); err == nil {
		q.Where(tenant.MicrosoftTenantID(id.String()))
	} else {
		return nil, unknown
	}
	t, err := q.Only(ctx)
	if ent.IsNotFound(err) {
		return nil, unknown
	}
	if err != nil {
		return nil, fmt.Errorf("find tenant: %w", err)
	}
	return t, nil
}

// ByName returns the tenant of that name, letter case ignored: the stored one,
// or else a draft, which has its id and is stored by Settle. The one refusal is
// for what can be no name (INVALID).
func (s *Service) ByName(ctx context.Context, name string) (*ent.Tenant, error) {
	name, err := checkName(name)
	if err != nil {
		return nil, err
	}
	scope, err := access.From(ctx)
	if err != nil {
		return nil, fmt.Errorf("find tenant: %w", err)
	}
	t, err := s.db.Client().Tenant.Query().Where(tenant.NameKey(nameKey(name))).Only(ctx)
	if ent.IsNotFound(err) {
		return &ent.Tenant{ID: typeid.New(IDPrefix), OrganizationID: scope.OrganizationID, Name: name}, nil
	}
	if err != nil {
		return nil, fmt.Errorf("find tenant: %w", err)
	}
	return t, nil
}

// Stored says of a tenant that ByName gave whether it is more than a draft.
func Stored(t *ent.Tenant) bool { return !t.CreatedAt.IsZero() }

// Settle stores a draft, bound to the Microsoft tenant given, or binds a stored
// tenant to it, within tx; empty binds to none. Refusals as with Create and
// Update: TAKEN for a draft whose name another process has stored meanwhile.
func (s *Service) Settle(ctx context.Context, tx *database.Tx, t *ent.Tenant, microsoftID string) (*ent.Tenant, error) {
	switch {
	case !Stored(t):
		return s.create(ctx, tx, t.ID, Create{Name: t.Name, MicrosoftTenantID: microsoftID})
	case microsoftID == "", t.MicrosoftTenantID != nil && *t.MicrosoftTenantID == microsoftID:
		return t, nil
	}
	return s.update(ctx, tx, t.ID, Update{MicrosoftTenantID: &microsoftID})
}

// Free refuses (TAKEN) a Microsoft tenant that belongs to another than t. For a
// draft, a tenant that has been stored meanwhile under its name is no other.
func (s *Service) Free(ctx context.Context, t *ent.Tenant, microsoftID string) error {
	err := free(ctx, s.db.Client(), microsoftID, t.ID)
	if refusal.From(err) == nil || Stored(t) {
		return err
	}
	now, lookErr := s.ByName(ctx, t.Name)
	if lookErr != nil || now.MicrosoftTenantID == nil || *now.MicrosoftTenantID != microsoftID {
		return errors.Join(lookErr, err)
	}
	return nil
}

// CheckMicrosoftID returns a Microsoft tenant id as it is stored, or a refusal.
func CheckMicrosoftID(s string) (string, error) {
	id, err := uuid.Parse(strings.TrimSpace(s))
	if err != nil || id == uuid.Nil {
		return "", refusal.New(refusal.Invalid, []string{"microsoftTenantId"},
			"a Microsoft tenant id is a GUID like 0f3c6a4e-1b2d-4c5e-8f90-123456789abc (Entra admin center, Overview, Tenant ID)")
	}
	return id.String(), nil
}

func checkName(name string) (string, error) {
	name, err := naming.Check("a tenant", name)
	if err == nil && name == "" {
		err = refusal.New(refusal.Invalid, []string{"name"}, "a tenant needs a name")
	}
	return name, err
}

func nameKey(name string) string { return strings.ToLower(strings.TrimSpace(name)) }

func nameFree(ctx context.Context, tx *database.Tx, name, except string) error {
	taken, err := tx.Client.Tenant.Query().Where(tenant.NameKey(nameKey(name)), tenant.IDNEQ(except)).Exist(ctx)
	if err != nil {
		return fmt.Errorf("look for the name: %w", err)
	}
	if taken {
		return refusal.New(refusal.Taken, []string{"name"}, "another tenant is named %q", name)
	}
	return nil
}

// free refuses a directory that another tenant of the organization holds. What
// other organizations hold is nobody's business here: who may watch a directory
// its own consent decides.
func free(ctx context.Context, client *ent.Client, microsoftID, except string) error {
	own, err := client.Tenant.Query().Where(tenant.MicrosoftTenantID(microsoftID), tenant.IDNEQ(except)).Only(ctx)
	if err == nil {
		return refusal.New(refusal.Taken, []string{"microsoftTenantId"}, "the Microsoft tenant %s belongs to the tenant %q", microsoftID, own.Name)
	}
	if !ent.IsNotFound(err) {
		return fmt.Errorf("look for the Microsoft tenant: %w", err)
	}
	return nil
}
