package incident

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/cairn-itdr/cairn/ent"
	"github.com/cairn-itdr/cairn/ent/account"
	"github.com/cairn-itdr/cairn/ent/finding"
	"github.com/cairn-itdr/cairn/ent/incident"
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
// brings the incidents of every account concerned in step, within tx. It reads
// first, thinks in memory, and writes last, in a number of statements that does
// not grow with the number of reviews but by the thousand. Two calls for one
// tenant must follow one another: the intake sees to that.
func (s *Service) Apply(ctx context.Context, tx *database.Tx, tenantID string, reviews []detect.Review) (Result, error) {
	scope, err := access.From(ctx)
	if err != nil {
		return Result{}, fmt.Errorf("apply findings: %w", err)
	}
	if scope.EveryOrganization() {
		return Result{}, errors.New("apply findings: outside an organization's scope")
	}
	a := applying{
		ctx: ctx, tx: tx, now: s.now().Truncate(time.Microsecond), // as both databases keep it
		organizationID: scope.OrganizationID, principal: scope.Principal.Name, tenantID: tenantID,
		claims: map[string]*claim{}, accounts: map[string]bool{}, result: Result{NewFindings: map[string]int{}},
	}
	if err := a.judge(reviews); err != nil {
		return Result{}, err
	}
	if err := a.failedAttacks(reviews); err != nil {
		return Result{}, err
	}
	if len(a.accounts) == 0 {
		return a.result, nil
	}
	if err := tx.ReachTenant(ctx, tenantID); err != nil {
		return Result{}, fmt.Errorf("apply findings: %w", err)
	}
	groups, err := a.load()
	if err != nil {
		return Result{}, err
	}
	for _, g := range groups {
		g.regroup()
	}
	if err := a.number(); err != nil {
		return Result{}, err
	}
	for _, g := range groups {
		g.settle()
	}
	changed, err := a.write(groups)
	if err != nil {
		return Result{}, err
	}
	return a.result, s.tell(ctx, tx, changed)
}

// applying is one run of Apply.
type applying struct {
	ctx            context.Context //nolint:containedctx // it lives as long as the call it serves
	tx             *database.Tx
	now            time.Time
	organizationID string
	tenantID       string
	principal      string            // who acts, by name
	claims         map[string]*claim // what the reviews changed, by id of the finding
	accounts       map[string]bool   // whose findings changed; "" is the tenant itself
	opened         []*draft          // incidents this run opens
	result         Result
}

// chunk keeps lists of keys below SQLite's limit of bound values.
const chunk = 5000

// load reads the findings and incidents of the accounts concerned, the
// incidents locked, and returns them by account, in a stable order.
func (a *applying) load() ([]*grouping, error) {
	ids := slices.Sorted(maps.Keys(a.accounts))
	groups := make(map[string]*grouping, len(ids))
	for _, id := range ids {
		groups[id] = &grouping{applying: a, accountID: id, byID: map[string]*draft{}}
	}
	for _, c := range a.claims {
		if c.was == nil {
			groups[deref(c.AccountID)].add(c)
		}
	}
	for part := range slices.Chunk(ids, chunk) {
		if err := a.loadPart(part, groups); err != nil {
			return nil, err
		}
	}
	out := make([]*grouping, len(ids))
	for i, id := range ids {
		out[i] = groups[id]
	}
	return out, nil
}

func (a *applying) loadPart(ids []string, groups map[string]*grouping) error {
	ofAccounts, incidentOf := finding.AccountIDIn(ids...), incident.AccountIDIn(ids...)
	if ids[0] == "" {
		ofAccounts, incidentOf = finding.Or(finding.AccountIDIsNil(), ofAccounts), incident.Or(incident.AccountIDIsNil(), incidentOf)
	}
	accounts, err := a.tx.Client.Account.Query().Where(account.TenantID(a.tenantID), account.IDIn(ids...)).All(a.ctx)
	if err != nil {
		return fmt.Errorf("read the accounts with findings: %w", err)
	}
	for _, row := range accounts {
		groups[row.ID].principal = row.Principal
	}
	incidents, err := a.tx.Client.Incident.Query().Where(incident.TenantID(a.tenantID), incidentOf, locked).
		Order(incident.ByNumber()).All(a.ctx)
	if err != nil {
		return fmt.Errorf("read the accounts' incidents: %w", err)
	}
	for _, row := range incidents {
		groups[deref(row.AccountID)].keep(&draft{Incident: *row, was: row})
	}
	findings, err := a.tx.Client.Finding.Query().Where(finding.TenantID(a.tenantID), ofAccounts).All(a.ctx)
	if err != nil {
		return fmt.Errorf("read the accounts' findings: %w", err)
	}
	for _, row := range findings {
		c := a.claims[row.ID]
		if c == nil {
			c = &claim{Finding: *row, was: row}
		}
		groups[deref(row.AccountID)].add(c)
	}
	for _, id := range ids {
		if id != "" && groups[id].principal == "" {
			return fmt.Errorf("a finding names account %s, which tenant %s does not have", id, a.tenantID)
		}
	}
	return nil
}

// deref is the string p points to, or "" for nil: the tenant itself, where an
// account is meant.
func deref(p *string) string {
	if p == nil {
		return ""
	}
	return *p
}

// claim is a finding as this run leaves it, beside the row as it was read.
type claim struct {
	ent.Finding

	was     *ent.Finding // nil: the run makes it
	changed bool         // the row must be written
}

// put makes c a finding of d.
func (c *claim) put(d *draft) {
	d.members = append(d.members, c)
	if deref(c.IncidentID) != d.ID {
		c.IncidentID, c.changed = &d.ID, true
	}
}

// draft is an incident as this run leaves it, beside the row as it was read.
type draft struct {
	ent.Incident

	was     *ent.Incident // nil: the run opens it
	members []*claim      // the findings it rests on now
	steps   []step        // what happens to it, in order
	changed bool          // something about it changed, a step or not
	joined  bool          // it gained findings

	home     bool   // it is an episode's: another episode needs its own
	oneWith  *draft // the home of the episode its findings turned out to be of
	follows  *draft // the ended incident before it
	reopened string // why it asks for action again; empty where it does not
	onlyWeak bool   // what is left of it asks nobody to act
}
