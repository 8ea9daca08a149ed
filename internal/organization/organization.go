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
	q := s.db.Client().Organization.Query().Order(organization.ByCreatedAt(), organization.ByID())
	if wanted != "" {
		q.Where(organization.Or(organization.ID(wanted), organization.NameEqualFold(wanted)))
	}
	found, err := q.Limit(2).All(ctx)
	if err != nil {
		return nil, fmt.Errorf("find the organization: %w", err)
	}
	switch {
	case len(found) == 1:
		return found[0], nil
	case len(found) > 1:
		return nil, refusal.New(refusal.Invalid, nil, "there are several organizations: name one with --organization (its id, or its name where that is unique)")
	}
	some, err := s.db.Client().Organization.Query().Exist(ctx)
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
	var out *ent.Organization
	err = s.db.InTx(ctx, func(ctx context.Context, tx *database.Tx) (err error) {
		out, err = tx.Client.Organization.Create().SetName(name).SetCreatedAt(s.now()).Save(ctx)
		return err //nolint:wrapcheck // wrapped below
	})
	if err != nil {
		return nil, fmt.Errorf("make the first organization: %w", err)
	}
	return out, nil
}
