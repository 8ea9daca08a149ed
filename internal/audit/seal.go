package audit

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"time"

	"entgo.io/ent/dialect/sql"

	"github.com/cairn-itdr/cairn/ent"
	"github.com/cairn-itdr/cairn/ent/auditentry"
	"github.com/cairn-itdr/cairn/ent/auditseal"
	"github.com/cairn-itdr/cairn/internal/access"
	"github.com/cairn-itdr/cairn/internal/database"
)

// sealedAtOnce is how many entries one transaction seals.
const sealedAtOnce = 500

// Sealer chains entries: each gets a seal with a number and a hash over the
// seal before it and the entry. It works beside the writers, who wait for
// nobody; an entry is sealed soon after it was written, in the order of
// sealing, which need not be that of time.
type Sealer struct{ db *database.DB }

// NewSealer returns the sealer of a database.
func NewSealer(db *database.DB) *Sealer { return &Sealer{db: db} }

// Seal seals what is not sealed yet, in every organization, and returns how
// many entries that were.
func (s *Sealer) Seal(ctx context.Context) (total int, err error) {
	system := access.SystemAcrossOrganizations(ctx, "audit sealing")
	organizations, err := s.db.Client().Organization.Query().IDs(system)
	if err != nil {
		return 0, fmt.Errorf("seal the audit log: %w", err)
	}
	for _, id := range organizations {
		for {
			n, err := s.sealSome(access.System(ctx, "audit sealing", id), id)
			total += n
			if err != nil {
				return total, fmt.Errorf("seal the audit log of %s: %w", id, err)
			}
			if n < sealedAtOnce {
				break
			}
		}
	}
	return total, nil
}

// unsealed narrows to entries without a seal.
func unsealed(s *sql.Selector) {
	t := sql.Table(auditseal.Table)
	s.Where(sql.NotExists(sql.Dialect(s.Dialect()).Select(t.C(auditseal.FieldID)).From(t).
		Where(sql.ColumnsEQ(t.C(auditseal.FieldEntryID), s.C(auditentry.FieldID)))))
}

func (s *Sealer) sealSome(ctx context.Context, organizationID string) (n int, err error) {
	// Asked first outside a transaction: most of the time there is nothing to do.
	if waiting, err := s.db.Client().AuditEntry.Query().Where(unsealed).Exist(ctx); err != nil || !waiting {
		return 0, err
	}
	err = s.db.InTx(ctx, func(ctx context.Context, tx *database.Tx) error {
		if tx.Dialect() == database.Postgres { // one process at a time extends the chain
			if _, err := tx.SQL.ExecContext(ctx, "SELECT pg_advisory_xact_lock(hashtextextended($1, 0))", "seal "+organizationID); err != nil {
				return fmt.Errorf("lock the chain: %w", err)
			}
		}
		sequence, previous := int64(0), []byte(nil)
		last, err := tx.Client.AuditSeal.Query().Order(auditseal.BySequence(sql.OrderDesc())).First(ctx)
		switch {
		case err == nil:
			sequence, previous = last.Sequence, last.Hash
		case !ent.IsNotFound(err):
			return fmt.Errorf("read the last seal: %w", err)
		}
		entries, err := tx.Client.AuditEntry.Query().Where(unsealed).Order(auditentry.ByAt(), auditentry.ByID()).Limit(sealedAtOnce).All(ctx)
		if err != nil {
			return fmt.Errorf("read entries: %w", err)
		}
		seals := make([]*ent.AuditSealCreate, len(entries))
		for i, e := range entries {
			sequence++
			previous = link(previous, e)
			seals[i] = tx.Client.AuditSeal.Create().SetOrganizationID(organizationID).SetSequence(sequence).SetEntryID(e.ID).SetHash(previous)
		}
		if err := tx.Client.AuditSeal.CreateBulk(seals...).Exec(ctx); err != nil {
			return fmt.Errorf("store seals: %w", err)
		}
		n = len(entries)
		return nil
	})
	return n, err
}

// link is the hash of an entry's seal: over the hash before it and every field,
// each with its length, so that none can borrow from its neighbour.
func link(previous []byte, e *ent.AuditEntry) []byte {
	h := sha256.New()
	add(h, previous)
	tenant := ""
	if e.TenantID != nil {
		tenant = *e.TenantID
	}
	staff := "guest"
	if e.PrincipalStaff {
		staff = "staff"
	}
	for _, text := range []string{
		e.ID, e.OrganizationID, e.At.UTC().Format(time.RFC3339Nano), string(e.PrincipalKind), e.PrincipalID, e.PrincipalName, staff,
		e.Action, tenant, e.ObjectID, e.Address, e.Result, e.Detail,
	} {
		add(h, []byte(text))
	}
	return h.Sum(nil)
}

func add(h hash.Hash, part []byte) {
	var length [8]byte
	binary.BigEndian.PutUint64(length[:], uint64(len(part)))
	h.Write(length[:])
	h.Write(part)
}

// Verification is what a walk along an organization's chain found.
type Verification struct {
	OrganizationID string
	Sealed         int64
	Unsealed       int
	// Head is the last seal's hash: written down elsewhere, it proves later
	// that nothing before it was changed or cut off.
	Head string
	// Problems say what does not fit, and where; none where all is in order.
	Problems []string
}

// maxProblems is how many problems a verification tells.
const maxProblems = 20

// ErrBroken is returned by Verify where a chain does not hold.
var ErrBroken = errors.New("the audit log does not hold")

// Verify walks the chains of all organizations. The error wraps ErrBroken where
// one does not hold.
func (s *Sealer) Verify(ctx context.Context) (all []Verification, err error) {
	system := access.SystemAcrossOrganizations(ctx, "audit verification")
	organizations, err := s.db.Client().Organization.Query().IDs(system)
	if err != nil {
		return nil, fmt.Errorf("verify the audit log: %w", err)
	}
	broken := false
	for _, id := range organizations {
		v, err := s.verify(access.System(ctx, "audit verification", id), id)
		if err != nil {
			return all, fmt.Errorf("verify the audit log of %s: %w", id, err)
		}
		broken = broken || len(v.Problems) > 0
		all = append(all, v)
	}
	if broken {
		return all, ErrBroken
	}
	return all, nil
}

func (s *Sealer) verify(ctx context.Context, organizationID string) (Verification, error) {
	v := Verification{OrganizationID: organizationID}
	problem := func(format string, args ...any) {
		if len(v.Problems) < maxProblems {
			v.Problems = append(v.Problems, fmt.Sprintf(format, args...))
		}
	}
	var previous []byte
	for {
		seals, err := s.db.Client().AuditSeal.Query().Where(auditseal.SequenceGT(v.Sealed)).
			Order(auditseal.BySequence()).Limit(sealedAtOnce).All(ctx)
		if err != nil {
			return v, fmt.Errorf("read seals: %w", err)
		}
		if len(seals) == 0 {
			break
		}
		ids := make([]string, len(seals))
		for i, seal := range seals {
			ids[i] = seal.EntryID
		}
		list, err := s.db.Client().AuditEntry.Query().Where(auditentry.IDIn(ids...)).All(ctx)
		if err != nil {
			return v, fmt.Errorf("read entries: %w", err)
		}
		entries := make(map[string]*ent.AuditEntry, len(list))
		for _, e := range list {
			entries[e.ID] = e
		}
		for _, seal := range seals {
			if seal.Sequence != v.Sealed+1 {
				problem("seal %d follows seal %d: those between are missing", seal.Sequence, v.Sealed)
			}
			v.Sealed = seal.Sequence
			switch e := entries[seal.EntryID]; {
			case e == nil:
				problem("entry %s (seal %d) is missing", seal.EntryID, seal.Sequence)
			case !bytes.Equal(link(previous, e), seal.Hash):
				problem("entry %s (seal %d, %s, %s) is not what was sealed", e.ID, seal.Sequence, e.At.UTC().Format(time.RFC3339), e.Action)
			}
			previous = seal.Hash
		}
	}
	v.Head = hex.EncodeToString(previous)
	waiting, err := s.db.Client().AuditEntry.Query().Where(unsealed).Count(ctx)
	if err != nil {
		return v, fmt.Errorf("count unsealed entries: %w", err)
	}
	v.Unsealed = waiting
	return v, nil
}
