// Package organization makes and finds organizations (MSPs). One installation
// may hold several; the command line names one where there is a choice.
package organization

import (
	"cmp"
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/cairn-itdr/cairn/ent"
	"github.com/cairn-itdr/cairn/ent/organization"
	"github.com/cairn-itdr/cairn/internal/access"
	"github.com/cairn-itdr/cairn/internal/audit"
	"github.com/cairn-itdr/cairn/internal/database"
	"github.com/cairn-itdr/cairn/internal/naming"
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
// makes the first. Refusals name what there is (NOT_FOUND, INVALID where the
// choice is open). It serves the command line of the machine's owner: its
// context needs no scope, and nothing that answers over the network calls it.
func (s *Service) Resolve(ctx context.Context, wanted string) (*ent.Organization, error) {
	wanted, err := naming.Check("an organization", wanted)
	if err != nil {
		return nil, err
	}
	ctx = access.SystemAcrossOrganizations(ctx, duty)
	all, err := list(ctx, s.db.Client())
	if err != nil {
		return nil, err
	}
	if len(all) > 0 {
		return choose(all, wanted)
	}
	var out *ent.Organization
	err = s.db.InTx(ctx, func(ctx context.Context, tx *database.Tx) error {
		if err := alone(ctx, tx); err != nil {
			return err
		}
		all, err := list(ctx, tx.Client)
		if err != nil {
			return err
		}
		if len(all) > 0 { // another process has made it meanwhile
			out, err = choose(all, wanted)
			return err
		}
		out, err = s.create(ctx, tx, cmp.Or(wanted, FirstName))
		return err
	})
	return out, err
}

// Create makes another organization. Refusals: a name that can't be one
// (INVALID), or that another organization has, letter case ignored (TAKEN).
// Whom it serves is as with Resolve.
func (s *Service) Create(ctx context.Context, name string) (*ent.Organization, error) {
	name, err := naming.Check("an organization", name)
	if err != nil {
		return nil, err
	}
	if name == "" {
		return nil, refusal.New(refusal.Invalid, []string{"name"}, "an organization needs a name")
	}
	ctx = access.SystemAcrossOrganizations(ctx, duty)
	var out *ent.Organization
	err = s.db.InTx(ctx, func(ctx context.Context, tx *database.Tx) error {
		if err := alone(ctx, tx); err != nil {
			return err
		}
		all, err := list(ctx, tx.Client)
		if err != nil {
			return err
		}
		for _, o := range all {
			if is(o, name) {
				return refusal.New(refusal.Taken, []string{"name"}, "there is an organization of that name already: %s", described(o))
			}
		}
		out, err = s.create(ctx, tx, name)
		return err
	})
	return out, err
}

// duty is what organizations are made and found for, in the audit log.
const duty = "command line"

func list(ctx context.Context, client *ent.Client) ([]*ent.Organization, error) {
	all, err := client.Organization.Query().Order(organization.ByID()).All(ctx)
	if err != nil {
		return nil, fmt.Errorf("find the organizations: %w", err)
	}
	return all, nil
}

func is(o *ent.Organization, wanted string) bool {
	return o.ID == wanted || strings.EqualFold(o.Name, wanted)
}

// choose returns the one of all that wanted names, or the only one.
func choose(all []*ent.Organization, wanted string) (*ent.Organization, error) {
	fitting := all
	if wanted != "" {
		fitting = nil
		for _, o := range all {
			if is(o, wanted) {
				fitting = append(fitting, o)
			}
		}
	}
	switch {
	case len(fitting) == 1:
		return fitting[0], nil
	case len(fitting) > 1:
		return nil, refusal.New(refusal.Invalid, nil,
			"name one of the organizations %s with --organization (its id, or its name where that is unique)", described(fitting...))
	}
	return nil, refusal.New(refusal.NotFound, nil,
		"no organization is named %q; there is %s. cairn admin create-organization makes another", wanted, described(all...))
}

// maxDescribed is how many organizations a message names.
const maxDescribed = 10

func described(all ...*ent.Organization) string {
	var names []string
	for i, o := range all {
		if i == maxDescribed {
			names = append(names, fmt.Sprintf("and %d more", len(all)-i))
			break
		}
		names = append(names, fmt.Sprintf("%q (%s)", o.Name, o.ID))
	}
	return strings.Join(names, ", ")
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

func (s *Service) create(ctx context.Context, tx *database.Tx, name string) (*ent.Organization, error) {
	out, err := tx.Client.Organization.Create().SetName(name).SetCreatedAt(s.now()).Save(ctx)
	if err != nil {
		return nil, fmt.Errorf("make the organization %q: %w", name, err)
	}
	return out, audit.Write(access.System(ctx, duty, out.ID), tx, s.now(), audit.Entry{
		Action: "createOrganization", ObjectID: out.ID, Result: "OK", Detail: name,
	})
}
