// Package tenant is the service for tenants: making, naming and finding them.
// Onboarding, health and pausing join it here.
package tenant

import (
	"context"
	"fmt"
	"strings"
	"time"
	"unicode"

	"github.com/google/uuid"

	"github.com/cairn-itdr/cairn/ent"
	"github.com/cairn-itdr/cairn/ent/tenant"
	"github.com/cairn-itdr/cairn/internal/access"
	"github.com/cairn-itdr/cairn/internal/audit"
	"github.com/cairn-itdr/cairn/internal/database"
	"github.com/cairn-itdr/cairn/internal/refusal"
	"github.com/cairn-itdr/cairn/internal/typeid"
)

// IDPrefix is the type prefix of tenant ids.
const IDPrefix = "tenant"

// maxName is the longest tenant name, in characters.
const maxName = 200

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
		out, err = s.create(ctx, tx, in)
		return err
	})
	return out, err
}

func (s *Service) create(ctx context.Context, tx *database.Tx, in Create) (*ent.Tenant, error) {
	scope, err := access.From(ctx)
	if err != nil {
		return nil, fmt.Errorf("create tenant: %w", err)
	}
	name, err := checkName(in.Name)
	if err != nil {
		return nil, err
	}
	create := tx.Client.Tenant.Create().
		SetOrganizationID(scope.OrganizationID).
		SetName(name).
		SetNameKey(nameKey(name)).
		SetCreatedAt(s.now())
	if in.MicrosoftTenantID != "" {
		id, err := CheckMicrosoftID(in.MicrosoftTenantID)
		if err != nil {
			return nil, err
		}
		if err := free(ctx, tx, id, ""); err != nil {
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
	err := s.db.InTx(ctx, func(ctx context.Context, tx *database.Tx) error {
		t, err := find(ctx, tx.Client, ref)
		if err != nil {
			return err
		}
		update := tx.Client.Tenant.UpdateOne(t)
		var changed []string
		if in.Name != nil {
			name, err := checkName(*in.Name)
			if err != nil {
				return err
			}
			if err := nameFree(ctx, tx, name, t.ID); err != nil {
				return err
			}
			update.SetName(name).SetNameKey(nameKey(name))
			changed = append(changed, "name: "+name)
		}
		if in.MicrosoftTenantID != nil {
			id, err := CheckMicrosoftID(*in.MicrosoftTenantID)
			if err != nil {
				return err
			}
			if t.MicrosoftTenantID != nil && *t.MicrosoftTenantID != id {
				return refusal.New(refusal.Conflict, []string{"microsoftTenantId"},
					"tenant %q is bound to the Microsoft tenant %s; make another tenant for %s", t.Name, *t.MicrosoftTenantID, id)
			}
			if err := free(ctx, tx, id, t.ID); err != nil {
				return err
			}
			update.SetMicrosoftTenantID(id)
			changed = append(changed, "microsoftTenantId: "+id)
		}
		if in.Sensitive != nil {
			update.SetSensitive(*in.Sensitive)
			changed = append(changed, fmt.Sprintf("sensitive: %t", *in.Sensitive))
		}
		out, err = update.Save(ctx)
		if ent.IsConstraintError(err) { // another process was quicker
			return refusal.New(refusal.Taken, nil, "another tenant has this name or this Microsoft tenant")
		}
		if err != nil {
			return fmt.Errorf("update tenant %s: %w", t.ID, err)
		}
		return audit.Write(ctx, tx, s.now(), audit.Entry{
			Action: "updateTenant", TenantID: t.ID, ObjectID: t.ID, Result: "OK", Detail: strings.Join(changed, ", "),
		})
	})
	return out, err
}

// Find returns the tenant ref names: Cairn's id or Microsoft's.
func (s *Service) Find(ctx context.Context, ref string) (*ent.Tenant, error) {
	return find(ctx, s.db.Client(), ref)
}

func find(ctx context.Context, client *ent.Client, ref string) (*ent.Tenant, error) {
	unknown := refusal.New(refusal.NotFound, nil, "no tenant has this id")
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

// ByName returns the tenant of that name (letter case ignored), made if need be.
func (s *Service) ByName(ctx context.Context, name string) (*ent.Tenant, error) {
	t, err := s.byName(ctx, name)
	if !ent.IsNotFound(err) {
		return t, err
	}
	t, err = s.Create(ctx, Create{Name: name})
	if refused := refusal.From(err); refused != nil && refused.Code == refusal.Taken { // made meanwhile
		return s.byName(ctx, name)
	}
	return t, err
}

func (s *Service) byName(ctx context.Context, name string) (*ent.Tenant, error) {
	t, err := s.db.Client().Tenant.Query().Where(tenant.NameKey(nameKey(name))).Only(ctx)
	if err != nil {
		return nil, fmt.Errorf("find tenant: %w", err)
	}
	return t, nil
}

// Bind ties a tenant that has no directory yet to one. Refusals as with Update.
func (s *Service) Bind(ctx context.Context, t *ent.Tenant, microsoftID string) (*ent.Tenant, error) {
	return s.Update(ctx, t.ID, Update{MicrosoftTenantID: &microsoftID})
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
	name = strings.TrimSpace(name)
	if name == "" {
		return "", refusal.New(refusal.Invalid, []string{"name"}, "a tenant needs a name")
	}
	if len([]rune(name)) > maxName {
		return "", refusal.New(refusal.Invalid, []string{"name"}, "a tenant's name has %d characters at most", maxName)
	}
	if strings.ContainsFunc(name, unicode.IsControl) {
		return "", refusal.New(refusal.Invalid, []string{"name"}, "a tenant's name has no control characters")
	}
	return name, nil
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

// free refuses a directory that another tenant holds. One of the same
// organization is named; whose another organization's is, nobody is told.
func free(ctx context.Context, tx *database.Tx, microsoftID, except string) error {
	holder := func() *ent.TenantQuery {
		return tx.Client.Tenant.Query().Where(tenant.MicrosoftTenantID(microsoftID), tenant.IDNEQ(except))
	}
	own, err := holder().Only(ctx)
	if err == nil {
		return refusal.New(refusal.Taken, []string{"microsoftTenantId"}, "the Microsoft tenant %s belongs to the tenant %q", microsoftID, own.Name)
	}
	if !ent.IsNotFound(err) {
		return fmt.Errorf("look for the Microsoft tenant: %w", err)
	}
	taken, err := holder().Exist(access.SystemAcrossOrganizations(ctx, "tenant ownership"))
	if err != nil {
		return fmt.Errorf("look for the Microsoft tenant: %w", err)
	}
	if taken {
		return refusal.New(refusal.Taken, []string{"microsoftTenantId"}, "the Microsoft tenant %s is in use by another tenant", microsoftID)
	}
	return nil
}
