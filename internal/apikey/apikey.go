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
	"sync"
	"time"

	"github.com/cairn-itdr/cairn/ent"
	"github.com/cairn-itdr/cairn/ent/apikey"
	"github.com/cairn-itdr/cairn/ent/member"
	"github.com/cairn-itdr/cairn/internal/access"
	"github.com/cairn-itdr/cairn/internal/audit"
	"github.com/cairn-itdr/cairn/internal/database"
	"github.com/cairn-itdr/cairn/internal/grant"
	"github.com/cairn-itdr/cairn/internal/naming"
	"github.com/cairn-itdr/cairn/internal/refusal"
)

// IDPrefix is the type prefix of key ids.
const IDPrefix = "apikey"

// Prefix begins every key, so that secret scanners find leaked ones.
const Prefix = "cairn_key_"

// keyBytes is how many random bytes a key has: too many to guess, which is why
// an unsalted hash of it may be stored.
const keyBytes = 32

var encoding = base32.NewEncoding("0123456789abcdefghjkmnpqrstvwxyz").WithPadding(base32.NoPadding)

// ErrUnknown is returned for a key that is malformed, unknown, expired or
// revoked, or whose maker is gone: the asker learns no more than that.
var ErrUnknown = errors.New("unknown API key")

// Service makes and checks API keys.
type Service struct {
	db  *database.DB
	now func() time.Time

	mu   sync.Mutex
	used map[string]time.Time // when a key's use was last written, by id
}

// New returns the service.
func New(db *database.DB, now func() time.Time) *Service {
	return &Service{db: db, now: now, used: map[string]time.Time{}}
}

// CheckName returns the name of a key as it is stored, or a refusal.
func CheckName(name string) (string, error) { return naming.Check("an API key", name) }

// Create is what a new key needs.
type Create struct {
	Name  string
	Role  access.Role
	Flags []access.Flag
	// Tenants narrow the key to them, by Cairn's id or Microsoft's; a role that
	// sees assigned tenants alone needs some.
	Tenants   []string
	ExpiresAt *time.Time
}

// Create makes a key in the scope's organization and returns its row and the
// key, which is shown this once and stored nowhere. A key that a member makes
// stops with the member. Refusals: INVALID and NOT_FOUND, with the field to
// blame; more than the maker may is INVALID.
func (s *Service) Create(ctx context.Context, in Create) (row *ent.APIKey, key string, err error) {
	name, err := CheckName(in.Name)
	if err != nil {
		return nil, "", err
	}
	scope, err := access.From(ctx)
	if err != nil {
		return nil, "", fmt.Errorf("create API key: %w", err)
	}
	given := access.Grant{Role: in.Role, Flags: in.Flags, AssignedOnly: len(in.Tenants) > 0}
	if err := grant.Check(scope, access.PrincipalAPIKey, given, len(in.Tenants)); err != nil {
		return nil, "", err
	}
	if in.ExpiresAt != nil && !in.ExpiresAt.After(s.now()) {
		return nil, "", refusal.New(refusal.Invalid, []string{"expiresAt"}, "a key can't expire in the past")
	}
	random := make([]byte, keyBytes)
	rand.Read(random) // crashes rather than fails
	key = Prefix + encoding.EncodeToString(random)
	err = s.db.InTx(ctx, func(ctx context.Context, tx *database.Tx) error {
		create := tx.Client.APIKey.Create().
			SetOrganizationID(scope.OrganizationID).SetName(name).SetRole(in.Role).
			SetIsReadOnly(grant.Has(in.Flags, access.FlagReadOnly)).
			SetCanManageTenants(grant.Has(in.Flags, access.FlagManageTenants)).
			SetCanViewSensitiveTenants(grant.Has(in.Flags, access.FlagViewSensitive)).
			SetAssignedOnly(given.AssignedOnly).SetNillableExpiresAt(in.ExpiresAt).
			SetHash(hash(key)).SetCreatedAt(s.now())
		if scope.Principal.Kind == access.PrincipalMember {
			create.SetCreatedByID(scope.Principal.ID)
		}
		if row, err = create.Save(ctx); err != nil {
			return fmt.Errorf("create API key: %w", err)
		}
		tenants, err := grant.Assign(ctx, tx, row.ID, in.Tenants)
		if err != nil {
			return err
		}
		return audit.Write(ctx, tx, s.now(), audit.Entry{
			Action: "createApiKey", ObjectID: row.ID, Result: audit.OK,
			Detail: fmt.Sprintf("%s: %s", name, grant.Describe(in.Role, in.Flags, tenants)),
		})
	})
	if err != nil {
		return nil, "", err
	}
	return row, key, nil
}

// Delete ends a key at once. Refusal: NOT_FOUND.
func (s *Service) Delete(ctx context.Context, id string) error {
	return s.db.InTx(ctx, func(ctx context.Context, tx *database.Tx) error {
		n, err := tx.Client.APIKey.Update().Where(apikey.ID(id), apikey.RevokedAtIsNil()).SetRevokedAt(s.now()).Save(ctx)
		if err != nil {
			return fmt.Errorf("delete API key: %w", err)
		}
		if n == 0 {
			return refusal.New(refusal.NotFound, []string{"id"}, "no API key has this id")
		}
		return audit.Write(ctx, tx, s.now(), audit.Entry{Action: "deleteApiKey", ObjectID: id, Result: audit.OK})
	})
}

// Authenticate returns what the holder of a key may reach, or ErrUnknown.
func (s *Service) Authenticate(ctx context.Context, key string) (access.Scope, error) {
	if !strings.HasPrefix(key, Prefix) || len(key) > 2*len(Prefix)+2*keyBytes {
		return access.Scope{}, ErrUnknown
	}
	system := access.SystemAcrossOrganizations(ctx, "authentication")
	row, err := s.db.Client().APIKey.Query().Where(apikey.Hash(hash(key)), apikey.RevokedAtIsNil()).Only(system)
	if ent.IsNotFound(err) {
		return access.Scope{}, ErrUnknown
	}
	if err != nil {
		return access.Scope{}, fmt.Errorf("look up API key: %w", err)
	}
	now := s.now()
	if row.ExpiresAt != nil && !now.Before(*row.ExpiresAt) {
		return access.Scope{}, ErrUnknown
	}
	if row.CreatedByID != nil {
		// Admins make keys: one who is none any more leaves none behind.
		there, err := s.db.Client().Member.Query().Where(
			member.ID(*row.CreatedByID), member.OrganizationID(row.OrganizationID), member.RoleEQ(access.RoleAdmin), member.RemovedAtIsNil(),
			member.Or(member.AccessUntilIsNil(), member.AccessUntilGT(now)),
		).Exist(system)
		if err != nil {
			return access.Scope{}, fmt.Errorf("look for the API key's maker: %w", err)
		}
		if !there {
			return access.Scope{}, ErrUnknown
		}
	}
	s.noteUse(system, row, now)
	return access.Scope{OrganizationID: row.OrganizationID, Principal: access.Principal{
		Kind: access.PrincipalAPIKey, ID: row.ID, Name: row.Name, Role: row.Role,
		Flags:        grant.Flags(row.IsReadOnly, row.CanManageTenants, row.CanViewSensitiveTenants),
		AssignedOnly: row.AssignedOnly,
	}}, nil
}

const (
	// usedEvery is how exactly a key's last use is known.
	usedEvery = time.Minute
	// usePatience is how long a request waits for its use to be written: it is
	// a help to whoever tidies keys up, and no more.
	usePatience = 200 * time.Millisecond
)

// noteUse writes that a key was used. Where the database is busy it is left to
// the next request.
func (s *Service) noteUse(ctx context.Context, row *ent.APIKey, now time.Time) {
	s.mu.Lock()
	last := s.used[row.ID]
	if row.LastUsedAt != nil && row.LastUsedAt.After(last) {
		last = *row.LastUsedAt
	}
	due := now.Sub(last) >= usedEvery
	if due {
		s.used[row.ID] = now
	}
	s.mu.Unlock()
	if !due {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, usePatience)
	defer cancel()
	_ = s.db.InTx(ctx, func(ctx context.Context, tx *database.Tx) error {
		return tx.Client.APIKey.Update().Where(apikey.ID(row.ID)).SetLastUsedAt(now).Exec(ctx)
	})
}

func hash(key string) []byte {
	sum := sha256.Sum256([]byte(key))
	return sum[:]
}
