package collect

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/cairn-itdr/cairn/ent"
	"github.com/cairn-itdr/cairn/ent/collector"
	"github.com/cairn-itdr/cairn/ent/consentrequest"
	entconnection "github.com/cairn-itdr/cairn/ent/microsoftconnection"
	enttenant "github.com/cairn-itdr/cairn/ent/tenant"
	"github.com/cairn-itdr/cairn/integrations/microsoft365"
	"github.com/cairn-itdr/cairn/internal/access"
	"github.com/cairn-itdr/cairn/internal/audit"
	"github.com/cairn-itdr/cairn/internal/change"
	"github.com/cairn-itdr/cairn/internal/database"
	"github.com/cairn-itdr/cairn/internal/refusal"
)

// linkLife is how long a consent link works: long enough to send it to the
// client's administrator.
const linkLife = 7 * 24 * time.Hour

// The paths that Entra sends an administrator back to.
const (
	ConsentPath = "/microsoft/consent"
	SignInPath  = "/microsoft/signin"
)

// Request is a link by which an administrator of the tenant may consent.
type Request struct {
	URL       string
	ExpiresAt time.Time
}

// Connect makes a link for a tenant's administrator. It works once, for seven
// days, for the level asked for; the tenant is connected when the administrator
// has consented and signed in. Refusals: no such tenant (NOT_FOUND); no
// application registered on this server, or the response level before the
// detection level (CONFLICT).
func (s *Service) Connect(ctx context.Context, tenantID string, level microsoft365.Level) (Request, error) {
	scope, err := access.From(ctx)
	if err != nil {
		return Request{}, fmt.Errorf("connect a tenant: %w", err)
	}
	app, err := s.app(level)
	if err != nil {
		return Request{}, err
	}
	state, nonce := secretText(), secretText()
	sum := sha256.Sum256([]byte(state))
	expires := s.Now().Add(linkLife)
	var t *ent.Tenant
	err = s.DB.InTx(ctx, func(ctx context.Context, tx *database.Tx) error {
		t, err = tx.Client.Tenant.Get(ctx, tenantID)
		if ent.IsNotFound(err) {
			return refusal.New(refusal.NotFound, []string{"tenantId"}, "no tenant has this id")
		}
		if err != nil {
			return fmt.Errorf("read the tenant: %w", err)
		}
		if level == microsoft365.LevelResponse {
			connected, err := tx.Client.MicrosoftConnection.Query().Where(entconnection.TenantID(t.ID), entconnection.DisconnectedAtIsNil()).Exist(ctx)
			if err != nil {
				return fmt.Errorf("look for the connection: %w", err)
			}
			if !connected {
				return refusal.New(refusal.Conflict, []string{"level"}, "tenant %q is not connected for detection yet: begin with that", t.Name)
			}
		}
		system := access.System(ctx, "consent", scope.OrganizationID)
		if err := tx.Client.ConsentRequest.Create().SetOrganizationID(scope.OrganizationID).SetTenantID(t.ID).SetHash(sum[:]).SetNonce(nonce).
			SetLevel(string(level)).SetPrincipalID(scope.Principal.ID).SetPrincipalName(scope.Principal.Name).
			SetCreatedAt(s.Now()).SetExpiresAt(expires).Exec(system); err != nil {
			return fmt.Errorf("make a consent link: %w", err)
		}
		return audit.Write(ctx, tx, s.Now(), audit.Entry{Action: "connectTenant", TenantID: t.ID, ObjectID: t.ID, Result: audit.OK, Detail: string(level)})
	})
	if err != nil {
		return Request{}, err
	}
	return Request{URL: app.ConsentURL(directoryOf(t), s.Link(ConsentPath), state), ExpiresAt: expires}, nil
}

func directoryOf(t *ent.Tenant) string {
	if t.MicrosoftTenantID != nil {
		return *t.MicrosoftTenantID
	}
	return microsoft365.Organizations
}

func (s *Service) app(level microsoft365.Level) (*microsoft365.App, error) {
	switch {
	case level == microsoft365.LevelDetection && s.Detection != nil:
		return s.Detection, nil
	case level == microsoft365.LevelResponse && s.Response != nil:
		return s.Response, nil
	}
	return nil, refusal.New(refusal.Conflict, []string{"level"},
		"this server knows no Microsoft application for %s: the operator registers one (docs/microsoft-365.md) and starts Cairn with it", level)
}

func secretText() string {
	random := make([]byte, 32)
	rand.Read(random) // crashes rather than fails
	return base64.RawURLEncoding.EncodeToString(random)
}

// ErrRequest is returned for an answer that belongs to no open consent link: it
// was used, is too old, was tampered with, or is another installation's.
var ErrRequest = errors.New("this consent link does not work (any more): ask whoever sent it for another")

// open returns the request whose state this is.
func (s *Service) open(ctx context.Context, state string) (*ent.ConsentRequest, error) {
	sum := sha256.Sum256([]byte(state))
	r, err := s.DB.Client().ConsentRequest.Query().Where(consentrequest.Hash(sum[:]), consentrequest.UsedAtIsNil(), consentrequest.ExpiresAtGT(s.Now())).
		WithTenant().Only(access.SystemAcrossOrganizations(ctx, "consent"))
	if ent.IsNotFound(err) {
		return nil, ErrRequest
	}
	if err != nil {
		return nil, fmt.Errorf("look up a consent link: %w", err)
	}
	return r, nil
}

// Consented takes Entra's answer to the consent page and returns where the
// administrator signs in, which proves who consented. What the answer says of
// the tenant may be forged and is not believed.
func (s *Service) Consented(ctx context.Context, query url.Values) (signIn string, err error) {
	r, err := s.open(ctx, query.Get("state"))
	if err != nil {
		return "", err
	}
	app, err := s.app(microsoft365.Level(r.Level))
	if err != nil {
		return "", err
	}
	if err := app.CallbackError(query); err != nil {
		return "", s.refused(ctx, r, err)
	}
	ctx = access.System(ctx, "consent", r.OrganizationID)
	err = s.DB.InTx(ctx, func(ctx context.Context, tx *database.Tx) error {
		return tx.Client.ConsentRequest.UpdateOne(r).SetAnsweredAt(s.Now()).Exec(ctx)
	})
	if err != nil {
		return "", fmt.Errorf("note the consent: %w", err)
	}
	return app.SignInURL(directoryOf(r.Edges.Tenant), s.Link(SignInPath), query.Get("state"), r.Nonce), nil
}

// refused writes why a consent came to nothing, and returns it as a refusal.
func (s *Service) refused(ctx context.Context, r *ent.ConsentRequest, cause error) error {
	ctx = access.System(ctx, "consent", r.OrganizationID)
	message := cause.Error()
	code := refusal.Invalid
	if own := refusal.From(cause); own != nil {
		code, message = own.Code, own.Message
	}
	err := s.DB.InTx(ctx, func(ctx context.Context, tx *database.Tx) error {
		return audit.Write(ctx, tx, s.Now(), audit.Entry{Action: "consent", TenantID: r.TenantID, ObjectID: r.TenantID, Result: "FORBIDDEN", Detail: message})
	})
	return errors.Join(refusal.New(code, nil, "%s", message), err)
}

// SignedIn takes the end of the administrator's sign-in. The tenant is connected
// where the person holds a role that may consent, belongs to the tenant that was
// meant, and a token of that tenant reads its own organization.
func (s *Service) SignedIn(ctx context.Context, query url.Values) (tenantName string, err error) {
	r, err := s.open(ctx, query.Get("state"))
	if err != nil {
		return "", err
	}
	if r.AnsweredAt == nil {
		return "", ErrRequest // nobody was sent here
	}
	app, err := s.app(microsoft365.Level(r.Level))
	if err != nil {
		return "", err
	}
	if err := app.CallbackError(query); err != nil {
		return "", s.refused(ctx, r, err)
	}
	person, err := app.SignIn(ctx, directoryOf(r.Edges.Tenant), s.Link(SignInPath), query.Get("code"), r.Nonce)
	if err != nil {
		return "", s.refused(ctx, r, err)
	}
	directory, err := app.Tenant(person.Tenant)
	if err != nil {
		return "", s.refused(ctx, r, err)
	}
	directory.DropTokens()
	organization, err := directory.Organization(ctx)
	if err != nil {
		return "", s.refused(ctx, r, err)
	}
	roles := person.Roles
	if roles == nil {
		if roles, err = directory.DirectoryRoles(ctx, person.ObjectID); err != nil {
			return "", s.refused(ctx, r, err)
		}
	}
	if !microsoft365.MayConsent(roles) {
		return "", s.refused(ctx, r, refusal.New(refusal.Invalid, nil,
			"%s is no Global Administrator or Privileged Role Administrator of %s: one of these must open the link", person.Name, organization.DisplayName))
	}
	ctx = access.System(ctx, "consent", r.OrganizationID)
	err = s.DB.InTx(ctx, func(ctx context.Context, tx *database.Tx) error {
		n, err := tx.Client.ConsentRequest.Update().Where(consentrequest.ID(r.ID), consentrequest.UsedAtIsNil()).SetUsedAt(s.Now()).Save(ctx)
		if err != nil {
			return fmt.Errorf("use the consent link: %w", err)
		}
		if n == 0 {
			return ErrRequest
		}
		return s.connect(ctx, tx, r, person, organization)
	})
	if refusal.From(err) != nil {
		return "", s.refused(ctx, r, err)
	}
	return r.Edges.Tenant.Name, err
}

// connect binds the tenant to the directory that was proven, and has it read.
func (s *Service) connect(ctx context.Context, tx *database.Tx, r *ent.ConsentRequest, person microsoft365.Person, o microsoft365.Organization) error {
	t := r.Edges.Tenant
	directory := strings.ToLower(o.ID)
	if t.MicrosoftTenantID != nil && *t.MicrosoftTenantID != directory {
		return refusal.New(refusal.Conflict, nil, "%s is another Microsoft tenant than %q was bound to: make another tenant for it", o.DisplayName, t.Name)
	}
	now := s.Now()
	existing, err := tx.Client.MicrosoftConnection.Query().Where(entconnection.TenantID(t.ID), entconnection.DisconnectedAtIsNil()).Only(ctx)
	if err != nil && !ent.IsNotFound(err) {
		return fmt.Errorf("look for the connection: %w", err)
	}
	if r.Level == string(microsoft365.LevelResponse) {
		if existing == nil || existing.Directory != directory {
			return refusal.New(refusal.Conflict, nil, "tenant %q is not connected for detection: begin with that", t.Name)
		}
		if err := tx.Client.MicrosoftConnection.UpdateOne(existing).SetResponseConsentedAt(now).Exec(ctx); err != nil {
			return fmt.Errorf("note the consent to respond: %w", err)
		}
		return s.audited(ctx, tx, r, person)
	}
	if existing == nil {
		err := tx.Client.MicrosoftConnection.Create().SetOrganizationID(r.OrganizationID).SetTenantID(t.ID).SetDirectory(directory).
			SetDisplayName(o.DisplayName).SetConsentedBy(person.Name).SetConsentedAt(now).Exec(ctx)
		if ent.IsConstraintError(err) {
			return refusal.New(refusal.Taken, nil, "this Microsoft tenant is connected elsewhere: it must be disconnected there first")
		}
		if err != nil {
			return fmt.Errorf("store the connection: %w", err)
		}
		update := tx.Client.Tenant.UpdateOneID(t.ID).SetMicrosoftTenantID(directory).SetLifecycle(enttenant.LifecycleOnboarding)
		if err := update.Exec(ctx); ent.IsConstraintError(err) {
			return refusal.New(refusal.Taken, nil, "another tenant of yours is bound to this Microsoft tenant already")
		} else if err != nil {
			return fmt.Errorf("bind the tenant: %w", err)
		}
	}
	if err := s.begins(ctx, tx, r.OrganizationID, t.ID); err != nil {
		return err
	}
	s.Feed.Note(tx, change.Change{OrganizationID: r.OrganizationID, TenantID: t.ID, What: change.Tenant, ObjectID: t.ID})
	return s.audited(ctx, tx, r, person)
}

func (s *Service) audited(ctx context.Context, tx *database.Tx, r *ent.ConsentRequest, person microsoft365.Person) error {
	return audit.Write(ctx, tx, s.Now(), audit.Entry{
		Action: "consent", TenantID: r.TenantID, ObjectID: r.TenantID, Result: audit.OK,
		Detail: r.Level + " by " + person.Name + ", asked for by " + r.PrincipalName,
	})
}

// begins makes a tenant's collectors due; those that are there begin anew where
// they stopped.
func (s *Service) begins(ctx context.Context, tx *database.Tx, organizationID, tenantID string) error {
	there, err := tx.Client.Collector.Query().Where(collector.TenantID(tenantID)).All(ctx)
	if err != nil {
		return fmt.Errorf("read the collectors: %w", err)
	}
	known := map[collector.Source]bool{}
	var ids []string
	for _, c := range there {
		known[c.Source] = true
		ids = append(ids, c.ID)
	}
	for _, source := range sources {
		if known[source] {
			continue
		}
		c, err := tx.Client.Collector.Create().SetOrganizationID(organizationID).SetTenantID(tenantID).SetSource(source).SetCreatedAt(s.Now()).Save(ctx)
		if err != nil {
			return fmt.Errorf("make the collector of %s: %w", source, err)
		}
		ids = append(ids, c.ID)
	}
	return s.Work.Restart(ctx, tx, collectors, ids...)
}

// connection is the tenant's, nil where it has none.
func (s *Service) connection(ctx context.Context, tenantID string) (*ent.MicrosoftConnection, error) {
	c, err := s.DB.Client().MicrosoftConnection.Query().Where(entconnection.TenantID(tenantID), entconnection.DisconnectedAtIsNil()).Only(ctx)
	if ent.IsNotFound(err) {
		return nil, nil //nolint:nilnil // it has none
	}
	if err != nil {
		return nil, fmt.Errorf("read the tenant's connection: %w", err)
	}
	return c, nil
}

// watched says whether a tenant is to be read now.
func watched(t *ent.Tenant) bool {
	return t.Lifecycle != enttenant.LifecyclePaused && t.Lifecycle != enttenant.LifecycleRemoved
}
