package incident

import (
	"fmt"
	"maps"
	"slices"

	"github.com/cairn-itdr/cairn/ent"
	"github.com/cairn-itdr/cairn/ent/failedattack"
	"github.com/cairn-itdr/cairn/ent/finding"
	"github.com/cairn-itdr/cairn/ent/predicate"
	"github.com/cairn-itdr/cairn/internal/detect"
)

// judge compares the stored findings of the judged books with the reviews:
// what is new, what changed, and what no longer holds.
func (a *applying) judge(reviews []detect.Review) error {
	wanted := map[string]detect.Finding{}
	overflowed := map[string]bool{} // books that could not keep all they were told
	var keys, books []string
	for _, r := range reviews {
		book := bookName(r.Book)
		books = append(books, book)
		overflowed[book] = r.Overflowed
		for _, f := range r.Findings {
			wanted[f.Key] = f
			keys = append(keys, f.Key)
		}
	}
	stored := map[string]*ent.Finding{}
	if err := a.readFindings(stored, books, finding.BookIn); err != nil {
		return err
	}
	// A finding whose earliest evidence moved has moved to another book.
	if err := a.readFindings(stored, keys, finding.NaturalKeyIn); err != nil {
		return err
	}
	for _, key := range slices.Sorted(maps.Keys(wanted)) {
		f, s := wanted[key], stored[key]
		if s != nil && s.SupersededAt == nil && (overflowed[s.Book] || overflowed[bookName(f.Book)]) && weaker(f, s) {
			continue // a flood of records takes back nothing that was said
		}
		a.judged(f, s)
	}
	for _, key := range slices.Sorted(maps.Keys(stored)) {
		s := stored[key]
		if _, holds := wanted[key]; holds || s.SupersededAt != nil || overflowed[s.Book] {
			continue
		}
		c := &claim{Finding: *s, was: s}
		c.SupersededAt = &a.now
		a.change(c)
		a.result.Superseded++
	}
	return nil
}

func (a *applying) readFindings(into map[string]*ent.Finding, names []string, in func(...string) predicate.Finding) error {
	for part := range slices.Chunk(names, chunk) {
		list, err := a.tx.Client.Finding.Query().Where(finding.TenantID(a.tenantID), in(part...)).All(a.ctx)
		if err != nil {
			return fmt.Errorf("read findings: %w", err)
		}
		for _, f := range list {
			into[f.NaturalKey] = f
		}
	}
	return nil
}

// judged takes what a review says of a finding.
func (a *applying) judged(f detect.Finding, stored *ent.Finding) {
	c := &claim{was: stored}
	switch {
	case stored == nil:
		c.Finding = ent.Finding{
			ID: finding.DefaultID(), OrganizationID: a.organizationID, TenantID: a.tenantID,
			NaturalKey: f.Key, Rule: f.Rule, DetectedAt: a.now,
		}
		if f.AccountID != "" {
			c.AccountID = &f.AccountID
		}
		a.result.NewFindings[f.Rule]++
	case same(f, stored):
		return
	default:
		c.Finding = *stored
	}
	c.Book, c.SupersededAt = bookName(f.Book), nil
	c.Severity, c.Confidence, c.Stage = f.Severity, f.Confidence, f.Stage
	c.OccurredAt, c.LastAt, c.IsLive = f.OccurredAt, f.LastAt, live(f.LastAt, c.DetectedAt)
	c.Explanation, c.Targets, c.Evidence, c.Links = f.Explanation, list(f.Targets), list(f.Evidence), list(f.Links)
	a.change(c)
}

func (a *applying) change(c *claim) {
	c.changed = true
	a.claims[c.ID] = c
	a.accounts[deref(c.AccountID)] = true
}

func same(f detect.Finding, s *ent.Finding) bool {
	return s.SupersededAt == nil && s.Book == bookName(f.Book) &&
		s.Severity == f.Severity && s.Confidence == f.Confidence && s.Stage == f.Stage &&
		s.OccurredAt.Equal(f.OccurredAt) && s.LastAt.Equal(f.LastAt) && s.Explanation == f.Explanation &&
		slices.Equal(s.Targets, f.Targets) && slices.Equal(s.Evidence, f.Evidence) && slices.Equal(s.Links, f.Links)
}

func weaker(f detect.Finding, s *ent.Finding) bool {
	return severityRank[f.Severity] < severityRank[s.Severity] || confidenceRank[f.Confidence] < confidenceRank[s.Confidence]
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
	for part := range slices.Chunk(create, rowsAtOnce) {
		if err := a.tx.Client.FailedAttack.CreateBulk(part...).Exec(a.ctx); err != nil {
			return fmt.Errorf("store failed attacks: %w", err)
		}
	}
	return nil
}
