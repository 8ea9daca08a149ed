// Package organization makes and finds organizations (MSPs). One installation
// may hold several; the command line names one where there is a choice.
package organization

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/cairn-itdr/cairn/ent"
	"github.com/cairn-itdr/cairn/ent/organization"
	"github.com/cairn-itdr/cairn/internal/access"
	"github.com/cairn-itdr/cairn/internal/database"
	"github.com/cairn-itdr/cairn/internal/refusal"
)

// FirstName is the name of the organization an empty installation is given
// when nobody named one.
const FirstName = "My organization"

// Service makes and finds organizations.
type Service struct {
	db  *database.DB
	now func() time.Time
}

// New returns the service.
func New(db *database.DB, now func() time.Time) *Service { return &Service{db: db, now: now} }

// Resolve returns the organization that wanted names, by id or name. With
// wanted empty it returns the only one there is, and in an empty installation
// makes the first. It serves the command line of the machine's owner: its
// context needs no scope, and nothing that answers over the network calls it.
func (s *Service) Resolve(ctx context.Context, wanted string) (*ent.Organization, error) {
	ctx = access.SystemAcrossOrganizations(ctx, "command line")
	found, err := find(ctx, s.db.Client(), wanted)
	if err != nil || found != nil {
		return found, err
	}
	err = s.db.InTx(ctx, func(ctx context.Context, tx *database.Tx) error {
		if err := alone(ctx, tx); err != nil {
			return err
		}
		// Another process may have made it meanwhile.
		if found, err = find(ctx, tx.Client, wanted); err != nil || found != nil {
			return err
		}
		found, err = s.first(ctx, tx, wanted)
		return err
	})
	return found, err
}

// find returns the organization wanted, or nil where there is none.
func find(ctx context.Context, client *ent.Client, wanted string) (*ent.Organization, error) {
	q := client.Organization.Query()
	if wanted != "" {
		q.Where(organization.Or(organization.ID(wanted), organization.NameEqualFold(wanted)))
	}
	found, err := q.Limit(2).All(ctx)
	switch {
	case err != nil:
		return nil, fmt.Errorf("find the organization: %w", err)
	case len(found) > 1:
		return nil, refusal.New(refusal.Invalid, nil, "there are several organizations: name one with --organization (its id, or its name where that is unique)")
	case len(found) == 0:
		return nil, nil
	}
	return found[0], nil
}

// alone keeps others from making an organization until tx ends; on SQLite a
// transaction is alone anyway.
func alone(ctx context.Context, tx *database.Tx) error {
	if tx.Dialect() != database.Postgres {
		return nil
	}
	if _, err := tx.SQL.ExecContext(ctx, "LOCK TABLE organizations IN SHARE ROW EXCLUSIVE MODE"); err != nil {
		return fmt.Errorf("lock the organizations: %w", err)
	}
	return nil
}

// first makes the first organization of an empty installation.
func (s *Service) first(ctx context.Context, tx *database.Tx, wanted string) (*ent.Organization, error) {
	some, err := tx.Client.Organization.Query().Exist(ctx)
	if err != nil {
		return nil, fmt.Errorf("find the organization: %w", err)
	}
	if some {
		return nil, refusal.New(refusal.NotFound, nil, "no organization is named %q", wanted)
	}
	name := strings.TrimSpace(wanted)
	if name == "" {
		name = FirstName
	}
	out, err := tx.Client.Organization.Create().SetName(name).SetCreatedAt(s.now()).Save(ctx)
	if err != nil {
		return nil, fmt.Errorf("make the first organization: %w", err)
	}
	return out, nil
}
