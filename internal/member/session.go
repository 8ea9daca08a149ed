package member

import (
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"entgo.io/ent/dialect/sql"

	"github.com/cairn-itdr/cairn/ent"
	"github.com/cairn-itdr/cairn/ent/member"
	"github.com/cairn-itdr/cairn/ent/session"
	"github.com/cairn-itdr/cairn/ent/signinlink"
	"github.com/cairn-itdr/cairn/internal/access"
	"github.com/cairn-itdr/cairn/internal/audit"
	"github.com/cairn-itdr/cairn/internal/database"
	"github.com/cairn-itdr/cairn/internal/grant"
	"github.com/cairn-itdr/cairn/internal/mail"
	"github.com/cairn-itdr/cairn/internal/refusal"
)

const (
	// linkLife is how long a sign-in link works.
	linkLife = 15 * time.Minute
	// sessionLife is how long one stays signed in at most, sessionIdle how long
	// without a request.
	sessionLife = 30 * 24 * time.Hour
	sessionIdle = 7 * 24 * time.Hour
	// seenEvery is how exactly a session's last request is known.
	seenEvery = time.Minute
)

// How many links may be asked for, so that nobody's mailbox is flooded: by one
// address for one member, and for one member by addresses it never signed in
// from. Who signed in from an address before is not kept out by strangers.
const (
	linksWithin      = 15 * time.Minute
	linksByAddress   = 3
	linksByStrangers = 6
	knownAddressDays = 90
)

// Visitor is the browser that somebody signs in with.
type Visitor struct {
	Browser   string // the secret in the cookie that the sign-in page sets; empty where there is none
	Address   string
	UserAgent string
}

// RequestLink mails a link to every active member of the address: one an
// organization. It works once, for 15 minutes, in the browser it was asked for
// in. Nobody learns whether the address is a member's: an error is a fault of
// ours, for the log.
func (s *Service) RequestLink(ctx context.Context, email string, from Visitor) error {
	email, err := address(email)
	if err != nil || from.Browser == "" {
		return nil //nolint:nilerr // no member has such an address
	}
	members, err := s.db.Client().Member.Query().Where(member.Email(email), active(s.now())).
		All(access.SystemAcrossOrganizations(ctx, "sign-in"))
	if err != nil {
		return fmt.Errorf("look for members: %w", err)
	}
	var errs []error
	for _, m := range members {
		errs = append(errs, s.requestLink(access.System(ctx, "sign-in", m.OrganizationID), m, from))
	}
	return errors.Join(errs...)
}

func (s *Service) requestLink(ctx context.Context, m *ent.Member, from Visitor) error {
	var secret string
	err := s.db.InTx(ctx, func(ctx context.Context, tx *database.Tx) error {
		allowed, err := s.mayRequest(ctx, tx, m, from.Address)
		if err != nil || !allowed {
			return err
		}
		secret, err = s.makeLink(ctx, tx, m, digest(from.Browser), from.Address)
		return err
	})
	if err != nil || secret == "" {
		return err
	}
	o, err := s.db.Client().Organization.Get(ctx, m.OrganizationID)
	if err != nil {
		return fmt.Errorf("read the organization: %w", err)
	}
	sendErr := s.mail.Send(ctx, mail.Message{
		To: m.Email, Subject: "Sign in to Cairn (" + o.Name + ")",
		Text: fmt.Sprintf("Sign in to %s:\n\n%s\n\nThe link works once, for 15 minutes, in the browser you asked for it in. "+
			"It was asked for from %s. If that was not you, ignore it: nobody gets in without it.\n", o.Name, s.link(linkPath+secret), from.Address),
	})
	if sendErr == nil {
		return nil
	}
	err = s.db.InTx(ctx, func(ctx context.Context, tx *database.Tx) error {
		return audit.Write(ctx, tx, s.now(), audit.Entry{
			Action: "sendSignInLink", ObjectID: m.ID, Result: "FAILED", Detail: sendErr.Error(),
		})
	})
	return errors.Join(fmt.Errorf("send the sign-in link of %s: %w", m.ID, sendErr), err)
}

// mayRequest says whether another link may go to the member.
func (s *Service) mayRequest(ctx context.Context, tx *database.Tx, m *ent.Member, from string) (bool, error) {
	recent, err := tx.Client.SignInLink.Query().
		Where(signinlink.MemberID(m.ID), signinlink.CreatedAtGT(s.now().Add(-linksWithin))).All(ctx)
	if err != nil {
		return false, fmt.Errorf("count sign-in links: %w", err)
	}
	own := 0
	for _, l := range recent {
		if l.Address == from {
			own++
		}
	}
	if own >= linksByAddress {
		return false, nil
	}
	if len(recent) < linksByStrangers {
		return true, nil
	}
	known, err := tx.Client.Session.Query().
		Where(session.MemberID(m.ID), session.Address(from), session.CreatedAtGT(s.now().AddDate(0, 0, -knownAddressDays))).Exist(ctx)
	if err != nil {
		return false, fmt.Errorf("look for earlier sessions: %w", err)
	}
	return known, nil
}

// makeLink stores a link and returns its secret.
func (s *Service) makeLink(ctx context.Context, tx *database.Tx, m *ent.Member, browser []byte, from string) (string, error) {
	system := access.System(ctx, "sign-in", m.OrganizationID)
	_, err := tx.Client.SignInLink.Delete().Where(signinlink.MemberID(m.ID), signinlink.ExpiresAtLT(s.now().Add(-linksWithin))).Exec(system)
	if err != nil {
		return "", fmt.Errorf("remove old sign-in links: %w", err)
	}
	secret, hash := newSecret()
	create := tx.Client.SignInLink.Create().SetOrganizationID(m.OrganizationID).SetMemberID(m.ID).SetHash(hash).
		SetAddress(from).SetCreatedAt(s.now()).SetExpiresAt(s.now().Add(linkLife))
	if browser != nil {
		create.SetBrowser(browser)
	}
	if err := create.Exec(system); err != nil {
		return "", fmt.Errorf("make a sign-in link: %w", err)
	}
	return secret, nil
}

// UseLink signs a member in by its link and returns the session's token.
// ErrLink where the link does not work.
func (s *Service) UseLink(ctx context.Context, secret string, from Visitor) (token string, err error) {
	if !wellFormed(secret) {
		return "", ErrLink
	}
	system := access.SystemAcrossOrganizations(ctx, "sign-in")
	l, err := s.db.Client().SignInLink.Query().Where(signinlink.Hash(digest(secret))).Only(system)
	if ent.IsNotFound(err) {
		return "", ErrLink
	}
	if err != nil {
		return "", fmt.Errorf("look up a sign-in link: %w", err)
	}
	ctx = access.System(ctx, "sign-in", l.OrganizationID)
	refused := s.refusesLink(l, from)
	err = s.db.InTx(ctx, func(ctx context.Context, tx *database.Tx) error {
		if refused != "" {
			return audit.Write(ctx, tx, s.now(), audit.Entry{Action: "signIn", ObjectID: l.MemberID, Result: "FORBIDDEN", Detail: refused})
		}
		n, err := tx.Client.SignInLink.Update().Where(signinlink.ID(l.ID), signinlink.UsedAtIsNil()).SetUsedAt(s.now()).Save(ctx)
		if err != nil {
			return fmt.Errorf("use a sign-in link: %w", err)
		}
		m, err := tx.Client.Member.Query().Where(member.ID(l.MemberID), active(s.now())).Only(ctx)
		if ent.IsNotFound(err) || n == 0 {
			return ErrLink
		}
		if err != nil {
			return fmt.Errorf("look for the member: %w", err)
		}
		token, err = s.begin(ctx, tx, m, from)
		return err
	})
	if err == nil && refused != "" {
		return "", ErrLink
	}
	return token, err
}

// refusesLink says, for the audit log, why a link does not work; "" where it does.
func (s *Service) refusesLink(l *ent.SignInLink, from Visitor) string {
	switch {
	case l.UsedAt != nil:
		return "the link was used before"
	case !s.now().Before(l.ExpiresAt):
		return "the link was too old"
	case len(l.Browser) > 0 && subtle.ConstantTimeCompare(l.Browser, digest(from.Browser)) != 1:
		return "the link was opened in another browser than the one it was asked for in"
	}
	return ""
}

// maxUserAgent is what is kept of a browser's description, in bytes.
const maxUserAgent = 500

// begin makes a session and returns its token.
func (s *Service) begin(ctx context.Context, tx *database.Tx, m *ent.Member, from Visitor) (string, error) {
	agent := strings.ToValidUTF8(from.UserAgent, "")
	for len(agent) > maxUserAgent {
		_, size := utf8.DecodeLastRuneInString(agent)
		agent = agent[:len(agent)-size]
	}
	token, hash := newSecret()
	row, err := tx.Client.Session.Create().SetOrganizationID(m.OrganizationID).SetMemberID(m.ID).SetHash(hash).
		SetAddress(from.Address).SetUserAgent(agent).SetCreatedAt(s.now()).SetLastSeenAt(s.now()).
		SetExpiresAt(s.now().Add(sessionLife)).Save(ctx)
	if err != nil {
		return "", fmt.Errorf("begin a session: %w", err)
	}
	if err := tx.Client.Member.UpdateOne(m).SetLastSignedInAt(s.now()).Exec(ctx); err != nil {
		return "", fmt.Errorf("note the sign-in: %w", err)
	}
	as := access.With(ctx, access.Scope{OrganizationID: m.OrganizationID, Principal: principal(m, row.ID)})
	return token, audit.Write(as, tx, s.now(), audit.Entry{Action: "signIn", ObjectID: row.ID, Result: audit.OK})
}

// ErrUnknown is returned for a session that is malformed, unknown, ended or too
// old, or whose member is gone.
var ErrUnknown = errors.New("unknown session")

// Authenticate returns what the holder of a session's token may reach, or ErrUnknown.
func (s *Service) Authenticate(ctx context.Context, token string) (access.Scope, error) {
	if !wellFormed(token) {
		return access.Scope{}, ErrUnknown
	}
	system, now := access.SystemAcrossOrganizations(ctx, "authentication"), s.now()
	row, err := s.db.Client().Session.Query().Where(
		session.Hash(digest(token)), session.EndedAtIsNil(), session.ExpiresAtGT(now), session.LastSeenAtGT(now.Add(-sessionIdle)),
	).Only(system)
	if ent.IsNotFound(err) {
		return access.Scope{}, ErrUnknown
	}
	if err != nil {
		return access.Scope{}, fmt.Errorf("look up a session: %w", err)
	}
	m, err := s.db.Client().Member.Query().Where(member.ID(row.MemberID), member.OrganizationID(row.OrganizationID), active(now)).Only(system)
	if ent.IsNotFound(err) {
		return access.Scope{}, ErrUnknown
	}
	if err != nil {
		return access.Scope{}, fmt.Errorf("look up a member: %w", err)
	}
	if now.Sub(row.LastSeenAt) >= seenEvery {
		s.noteSeen(access.System(ctx, "authentication", m.OrganizationID), row.ID, now)
	}
	return access.Scope{OrganizationID: m.OrganizationID, Principal: principal(m, row.ID)}, nil
}

// seenPatience is how long a request waits for it to be written that it was made.
const seenPatience = 200 * time.Millisecond

// noteSeen writes that a session was used. Where the database is busy it is
// left to the next request.
func (s *Service) noteSeen(ctx context.Context, id string, now time.Time) {
	ctx, cancel := context.WithTimeout(ctx, seenPatience)
	defer cancel()
	_ = s.db.InTx(ctx, func(ctx context.Context, tx *database.Tx) error {
		return tx.Client.Session.Update().Where(session.ID(id)).SetLastSeenAt(now).Exec(ctx)
	})
}

func principal(m *ent.Member, sessionID string) access.Principal {
	name := m.Name
	if name == "" {
		name = m.Email
	}
	return access.Principal{
		Kind: access.PrincipalMember, ID: m.ID, Name: name, Role: m.Role, SessionID: sessionID,
		Flags: grant.Flags(m.IsReadOnly, m.CanManageTenants, m.CanViewSensitiveTenants),
	}
}

// Sessions returns the live sessions of the scope's member, the newest first.
func (s *Service) Sessions(ctx context.Context) ([]*ent.Session, error) {
	now := s.now()
	list, err := s.db.Client().Session.Query().
		Where(session.EndedAtIsNil(), session.ExpiresAtGT(now), session.LastSeenAtGT(now.Add(-sessionIdle))).
		Order(session.ByCreatedAt(sql.OrderDesc()), session.ByID()).All(ctx)
	if err != nil {
		return nil, fmt.Errorf("list sessions: %w", err)
	}
	return list, nil
}

// EndSession ends one of the scope's own sessions. Refusal: NOT_FOUND.
func (s *Service) EndSession(ctx context.Context, id string) error {
	return s.db.InTx(ctx, func(ctx context.Context, tx *database.Tx) error {
		n, err := tx.Client.Session.Update().Where(session.ID(id), session.EndedAtIsNil()).SetEndedAt(s.now()).Save(ctx)
		if err != nil {
			return fmt.Errorf("end a session: %w", err)
		}
		if n == 0 {
			return refusal.New(refusal.NotFound, []string{"id"}, "you have no session with this id")
		}
		return audit.Write(ctx, tx, s.now(), audit.Entry{Action: "endSession", ObjectID: id, Result: audit.OK})
	})
}

// Current tells the address of the member that a session's token belongs to,
// "" where it belongs to nobody (any more).
func (s *Service) Current(ctx context.Context, token string) string {
	scope, err := s.Authenticate(ctx, token)
	if err != nil {
		return ""
	}
	m, err := s.Self(access.With(ctx, scope))
	if err != nil || m == nil {
		return ""
	}
	return m.Email
}

// SignOut ends the session with this token, if there is one.
func (s *Service) SignOut(ctx context.Context, token string) error {
	scope, err := s.Authenticate(ctx, token)
	if errors.Is(err, ErrUnknown) {
		return nil
	}
	if err != nil {
		return err
	}
	return s.EndSession(access.With(ctx, scope), scope.Principal.SessionID)
}

// Self returns the member who acts in ctx; nil where none does.
func (s *Service) Self(ctx context.Context) (*ent.Member, error) {
	scope, err := access.From(ctx)
	if err != nil || scope.Principal.Kind != access.PrincipalMember {
		return nil, err
	}
	// One need not see others to see oneself.
	m, err := s.db.Client().Member.Get(access.System(ctx, "viewer", scope.OrganizationID), scope.Principal.ID)
	if err != nil {
		return nil, fmt.Errorf("read the viewer: %w", err)
	}
	return m, nil
}
