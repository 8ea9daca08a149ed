package detect

import "fmt"

// page is a book that the pass has at hand; book is nil where there is none.
type page struct {
	key     BookKey
	book    *Book
	loaded  bool
	changed bool
	judge   bool
	// sessions says that the pass saw a session for the first time.
	sessions bool
	// released are the accounts a source's book listed until it was found shared.
	released []string
}

// fetch brings books to the desk, in one query for all that are not there yet.
func (p *pass) fetch(keys ...BookKey) error {
	var missing []BookKey
	for _, k := range keys {
		g := p.page(k)
		if !g.loaded {
			g.loaded = true
			missing = append(missing, k)
		}
	}
	if len(missing) == 0 {
		return nil
	}
	books, err := p.ledger.Books(p.ctx, missing)
	if err != nil {
		return fmt.Errorf("read books: %w", err)
	}
	for k, b := range books {
		if g, ok := p.desk[k]; ok {
			g.book = b
		}
	}
	return nil
}

func (p *pass) page(k BookKey) *page {
	g, ok := p.desk[k]
	if !ok {
		g = &page{key: k}
		p.desk[k] = g
	}
	return g
}

// tenantKey is the key of the tenant's book.
var tenantKey = BookKey{Kind: BookTenant}

// create makes the books that are not there, and brings those of the months beside them.
func (p *pass) create(keys []BookKey) error {
	p.tenant = p.desk[tenantKey]
	if p.tenant.book == nil {
		p.tenant.book = newBook(BookTenant)
	}
	var neighbours []BookKey
	for _, k := range keys {
		if p.desk[k].book != nil {
			continue
		}
		p.created = append(p.created, p.desk[k])
		for _, n := range []BookKey{shift(k, -1), shift(k, 1)} {
			if p.tenant.book.Tenant.hasPeriod(n.Period) {
				neighbours = append(neighbours, n)
			}
		}
	}
	if err := p.fetch(neighbours...); err != nil {
		return err
	}
	for _, g := range p.created {
		g.book = newBook(g.key.Kind)
	}
	return nil
}

// keepCreated drops the new books nothing was written into, and tells each
// month of those beside it.
func (p *pass) keepCreated() {
	for _, g := range p.created {
		if !g.changed {
			g.book = nil
		}
	}
	for _, g := range p.created {
		if g.book == nil {
			continue
		}
		if p.tenant.book.Tenant.addPeriod(g.key.Period) {
			p.tenant.changed = true
		}
		p.join(p.page(shift(g.key, -1)), g)
		p.join(g, p.page(shift(g.key, 1)))
	}
}

// join tells two months that follow one another of each other, if both have a book.
func (p *pass) join(before, after *page) {
	if before.book == nil || after.book == nil {
		return
	}
	if b := before.book.beside(); *b&besideAfter == 0 {
		*b, before.changed = *b|besideAfter, true
	}
	if b := after.book.beside(); *b&besideBefore == 0 {
		*b, after.changed = *b|besideBefore, true
	}
}

func shift(k BookKey, months int) BookKey {
	k.Period += months
	return k
}

// beside is where the book keeps which of the months next to it have one, too.
func (b *Book) beside() *beside {
	if b.Account != nil {
		return &b.Account.Beside
	}
	return &b.Source.Beside
}

func (b *Book) overflow() {
	switch {
	case b.Account != nil:
		b.Account.overflow()
	case b.Source != nil:
		b.Source.overflow()
	}
}

func (b *Book) excess() excess {
	if b.Account != nil {
		return b.Account.Excess
	}
	return b.Source.Excess
}

func (b *Book) reported() *bool {
	if b.Account != nil {
		return &b.Account.Reported
	}
	return &b.Source.Reported
}
