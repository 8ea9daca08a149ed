// Package apikey makes API keys and tells whose a presented one is.
package apikey

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/cairn-itdr/cairn/ent"
	"github.com/cairn-itdr/cairn/ent/apikey"
	"github.com/cairn-itdr/cairn/internal/access"
	"github.com/cairn-itdr/cairn/internal/audit"
	"github.com/cairn-itdr/cairn/internal/database"
	"github.com/cairn-itdr/cairn/internal/naming"
	"github.com/cairn-itdr/cairn/internal/refusal"
)

// Prefix begins every key, so that secret scanners find leaked ones.
const Prefix = "cairn_key_"

// keyBytes is how many random bytes a key has: too many to guess, which is why
// an unsalted hash of it may be stored.
const keyBytes = 32

var encoding = base32.NewEncoding("0123456789abcdefghjkmnpqrstvwxyz").WithPadding(base32.NoPadding)

// ErrUnknown is returned for a key that is malformed, unknown or revoked: the
// asker learns no more than that.
var ErrUnknown = errors.New("unknown API key")

// Service makes and checks API keys.
type Service struct {
	db  *database.DB
	now func() time.Time
}

// New returns the service.
func New(db *database.DB, now func() time.Time) *Service { return &Service{db: db, now: now} }

// CheckName returns the name of a key as it is stored, or a refusal.
func CheckName(name string) (string, error) { return naming.Check("an API key", name) }

// Create makes a key in the scope's organization and returns it. It is shown
// this once and stored nowhere. Refusals (INVALID): a role that is not issued,
// a name that can't be one.
func (s *Service) Create(ctx context.Context, name string, role access.Role) (string, error) {
	if role != access.RoleAdmin {
		return "", refusal.New(refusal.Invalid, []string{"role"}, "only the role %s is issued so far", access.RoleAdmin)
	}
	name, err := CheckName(name)
	if err != nil {
		return "", err
	}
	scope, err := access.From(ctx)
	if err != nil {
		return "", fmt.Errorf("create API key: %w", err)
	}
	random := make([]byte, keyBytes)
	rand.Read(random) // crashes rather than fails
	key := Prefix + encoding.EncodeToString(random)
	err = s.db.InTx(ctx, func(ctx context.Context, tx *database.Tx) error {
		row, err := tx.Client.APIKey.Create().
			SetOrganizationID(scope.OrganizationID).SetName(name).SetRole(role).
			SetHash(hash(key)).SetCreatedAt(s.now()).Save(ctx)
		if err != nil {
			return fmt.Errorf("create API key: %w", err)
		}
		return audit.Write(ctx, tx, s.now(), audit.Entry{Action: "createApiKey", ObjectID: row.ID, Result: "OK", Detail: name})
	})
	if err != nil {
		return "", err
	}
	return key, nil
}

// Authenticate returns what the holder of a key may reach, or ErrUnknown.
func (s *Service) Authenticate(ctx context.Context, key string) (access.Scope, error) {
	if !strings.HasPrefix(key, Prefix) || len(key) > 2*len(Prefix)+2*keyBytes {
		return access.Scope{}, ErrUnknown
	}
	row, err := s.db.Client().APIKey.Query().
		Where(apikey.Hash(hash(key)), apikey.RevokedAtIsNil()).
		Only(access.SystemAcrossOrganizations(ctx, "authentication"))
	if ent.IsNotFound(err) {
		return access.Scope{}, ErrUnknown
	}
	if err != nil {
		return access.Scope{}, fmt.Errorf("look up API key: %w", err)
	}
	return access.Scope{
		OrganizationID: row.OrganizationID,
		Principal:      access.Principal{Kind: access.PrincipalAPIKey, ID: row.ID, Name: row.Name, Role: row.Role},
	}, nil
}

func hash(key string) []byte {
	sum := sha256.Sum256([]byte(key))
	return sum[:]
}
