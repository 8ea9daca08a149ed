package detect

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/cairn-itdr/cairn/internal/activity"
)

// Engine runs the rules. It is safe for concurrent use; what it remembers is
// in the books alone.
type Engine struct {
	rules    []Rule
	records  map[string][]recordRule
	accounts []accountRule
	sources  []sourceRule
	agents   agentCache
	roles    map[string]Stage  // by rule
	titles   map[string]string // by rule
}

// New returns an engine with these rules, judged in this order.
func New(rules ...Rule) *Engine {
	e := &Engine{rules: rules, records: make(map[string][]recordRule), roles: make(map[string]Stage), titles: make(map[string]string)}
	for _, r := range rules {
		e.roles[r.Describe().ID], e.titles[r.Describe().ID] = r.Describe().Stage, r.Describe().Title
		if r, ok := r.(recordRule); ok {
			for _, op := range r.operations() {
				e.records[op] = append(e.records[op], r)
			}
		}
		if r, ok := r.(accountRule); ok {
			e.accounts = append(e.accounts, r)
		}
		if r, ok := r.(sourceRule); ok {
			e.sources = append(e.sources, r)
		}
	}
	return e
}

// Rules describes the engine's rules.
func (e *Engine) Rules() []Description {
	all := make([]Description, 0, len(e.rules))
	for _, r := range e.rules {
		all = append(all, r.Describe())
	}
	return all
}

// Process folds the activities of one tenant into its books and judges what
// that may have changed: fresh ones, which come for the first time, and changed
// ones, fuller versions of what came before, which add what the earlier version
// lacked and are not counted again. The order of a batch does not matter. An
// error means that nothing of it may be stored: the ledger's books may have
// been changed half-way and must be forgotten.
func (e *Engine) Process(ctx context.Context, ledger Ledger, fresh, changed []*activity.Activity) (Outcome, error) {
	p := &pass{ctx: ctx, engine: e, ledger: ledger, desk: make(map[BookKey]*page, len(fresh)/4+8)}
	if err := p.fold(fresh, changed); err != nil {
		return Outcome{}, fmt.Errorf("fold activities: %w", err)
	}
	if err := p.spread(); err != nil {
		return Outcome{}, fmt.Errorf("find books to judge: %w", err)
	}
	if err := p.judge(); err != nil {
		return Outcome{}, fmt.Errorf("judge books: %w", err)
	}
	return Outcome{Changed: p.changed(), Reviews: p.reviews}, nil
}

// changed returns the changed books, down to their caps.
func (p *pass) changed() map[BookKey]*Book {
	books := make(map[BookKey]*Book)
	for key, page := range p.desk {
		if page.changed {
			if page.book.Account != nil {
				page.book.Account.trim()
			}
			books[key] = page.book
		}
	}
	return books
}

// pass is one run of Process.
type pass struct {
	ctx     context.Context //nolint:containedctx // lives as long as the call it was given to
	engine  *Engine
	ledger  Ledger
	desk    map[BookKey]*page
	tenant  *page
	created []*page
	learned []string // domains first seen in this batch
	reviews []Review
	every   bool // review every book judged, also where there is nothing to say
}

// entry is an activity with the pages it belongs to.
type entry struct {
	activity *activity.Activity
	account  *page
	source   *page
	again    bool // an earlier version of it was folded before
	rules    []recordRule
}

type sourceKey struct {
	prefix netip.Prefix
	period int
}

func (p *pass) fold(fresh, changed []*activity.Activity) error {
	entries, err := p.open(slices.Concat(fresh, changed))
	if err != nil || len(entries) == 0 {
		return err
	}
	again := make(map[*activity.Activity]bool, len(changed))
	for _, a := range changed {
		again[a] = true
	}
	for i := range entries {
		// What failed is counted, and was counted when it first came.
		entries[i].again = again[entries[i].activity]
		if entries[i].again && !used(entries[i].activity) {
			entries[i].source = nil
		}
		if err := p.foldEntry(&entries[i]); err != nil {
			return fmt.Errorf("activity %s: %w", entries[i].activity.ID, err)
		}
	}
	p.keepCreated()
	for _, g := range p.desk {
		if g.changed {
			g.book.overflow()
		}
	}
	return nil
}

// open finds the pages of every activity and brings their books.
func (p *pass) open(batch []*activity.Activity) ([]entry, error) {
	entries := make([]entry, 0, len(batch))
	sources := make(map[sourceKey]*page)
	accounts := make(map[BookKey]*page)
	var from, to moment
	period := 0
	keys := []BookKey{tenantKey}
	for _, a := range batch {
		if a.Actor.Kind == activity.ActorService {
			continue
		}
		if t := at(a.OccurredAt); t < from || t >= to {
			period = periodOf(a.OccurredAt)
			from, to = periodStart(period), periodStart(period+1)
		}
		en := entry{activity: a, rules: p.engine.records[a.Operation]}
		if a.AccountID != "" || len(en.rules) > 0 {
			k := BookKey{Kind: BookAccount, Subject: a.AccountID, Period: period}
			if en.account = accounts[k]; en.account == nil {
				en.account = p.page(k)
				accounts[k] = en.account
				keys = append(keys, k)
			}
		}
		if placed(a) && (a.AccountID != "" || a.SignIn) {
			k := sourceKey{activity.Prefix(a.Address), period}
			if en.source = sources[k]; en.source == nil {
				en.source = p.page(BookKey{Kind: BookSource, Subject: k.prefix.String(), Period: period})
				sources[k] = en.source
				keys = append(keys, en.source.key)
			}
		}
		if en.account != nil || en.source != nil {
			entries = append(entries, en)
		}
	}
	if len(entries) == 0 {
		return nil, nil
	}
	if err := p.fetch(keys...); err != nil {
		return nil, err
	}
	return entries, p.create(keys)
}

func (p *pass) foldEntry(en *entry) error {
	a := en.activity
	agent := p.engine.agents.parse(a.UserAgent, a.Device.Browser, a.Device.OS)
	if en.source != nil {
		b := en.source.book.Source
		users := b.Users
		c, err := b.fold(a, agent)
		if err != nil {
			return err
		}
		if b.Shared && len(users) > 0 {
			for i := range users {
				en.source.released = append(en.source.released, users[i].Account)
			}
		}
		en.source.note(c)
	}
	if en.account == nil {
		return nil
	}
	marks, err := p.marks(en)
	if err != nil {
		return err
	}
	if a.AccountID != "" || len(marks) > 0 {
		b := en.account.book.Account
		sessions := len(b.Sessions)
		c, err := b.fold(a, agent, marks, en.again)
		if err != nil {
			return err
		}
		en.account.sessions = en.account.sessions || len(b.Sessions) != sessions
		en.account.note(c)
	}
	if d := p.tenant.book.Tenant.learn(a); d != "" {
		p.tenant.changed = true
		p.learned = append(p.learned, d)
	}
	return nil
}

func (g *page) note(c change) {
	g.changed = g.changed || c != 0
	g.judge = g.judge || c&judge != 0
}

// marks asks the record rules. What failed was not done.
func (p *pass) marks(en *entry) ([]Mark, error) {
	a := en.activity
	if len(en.rules) == 0 {
		return nil, nil
	}
	var marks []Mark
	for _, r := range en.rules {
		if _, failures := r.(failureRule); failures != (a.Result == activity.ResultFailure) {
			continue
		}
		facts, weight := r.note(a)
		if weight == weightless {
			continue
		}
		w, err := witness(a)
		if err != nil {
			return nil, err
		}
		if !placed(a) {
			w.Address = netip.Addr{}
		}
		m := Mark{Witness: w, Rule: r.Describe().ID, Weight: weight, Session: compactID(a.SessionID), Facts: facts}
		marks = append(marks, m)
		if to := m.Fact(factOutside); to != "" {
			for d := range strings.SplitSeq(to, " ") {
				if p.tenant.book.Tenant.addForward(domainOf(d), en.account.key.Subject, en.account.key.Period) {
					p.tenant.changed = true
				}
			}
		}
	}
	return marks, nil
}

// finish orders what the rules gathered.
func (f *Finding) finish(book BookKey) {
	f.Book = book
	slices.Sort(f.Links)
	f.Links = slices.Compact(f.Links)
	slices.Sort(f.Targets)
	f.Targets = slices.Compact(f.Targets)
	if len(f.Evidence) > MaxEvidence {
		f.Evidence = f.Evidence[:MaxEvidence]
	}
}
