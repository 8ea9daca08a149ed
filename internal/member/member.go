// Package member is the service for people's places in an organization:
// invitations, roles, sign-in links and sessions.
//
// What may not live here: HTTP and pages (package signin), and what a role may
// do (package access).
package member

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/cairn-itdr/cairn/ent"
	"github.com/cairn-itdr/cairn/ent/member"
	"github.com/cairn-itdr/cairn/ent/predicate"
	"github.com/cairn-itdr/cairn/ent/session"
	"github.com/cairn-itdr/cairn/internal/access"
	"github.com/cairn-itdr/cairn/internal/audit"
	"github.com/cairn-itdr/cairn/internal/database"
	"github.com/cairn-itdr/cairn/internal/grant"
	"github.com/cairn-itdr/cairn/internal/mail"
	"github.com/cairn-itdr/cairn/internal/refusal"
)

// The type prefixes of ids.
const (
	IDPrefix           = "member"
	InvitationIDPrefix = "invitation"
	SessionIDPrefix    = "session"
)

// Mailer sends a mail; an error says why it was not taken.
type Mailer interface {
	Send(ctx context.Context, m mail.Message) error
}

// Service invites members, changes and removes them, and lets them in.
type Service struct {
	db   *database.DB
	mail Mailer
	// link makes the address of a page of Cairn's from its path.
	link func(path string) string
	now  func() time.Time
}

// New returns the service.
func New(db *database.DB, mailer Mailer, link func(path string) string, now func() time.Time) *Service {
	return &Service{db: db, mail: mailer, link: link, now: now}
}

// Place is what a member is, or is to be, in an organization.
type Place struct {
	Role        access.Role
	Flags       []access.Flag
	Tenants     []string // ids, Cairn's or Microsoft's, for roles that see assigned tenants alone
	AccessUntil *time.Time
}

// check refuses a place that makes no sense or exceeds the granting scope.
func (s *Service) check(scope access.Scope, p Place) error {
	if err := grant.Check(scope, access.PrincipalMember, access.Grant{Role: p.Role, Flags: p.Flags}, len(p.Tenants)); err != nil {
		return err
	}
	if p.AccessUntil != nil && !p.AccessUntil.After(s.now()) {
		return refusal.New(refusal.Invalid, []string{"accessUntil"}, "access can't end in the past: remove the member instead")
	}
	return nil
}

// address returns the address as it is stored, or a refusal.
func address(email string) (string, error) {
	a, err := mail.Address(email)
	if err != nil {
		return "", refusal.New(refusal.Invalid, []string{"email"}, "%v", err)
	}
	return a, nil
}

// active are the members who may sign in at a moment.
func active(now time.Time) predicate.Member {
	return member.And(member.RemovedAtIsNil(), member.Or(member.AccessUntilIsNil(), member.AccessUntilGT(now)))
}

// Create makes a member at once and returns a link that lets it in once, for
// the command line of the machine's owner. An existing member of the address
// is not changed, and gets another link. Refusals: INVALID, NOT_FOUND.
func (s *Service) Create(ctx context.Context, email, name string, p Place) (*ent.Member, string, error) {
	email, err := address(email)
	if err != nil {
		return nil, "", err
	}
	scope, err := access.From(ctx)
	if err != nil {
		return nil, "", fmt.Errorf("create member: %w", err)
	}
	if err := s.check(scope, p); err != nil {
		return nil, "", err
	}
	var out *ent.Member
	var secret string
	err = s.db.InTx(ctx, func(ctx context.Context, tx *database.Tx) error {
		out, err = tx.Client.Member.Query().Where(member.Email(email), member.RemovedAtIsNil()).Only(ctx)
		if ent.IsNotFound(err) {
			out, err = s.create(ctx, tx, email, name, p)
		}
		if err != nil {
			return fmt.Errorf("create member: %w", err)
		}
		if out.AccessUntil != nil && !out.AccessUntil.After(s.now()) {
			return refusal.New(refusal.Conflict, nil, "the access of %s has ended: change it first", email)
		}
		secret, err = s.makeLink(ctx, tx, out, nil, "")
		return err
	})
	if err != nil {
		return nil, "", err
	}
	return out, s.link(linkPath + secret), nil
}

// create makes the row of a member in a transaction.
func (s *Service) create(ctx context.Context, tx *database.Tx, email, name string, p Place) (*ent.Member, error) {
	scope, err := access.From(ctx)
	if err != nil {
		return nil, err
	}
	out, err := tx.Client.Member.Create().SetOrganizationID(scope.OrganizationID).SetEmail(email).SetName(name).
		SetRole(p.Role).SetIsReadOnly(grant.Has(p.Flags, access.FlagReadOnly)).
		SetCanManageTenants(grant.Has(p.Flags, access.FlagManageTenants)).
		SetCanViewSensitiveTenants(grant.Has(p.Flags, access.FlagViewSensitive)).
		SetNillableAccessUntil(p.AccessUntil).SetCreatedAt(s.now()).Save(ctx)
	if err != nil {
		return nil, fmt.Errorf("create member: %w", err)
	}
	tenants, err := grant.Assign(ctx, tx, out.ID, p.Tenants)
	if err != nil {
		return nil, err
	}
	return out, audit.Write(ctx, tx, s.now(), audit.Entry{
		Action: "createMember", ObjectID: out.ID, Result: audit.OK, Detail: email + ": " + grant.Describe(p.Role, p.Flags, tenants),
	})
}

// Update changes a member's place; it holds from the member's next request on.
// Refusals: NOT_FOUND, INVALID, and CONFLICT for the last Admin.
func (s *Service) Update(ctx context.Context, id string, p Place) (*ent.Member, error) {
	scope, err := access.From(ctx)
	if err != nil {
		return nil, fmt.Errorf("update member: %w", err)
	}
	if err := s.check(scope, p); err != nil {
		return nil, err
	}
	var out *ent.Member
	err = s.db.InTx(ctx, func(ctx context.Context, tx *database.Tx) error {
		m, err := s.find(ctx, tx, id)
		if err != nil {
			return err
		}
		if m.Role == access.RoleAdmin && (p.Role != access.RoleAdmin || p.AccessUntil != nil) {
			if err := s.anotherAdmin(ctx, tx, m); err != nil {
				return err
			}
		}
		update := tx.Client.Member.UpdateOne(m).SetRole(p.Role).SetIsReadOnly(grant.Has(p.Flags, access.FlagReadOnly)).
			SetCanManageTenants(grant.Has(p.Flags, access.FlagManageTenants)).
			SetCanViewSensitiveTenants(grant.Has(p.Flags, access.FlagViewSensitive)).ClearAccessUntil()
		if p.AccessUntil != nil {
			update.SetAccessUntil(*p.AccessUntil)
		}
		if out, err = update.Save(ctx); err != nil {
			return fmt.Errorf("update member %s: %w", id, err)
		}
		tenants, err := grant.Assign(ctx, tx, id, p.Tenants)
		if err != nil {
			return err
		}
		return audit.Write(ctx, tx, s.now(), audit.Entry{
			Action: "updateMember", ObjectID: id, Result: audit.OK, Detail: m.Email + ": " + grant.Describe(p.Role, p.Flags, tenants),
		})
	})
	return out, err
}

// Remove ends a member's access and sessions at once, and stops the keys it
// made. Refusals: NOT_FOUND, and CONFLICT for the last Admin.
func (s *Service) Remove(ctx context.Context, id string) (*ent.Member, error) {
	var out *ent.Member
	err := s.db.InTx(ctx, func(ctx context.Context, tx *database.Tx) error {
		m, err := s.find(ctx, tx, id)
		if err != nil {
			return err
		}
		if m.Role == access.RoleAdmin {
			if err := s.anotherAdmin(ctx, tx, m); err != nil {
				return err
			}
		}
		if out, err = tx.Client.Member.UpdateOne(m).SetRemovedAt(s.now()).Save(ctx); err != nil {
			return fmt.Errorf("remove member %s: %w", id, err)
		}
		system := access.System(ctx, "removal of a member", m.OrganizationID)
		err = tx.Client.Session.Update().Where(session.MemberID(id), session.EndedAtIsNil()).SetEndedAt(s.now()).Exec(system)
		if err != nil {
			return fmt.Errorf("end the sessions of %s: %w", id, err)
		}
		if _, err := grant.Assign(ctx, tx, id, nil); err != nil {
			return err
		}
		return audit.Write(ctx, tx, s.now(), audit.Entry{Action: "removeMember", ObjectID: id, Result: audit.OK, Detail: m.Email})
	})
	return out, err
}

func (s *Service) find(ctx context.Context, tx *database.Tx, id string) (*ent.Member, error) {
	m, err := tx.Client.Member.Query().Where(member.ID(id), member.RemovedAtIsNil()).Only(ctx)
	if ent.IsNotFound(err) {
		return nil, refusal.New(refusal.NotFound, []string{"id"}, "no member has this id")
	}
	if err != nil {
		return nil, fmt.Errorf("find member: %w", err)
	}
	return m, nil
}

// anotherAdmin refuses what would leave an organization without an Admin whose
// access has no end. Two such changes at once follow each other.
func (s *Service) anotherAdmin(ctx context.Context, tx *database.Tx, m *ent.Member) error {
	if tx.Dialect() == database.Postgres {
		if _, err := tx.SQL.ExecContext(ctx, "SELECT 1 FROM organizations WHERE id = $1 FOR UPDATE", m.OrganizationID); err != nil {
			return fmt.Errorf("lock the organization: %w", err)
		}
	}
	others, err := tx.Client.Member.Query().Where(
		member.IDNEQ(m.ID), member.RoleEQ(access.RoleAdmin), member.RemovedAtIsNil(), member.AccessUntilIsNil(),
	).Exist(ctx)
	if err != nil {
		return fmt.Errorf("look for another Admin: %w", err)
	}
	if !others {
		return refusal.New(refusal.Conflict, nil, "%s is the last Admin: make another member Admin first", m.Email)
	}
	return nil
}

// PlaceOf returns a member's place, its tenants by id.
func PlaceOf(m *ent.Member, tenants []string) Place {
	return Place{
		Role: m.Role, Flags: grant.Flags(m.IsReadOnly, m.CanManageTenants, m.CanViewSensitiveTenants),
		Tenants: slices.Clone(tenants), AccessUntil: m.AccessUntil,
	}
}

// newSecret returns a secret that can't be guessed, and what is stored of it.
func newSecret() (secret string, hash []byte) {
	random := make([]byte, 32)
	rand.Read(random) // crashes rather than fails
	secret = base64.RawURLEncoding.EncodeToString(random)
	return secret, digest(secret)
}

func digest(secret string) []byte {
	sum := sha256.Sum256([]byte(secret))
	return sum[:]
}

// wellFormed says whether a text can be a secret: others need no look-up.
func wellFormed(secret string) bool {
	raw, err := base64.RawURLEncoding.DecodeString(strings.TrimSpace(secret))
	return err == nil && len(raw) == 32
}
