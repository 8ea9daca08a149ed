package detect

import (
	"slices"
	"strings"
)

// spread extends judgement to what rests on the books that changed: the month
// after; for a source that became a gateway, the accounts on it; for a domain
// found to be the tenant's own, the accounts that send mail there.
func (p *pass) spread() error {
	var keys []BookKey
	var touched []*page
	for _, g := range p.desk {
		if !g.judge {
			continue
		}
		touched = append(touched, g)
		if *g.book.beside()&besideAfter != 0 {
			keys = append(keys, shift(g.key, 1))
		}
		if g.key.Kind == BookSource {
			keys = append(keys, p.before(g)...)
		}
	}
	if err := p.fetch(keys...); err != nil {
		return err
	}
	var accounts []BookKey
	for _, g := range touched {
		after := p.page(shift(g.key, 1))
		if after.book != nil {
			after.judge = true
		}
		if g.key.Kind != BookSource {
			continue
		}
		for _, q := range []*page{g, after} {
			accounts = append(accounts, p.onGateway(q)...)
			for _, account := range g.released {
				accounts = append(accounts, BookKey{Kind: BookAccount, Subject: account, Period: q.key.Period})
			}
		}
	}
	for _, d := range p.learned { // the tenant's book is at hand: it changed
		for _, f := range p.tenant.book.Tenant.Forwards {
			if f.Domain == d || strings.HasSuffix(f.Domain, "."+d) {
				accounts = append(accounts, BookKey{Kind: BookAccount, Subject: f.Account, Period: f.Period})
			}
		}
	}
	if err := p.fetch(accounts...); err != nil {
		return err
	}
	for _, k := range accounts {
		if g := p.page(k); g.book != nil {
			g.judge = true
		}
	}
	return nil
}

// before returns the key of the month before, if that has a book.
func (p *pass) before(g *page) []BookKey {
	if *g.book.beside()&besideBefore == 0 {
		return nil
	}
	return []BookKey{shift(g.key, -1)}
}

// onGateway returns the account books whose judgement leans on a source's being a
// gateway, where it is one. A new day of use may be what made it one.
func (p *pass) onGateway(g *page) []BookKey {
	before := p.page(shift(g.key, -1))
	var prev, cur *SourceBook
	if before.book != nil {
		prev = before.book.Source
	}
	if g.book != nil {
		cur = g.book.Source
	}
	if cur == nil && prev == nil || gatewaySince(prev, cur, g.key.Period) == neverShared {
		return nil
	}
	var keys []BookKey
	for _, b := range []*SourceBook{prev, cur} {
		for i := range b.users() {
			keys = append(keys, BookKey{Kind: BookAccount, Subject: b.Users[i].Account, Period: g.key.Period})
		}
	}
	return keys
}

func (p *pass) judge() error {
	var pages []*page
	for _, g := range p.desk {
		if g.judge && g.book != nil {
			pages = append(pages, g)
		}
	}
	slices.SortFunc(pages, func(a, b *page) int {
		if c := strings.Compare(string(a.key.Kind), string(b.key.Kind)); c != 0 {
			return c
		}
		if c := strings.Compare(a.key.Subject, b.key.Subject); c != 0 {
			return c
		}
		return a.key.Period - b.key.Period
	})
	var keys []BookKey
	pages = slices.DeleteFunc(pages, func(g *page) bool {
		// Only what could find anything, or shares a session with the month
		// before, needs a look.
		if g.book.Account != nil && !g.book.Account.interesting() && !g.sessions && !p.page(shift(g.key, -1)).sessions && !p.every {
			return true
		}
		keys = append(keys, p.before(g)...)
		return false
	})
	if err := p.fetch(keys...); err != nil {
		return err
	}
	for _, g := range pages {
		var r Review
		var err error
		before := p.page(shift(g.key, -1))
		prev := before.book
		if g.book.Account != nil && prev != nil && g.book.Account.carry(prev.Account) {
			g.changed, before.changed = true, true
		}
		switch {
		case g.book.Account != nil && g.book.Account.interesting():
			r, err = p.judgeAccount(g, prev)
		case g.book.Source != nil && (g.book.Source.interesting() || prev != nil && prev.Source.interesting()):
			r = p.judgeSource(g, prev)
		default:
			if !p.every {
				continue
			}
		}
		if err != nil {
			return err
		}
		p.review(g, r)
	}
	return nil
}

// review keeps what was found. A book that had nothing and has nothing is not worth a word.
func (p *pass) review(g *page, r Review) {
	found := len(r.Findings)+len(r.Failed) > 0
	if reported := g.book.reported(); *reported != found {
		*reported, g.changed = found, true
	} else if !found && !p.every {
		return
	}
	r.Book, r.Overflowed = g.key, g.book.excess()&excessLost != 0
	for i := range r.Findings {
		r.Findings[i].finish(g.key)
	}
	slices.SortFunc(r.Findings, func(a, b Finding) int { return strings.Compare(a.Key, b.Key) })
	slices.SortFunc(r.Failed, func(a, b FailedAttack) int {
		if c := a.Day.Compare(b.Day); c != 0 {
			return c
		}
		if c := strings.Compare(string(a.Tactic), string(b.Tactic)); c != 0 {
			return c
		}
		return strings.Compare(a.AccountID, b.AccountID)
	})
	p.reviews = append(p.reviews, r)
}
