package incident

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/cairn-itdr/cairn/ent"
	"github.com/cairn-itdr/cairn/ent/failedattack"
	"github.com/cairn-itdr/cairn/ent/finding"
	"github.com/cairn-itdr/cairn/internal/access"
	"github.com/cairn-itdr/cairn/internal/database"
	"github.com/cairn-itdr/cairn/internal/detect"
)

// Result says what a set of reviews led to.
type Result struct {
	NewFindings map[string]int // by rule
	Superseded  int            // findings that no longer hold
	Opened      []string       // ids of incidents opened
	Joined      []string       // ids of incidents that were there and gained findings
}

// Apply makes the stored findings of the judged books equal to the reviews and
// brings the incidents of every account concerned in step, within tx.
func (s *Service) Apply(ctx context.Context, tx *database.Tx, tenantID string, reviews []detect.Review) (Result, error) {
	scope, err := access.From(ctx)
	if err != nil {
		return Result{}, fmt.Errorf("apply findings: %w", err)
	}
	a := applying{
		ctx: ctx, tx: tx, now: s.now(), organizationID: scope.OrganizationID, tenantID: tenantID,
		accounts: map[string]bool{}, superseded: map[string]bool{}, result: Result{NewFindings: map[string]int{}},
	}
	if err := a.findings(reviews); err != nil {
		return Result{}, err
	}
	if err := a.failedAttacks(reviews); err != nil {
		return Result{}, err
	}
	accounts := make([]string, 0, len(a.accounts))
	for id := range a.accounts {
		accounts = append(accounts, id)
	}
	slices.Sort(accounts)
	for _, id := range accounts {
		if err := a.regroup(id); err != nil {
			return Result{}, err
		}
	}
	return a.result, nil
}

// applying is one run of Apply.
type applying struct {
	ctx            context.Context //nolint:containedctx // it lives as long as the call it serves
	tx             *database.Tx
	now            time.Time
	organizationID string
	tenantID       string
	accounts       map[string]bool // whose findings changed; "" is the tenant itself
	superseded     map[string]bool // ids of findings superseded in this run
	result         Result
}

// chunk keeps lists of keys below SQLite's limit of bound values.
const chunk = 5000

func (a *applying) findings(reviews []detect.Review) error {
	wanted := map[string]detect.Finding{}
	var keys, books []string
	for _, r := range reviews {
		books = append(books, bookName(r.Book))
		for _, f := range r.Findings {
			wanted[f.Key] = f
			keys = append(keys, f.Key)
		}
	}
	stored := map[string]*ent.Finding{}
	load := func(names []string, by func(...string) func() ([]*ent.Finding, error)) error {
		for part := range slices.Chunk(names, chunk) {
			list, err := by(part...)()
			if err != nil {
				return fmt.Errorf("read findings: %w", err)
			}
			for _, f := range list {
				stored[f.NaturalKey] = f
			}
		}
		return nil
	}
	query := func() *ent.FindingQuery { return a.tx.Client.Finding.Query().Where(finding.TenantID(a.tenantID)) }
	err := load(books, func(names ...string) func() ([]*ent.Finding, error) {
		return func() ([]*ent.Finding, error) { return query().Where(finding.BookIn(names...)).All(a.ctx) }
	})
	if err != nil {
		return err
	}
	// A finding whose earliest evidence moved has moved to another book.
	err = load(keys, func(names ...string) func() ([]*ent.Finding, error) {
		return func() ([]*ent.Finding, error) { return query().Where(finding.NaturalKeyIn(names...)).All(a.ctx) }
	})
	if err != nil {
		return err
	}
	slices.Sort(keys)
	for _, key := range slices.Compact(keys) {
		if err := a.put(wanted[key], stored[key]); err != nil {
			return err
		}
	}
	for key, f := range stored {
		if _, holds := wanted[key]; holds || f.SupersededAt != nil {
			continue
		}
		if err := a.tx.Client.Finding.UpdateOne(f).SetSupersededAt(a.now).Exec(a.ctx); err != nil {
			return fmt.Errorf("supersede finding %s: %w", f.ID, err)
		}
		a.touch(f.AccountID)
		a.superseded[f.ID] = true
		a.result.Superseded++
	}
	return nil
}

func (a *applying) put(f detect.Finding, stored *ent.Finding) error {
	live := f.LastAt.After(a.now.Add(-liveWithin))
	var accountID *string
	if f.AccountID != "" {
		accountID = &f.AccountID
	}
	if stored == nil {
		err := a.tx.Client.Finding.Create().
			SetOrganizationID(a.organizationID).SetTenantID(a.tenantID).SetNillableAccountID(accountID).
			SetNaturalKey(f.Key).SetBook(bookName(f.Book)).SetRule(f.Rule).
			SetSeverity(f.Severity).SetConfidence(f.Confidence).SetStage(f.Stage).
			SetTargets(list(f.Targets)).SetOccurredAt(f.OccurredAt).SetLastAt(f.LastAt).
			SetEvidence(list(f.Evidence)).SetExplanation(f.Explanation).SetLinks(list(f.Links)).
			SetDetectedAt(a.now).SetIsLive(live).
			Exec(a.ctx)
		if err != nil {
			return fmt.Errorf("store finding %s: %w", f.Key, err)
		}
		a.touch(accountID)
		a.result.NewFindings[f.Rule]++
		return nil
	}
	if same(f, stored) {
		return nil
	}
	err := a.tx.Client.Finding.UpdateOne(stored).
		SetBook(bookName(f.Book)).
		SetSeverity(f.Severity).SetConfidence(f.Confidence).SetStage(f.Stage).
		SetTargets(list(f.Targets)).SetOccurredAt(f.OccurredAt).SetLastAt(f.LastAt).
		SetEvidence(list(f.Evidence)).SetExplanation(f.Explanation).SetLinks(list(f.Links)).
		SetIsLive(stored.IsLive || live).
		ClearSupersededAt().
		Exec(a.ctx)
	if err != nil {
		return fmt.Errorf("change finding %s: %w", stored.ID, err)
	}
	a.touch(accountID)
	return nil
}

func (a *applying) touch(accountID *string) {
	if accountID == nil {
		a.accounts[""] = true
		return
	}
	a.accounts[*accountID] = true
}

func same(f detect.Finding, s *ent.Finding) bool {
	return s.SupersededAt == nil && s.Book == bookName(f.Book) &&
		s.Severity == f.Severity && s.Confidence == f.Confidence && s.Stage == f.Stage &&
		s.OccurredAt.Equal(f.OccurredAt) && s.LastAt.Equal(f.LastAt) && s.Explanation == f.Explanation &&
		slices.Equal(s.Targets, f.Targets) && slices.Equal(s.Evidence, f.Evidence) && slices.Equal(s.Links, f.Links)
}

// list is l, or an empty list: JSON columns hold no null.
func list(l []string) []string {
	if l == nil {
		return []string{}
	}
	return l
}

func bookName(k detect.BookKey) string { return fmt.Sprintf("%s:%s:%d", k.Kind, k.Subject, k.Period) }

// failedAttacks makes the stored counts of the judged books equal to the reviews.
func (a *applying) failedAttacks(reviews []detect.Review) error {
	var books []string
	var create []*ent.FailedAttackCreate
	for _, r := range reviews {
		book := bookName(r.Book)
		books = append(books, book)
		for _, f := range r.Failed {
			create = append(create, a.tx.Client.FailedAttack.Create().
				SetOrganizationID(a.organizationID).SetTenantID(a.tenantID).SetBook(book).
				SetDay(f.Day).SetTactic(f.Tactic).SetSource(f.Source).SetCountry(f.Country).
				SetNetworkNumber(f.Network.Number).SetNetworkOwner(f.Network.Owner).SetNetworkKind(f.Network.Kind).
				SetUserAgent(f.UserAgent).SetAccountID(f.AccountID).SetAttempts(f.Attempts).
				SetPasswordKnown(f.PasswordKnown).SetFirstAt(f.FirstAt).SetLastAt(f.LastAt))
		}
	}
	for part := range slices.Chunk(books, chunk) {
		_, err := a.tx.Client.FailedAttack.Delete().
			Where(failedattack.TenantID(a.tenantID), failedattack.BookIn(part...)).Exec(a.ctx)
		if err != nil {
			return fmt.Errorf("replace failed attacks: %w", err)
		}
	}
	for part := range slices.Chunk(create, 1000) {
		if err := a.tx.Client.FailedAttack.CreateBulk(part...).Exec(a.ctx); err != nil {
			return fmt.Errorf("store failed attacks: %w", err)
		}
	}
	return nil
}
