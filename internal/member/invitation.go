package member

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/cairn-itdr/cairn/ent"
	"github.com/cairn-itdr/cairn/ent/invitation"
	"github.com/cairn-itdr/cairn/ent/member"
	"github.com/cairn-itdr/cairn/ent/predicate"
	"github.com/cairn-itdr/cairn/internal/access"
	"github.com/cairn-itdr/cairn/internal/audit"
	"github.com/cairn-itdr/cairn/internal/database"
	"github.com/cairn-itdr/cairn/internal/grant"
	"github.com/cairn-itdr/cairn/internal/mail"
	"github.com/cairn-itdr/cairn/internal/naming"
	"github.com/cairn-itdr/cairn/internal/refusal"
)

// How long an invitation may be accepted.
const (
	invitationDefault = 7 * 24 * time.Hour
	invitationLongest = 30 * 24 * time.Hour
)

// The paths of the pages that links lead to (package signin).
const (
	linkPath       = "/signin/link?token="
	invitationPath = "/signin/invitation?token="
)

// Invite offers somebody a place in the scope's organization and mails a link
// to it. Where the mail can't be sent the invitation says why, and may be sent
// again. Refusals: INVALID, NOT_FOUND, TAKEN for an address that is a member's
// or has an open invitation.
func (s *Service) Invite(ctx context.Context, email string, p Place, expiresAt *time.Time) (*ent.Invitation, error) {
	email, err := address(email)
	if err != nil {
		return nil, err
	}
	scope, err := access.From(ctx)
	if err != nil {
		return nil, fmt.Errorf("invite: %w", err)
	}
	if err := s.check(scope, p); err != nil {
		return nil, err
	}
	until := s.now().Add(invitationDefault)
	if expiresAt != nil {
		until = *expiresAt
	}
	if !until.After(s.now()) || until.After(s.now().Add(invitationLongest)) {
		return nil, refusal.New(refusal.Invalid, []string{"expiresAt"}, "an invitation may be accepted for %d days at most, and not in the past", int(invitationLongest.Hours()/24))
	}
	secret, hash := newSecret()
	var out *ent.Invitation
	err = s.db.InTx(ctx, func(ctx context.Context, tx *database.Tx) error {
		if err := s.free(ctx, tx, email); err != nil {
			return err
		}
		out, err = tx.Client.Invitation.Create().SetOrganizationID(scope.OrganizationID).SetEmail(email).
			SetRole(p.Role).SetIsReadOnly(grant.Has(p.Flags, access.FlagReadOnly)).
			SetCanManageTenants(grant.Has(p.Flags, access.FlagManageTenants)).
			SetCanViewSensitiveTenants(grant.Has(p.Flags, access.FlagViewSensitive)).SetNillableAccessUntil(p.AccessUntil).
			SetHash(hash).SetInvitedBy(scope.Principal.Name).SetCreatedAt(s.now()).SetExpiresAt(until).Save(ctx)
		if err != nil {
			return fmt.Errorf("invite: %w", err)
		}
		tenants, err := grant.Assign(ctx, tx, out.ID, p.Tenants)
		if err != nil {
			return err
		}
		return audit.Write(ctx, tx, s.now(), audit.Entry{
			Action: "inviteMember", ObjectID: out.ID, Result: audit.OK, Detail: email + ": " + grant.Describe(p.Role, p.Flags, tenants),
		})
	})
	if err != nil {
		return nil, err
	}
	return s.sendInvitation(ctx, out, secret)
}

func (s *Service) free(ctx context.Context, tx *database.Tx, email string) error {
	taken, err := tx.Client.Member.Query().Where(member.Email(email), member.RemovedAtIsNil()).Exist(ctx)
	if err != nil {
		return fmt.Errorf("look for the member: %w", err)
	}
	if taken {
		return refusal.New(refusal.Taken, []string{"email"}, "%s is a member already: change the member instead", email)
	}
	open, err := tx.Client.Invitation.Query().Where(invitation.Email(email), s.open()).Exist(ctx)
	if err != nil {
		return fmt.Errorf("look for an invitation: %w", err)
	}
	if open {
		return refusal.New(refusal.Taken, []string{"email"}, "%s has an open invitation: send it again, or revoke it first", email)
	}
	return nil
}

// open narrows to invitations that can be accepted.
func (s *Service) open() predicate.Invitation {
	return invitation.And(invitation.AcceptedAtIsNil(), invitation.RevokedAtIsNil(), invitation.ExpiresAtGT(s.now()))
}

// sendInvitation mails the link and notes what came of it.
func (s *Service) sendInvitation(ctx context.Context, i *ent.Invitation, secret string) (*ent.Invitation, error) {
	o, err := s.db.Client().Organization.Get(access.System(ctx, "invitation", i.OrganizationID), i.OrganizationID)
	if err != nil {
		return nil, fmt.Errorf("read the organization: %w", err)
	}
	sendErr := s.mail.Send(ctx, mail.Message{
		To: i.Email, Subject: "Your invitation to " + o.Name,
		Text: fmt.Sprintf("%s invites you to %s in Cairn, which watches Microsoft 365 accounts for compromise.\n\n"+
			"Accept until %s UTC:\n\n%s\n\nThe link works once. If you did not expect this, ignore it.\n",
			i.InvitedBy, o.Name, i.ExpiresAt.UTC().Format("2 January 2006, 15:04"), s.link(invitationPath+secret)),
	})
	err = s.db.InTx(ctx, func(ctx context.Context, tx *database.Tx) error {
		update := tx.Client.Invitation.UpdateOne(i)
		if sendErr != nil {
			update.SetSendError(sendErr.Error())
		} else {
			update.SetSendError("").SetSentAt(s.now())
		}
		i, err = update.Save(ctx)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("note that the invitation was sent: %w", err)
	}
	return i, nil
}

// Resend mails an open or lapsed invitation again, with a new link; the old one
// works no more. Refusals: NOT_FOUND, CONFLICT.
func (s *Service) Resend(ctx context.Context, id string) (*ent.Invitation, error) {
	secret, hash := newSecret()
	var out *ent.Invitation
	err := s.db.InTx(ctx, func(ctx context.Context, tx *database.Tx) error {
		i, err := s.findInvitation(ctx, tx, id)
		if err != nil {
			return err
		}
		until := s.now().Add(invitationDefault)
		if i.ExpiresAt.After(until) {
			until = i.ExpiresAt
		}
		if out, err = tx.Client.Invitation.UpdateOne(i).SetHash(hash).SetExpiresAt(until).Save(ctx); err != nil {
			return fmt.Errorf("resend the invitation: %w", err)
		}
		return audit.Write(ctx, tx, s.now(), audit.Entry{Action: "resendInvitation", ObjectID: id, Result: audit.OK, Detail: i.Email})
	})
	if err != nil {
		return nil, err
	}
	return s.sendInvitation(ctx, out, secret)
}

// Revoke ends an invitation. Refusals: NOT_FOUND, CONFLICT.
func (s *Service) Revoke(ctx context.Context, id string) (*ent.Invitation, error) {
	var out *ent.Invitation
	err := s.db.InTx(ctx, func(ctx context.Context, tx *database.Tx) error {
		i, err := s.findInvitation(ctx, tx, id)
		if err != nil {
			return err
		}
		if out, err = tx.Client.Invitation.UpdateOne(i).SetRevokedAt(s.now()).Save(ctx); err != nil {
			return fmt.Errorf("revoke the invitation: %w", err)
		}
		if _, err := grant.Assign(ctx, tx, id, nil); err != nil {
			return err
		}
		return audit.Write(ctx, tx, s.now(), audit.Entry{Action: "revokeInvitation", ObjectID: id, Result: audit.OK, Detail: i.Email})
	})
	return out, err
}

func (s *Service) findInvitation(ctx context.Context, tx *database.Tx, id string) (*ent.Invitation, error) {
	i, err := tx.Client.Invitation.Query().Where(invitation.ID(id)).Only(ctx)
	switch {
	case ent.IsNotFound(err):
		return nil, refusal.New(refusal.NotFound, []string{"id"}, "no invitation has this id")
	case err != nil:
		return nil, fmt.Errorf("find the invitation: %w", err)
	case i.AcceptedAt != nil:
		return nil, refusal.New(refusal.Conflict, []string{"id"}, "%s has accepted the invitation: remove the member instead", i.Email)
	case i.RevokedAt != nil:
		return nil, refusal.New(refusal.Conflict, []string{"id"}, "the invitation of %s was revoked: invite again", i.Email)
	}
	return i, nil
}

// ErrLink is returned for a link that is malformed, unknown, used, revoked or
// too old, or was asked for in another browser: the asker learns no more.
var ErrLink = errors.New("this link does not work (any more)")

// Invited tells whom an invitation's link is for, and into which organization,
// without using it. ErrLink where it does not work.
func (s *Service) Invited(ctx context.Context, secret string) (email, organization string, err error) {
	if !wellFormed(secret) {
		return "", "", ErrLink
	}
	system := access.SystemAcrossOrganizations(ctx, "sign-in")
	i, err := s.db.Client().Invitation.Query().Where(invitation.Hash(digest(secret)), s.open()).Only(system)
	if ent.IsNotFound(err) {
		return "", "", ErrLink
	}
	if err != nil {
		return "", "", fmt.Errorf("look up an invitation: %w", err)
	}
	o, err := s.db.Client().Organization.Get(system, i.OrganizationID)
	if err != nil {
		return "", "", fmt.Errorf("read the organization: %w", err)
	}
	return i.Email, o.Name, nil
}

// Accept makes the member that an invitation offers and signs it in: it returns
// the session's token. ErrLink where the link does not work; a name that can't
// be one is refused (INVALID).
func (s *Service) Accept(ctx context.Context, secret, name string, from Visitor) (token string, err error) {
	if !wellFormed(secret) {
		return "", ErrLink
	}
	name, err = naming.Check("a member", name)
	if err != nil {
		return "", err
	}
	system := access.SystemAcrossOrganizations(ctx, "sign-in")
	found, err := s.db.Client().Invitation.Query().Where(invitation.Hash(digest(secret)), s.open()).Only(system)
	if ent.IsNotFound(err) {
		return "", ErrLink
	}
	if err != nil {
		return "", fmt.Errorf("look up an invitation: %w", err)
	}
	ctx = access.System(ctx, "sign-in", found.OrganizationID)
	err = s.db.InTx(ctx, func(ctx context.Context, tx *database.Tx) error {
		// Whoever is first takes it; the hash may have been replaced meanwhile.
		n, err := tx.Client.Invitation.Update().Where(invitation.ID(found.ID), invitation.Hash(digest(secret)), s.open()).
			SetAcceptedAt(s.now()).Save(ctx)
		if err != nil {
			return fmt.Errorf("accept the invitation: %w", err)
		}
		if n == 0 {
			return ErrLink
		}
		taken, err := tx.Client.Member.Query().Where(member.Email(found.Email), member.RemovedAtIsNil()).Exist(ctx)
		if err != nil {
			return fmt.Errorf("look for the member: %w", err)
		}
		if taken {
			return ErrLink
		}
		assigned, err := grant.Tenants(ctx, tx.Client, found.ID)
		if err != nil {
			return err
		}
		m, err := s.create(ctx, tx, found.Email, name, Place{
			Role: found.Role, Flags: grant.Flags(found.IsReadOnly, found.CanManageTenants, found.CanViewSensitiveTenants),
			Tenants: assigned[found.ID], AccessUntil: found.AccessUntil,
		})
		if err != nil {
			return err
		}
		if _, err := grant.Assign(ctx, tx, found.ID, nil); err != nil {
			return err
		}
		token, err = s.begin(ctx, tx, m, from)
		return err
	})
	return token, err
}
