package detect

import (
	"cmp"
	"fmt"
	"net/netip"
	"strings"

	"github.com/cairn-itdr/cairn/internal/activity"
)

// youngDays is the history below which "never seen" says nothing (detections.md,
// "Signals per login": a baseline under seven days is young).
const youngDays = 7

// knownDays is on how many separate days a network must have been used to be the account's own.
const knownDays = 3

// accountView is what an account rule sees: a month, the month before, and
// what the tenant's other books say of its places.
type accountView struct {
	pass      *pass
	account   string
	period    int
	prev, cur *AccountBook
	tenant    *TenantBook
	findings  []Finding // of the rules before

	strands      []*strand // see strangers
	strandsKnown bool
	scratch      []where
	known        map[knownKey]bool // see familiar
	homes        map[int]string    // by day: see usual
}

func (p *pass) judgeAccount(g *page, before *Book) (Review, error) {
	v := &accountView{pass: p, account: g.key.Subject, period: g.key.Period, cur: g.book.Account}
	if before != nil {
		v.prev = before.Account
	}
	if err := p.fetch(tenantKey); err != nil {
		return Review{}, err
	}
	v.tenant = &TenantBook{}
	if t := p.page(tenantKey).book; t != nil {
		v.tenant = t.Tenant
	}
	for _, r := range p.engine.accounts {
		found, err := r.judgeAccount(v)
		if err != nil {
			return Review{}, fmt.Errorf("rule %s: %w", r.Describe().ID, err)
		}
		v.findings = append(v.findings, found...)
	}
	return Review{Findings: v.findings}, nil
}

// marks returns the month's marks of a rule, oldest first.
func (v *accountView) marks(rule string) []*Mark {
	return marksOf(v.cur, rule)
}

func marksOf(b *AccountBook, rule string) []*Mark {
	var marks []*Mark
	if b != nil {
		for i := range b.Marks {
			if b.Marks[i].Rule == rule {
				marks = append(marks, &b.Marks[i])
			}
		}
	}
	return marks
}

// place returns the place with this key, nil where it is not known.
func (v *accountView) place(key uint64) *Place {
	if p := v.cur.place(key); p != nil {
		return p
	}
	return v.prev.place(key)
}

func (v *accountView) owner(number uint32) string {
	if o := v.cur.owner(number); o != "" {
		return o
	}
	return v.prev.owner(number)
}

// used counts the separate days before t's on which the account used a place that matches.
func (v *accountView) used(t moment, match func(*Place) bool) int {
	n := 0
	for i, b := range []*AccountBook{v.prev, v.cur} {
		if b == nil {
			continue
		}
		var mask uint32
		for j := range b.Places {
			if match(&b.Places[j]) {
				mask |= b.Places[j].Days
			}
		}
		n += daysBefore(mask, v.period-1+i, t.day())
	}
	return n
}

// history returns how many days before t the account was first seen.
func (v *accountView) history(t moment) int {
	if d, ok := v.prev.firstDay(v.period - 1); ok {
		return t.day() - d
	}
	if d, ok := v.cur.firstDay(v.period); ok {
		return t.day() - d
	}
	return 0
}

// gateway says whether the prefix was a known gateway of the tenant before t's day.
func (v *accountView) gateway(prefix netip.Prefix, t moment) (bool, error) {
	period := periodOf(t.time())
	cur := BookKey{Kind: BookSource, Subject: prefix.String(), Period: period}
	prev := shift(cur, -1)
	if err := v.pass.fetch(cur, prev); err != nil {
		return false, err
	}
	var c, p *SourceBook
	if b := v.pass.page(cur).book; b != nil {
		c = b.Source
	}
	if b := v.pass.page(prev).book; b != nil {
		p = b.Source
	}
	return gatewaySince(p, c, period) < t.day(), nil
}

// knownKey is what familiarity rests on: a place, and the day it was used on.
type knownKey struct {
	place uint64
	day   int
}

// familiar says whether the place was the account's own, or a known gateway,
// before t's day. A full book asks that often.
func (v *accountView) familiar(p *Place, t moment) (bool, error) {
	k := knownKey{p.key, t.day()}
	if known, ok := v.known[k]; ok {
		return known, nil
	}
	known, err := v.own(p, t)
	if err == nil {
		if v.known == nil {
			v.known = make(map[knownKey]bool)
		}
		v.known[k] = known
	}
	return known, err
}

func (v *accountView) own(p *Place, t moment) (bool, error) {
	if v.used(t, func(q *Place) bool {
		return q.Prefix == p.Prefix || p.Number != 0 && q.Number == p.Number && q.Country == p.Country && q.Kind == p.Kind
	}) >= knownDays {
		return true, nil
	}
	return v.gateway(p.Prefix, t)
}

// strange says why an act at the place would be an entry sign, "" where it is
// none: a rented network that is neither the account's own nor a gateway, or a
// country never used in a history that is long enough to tell.
func (v *accountView) strange(p *Place, t moment) (string, error) {
	if p == nil {
		return "", nil
	}
	known, err := v.familiar(p, t)
	if err != nil || known {
		return "", err
	}
	kind := p.Kind.kind()
	if rented(kind) {
		return "from " + kindNames[kind] + " the account does not use", nil
	}
	if v.history(t) < youngDays {
		return "", nil
	}
	if p.Country != "" && v.used(t, func(q *Place) bool { return q.Country == p.Country }) == 0 {
		return "from a country new for the account", nil
	}
	return "", nil
}

// entryNear returns why an act is under suspicion: the strand it belongs to is
// not the owner's by some sign. "" where nothing is.
func (v *accountView) entryNear(m *Mark) (string, error) {
	if _, err := v.strangers(); err != nil {
		return "", err
	}
	s := v.strandOf(m)
	switch {
	case s == nil:
		return "", nil
	case s.verdict() == verdictIncident && s.alone != "":
		return "in a session of which " + s.alone, nil
	case s.verdict() == verdictIncident && len(s.entry) > 0:
		return "in a session of which " + s.entry[0], nil
	case s.verdict() == verdictIncident:
		return "in a session from a network new for the account", nil
	}
	return "", nil
}

// from names the place of a mark for people: " from ADDRESS (…)", "" where unknown.
func (v *accountView) from(m *Mark) string {
	p := v.place(m.Place)
	if p == nil {
		return ""
	}
	return " from " + describe(m.Address.String(), p.Kind.kind(), p.Number, v.owner(p.Number), p.Country)
}

// usual says where the account is at home, for people: the network used on most
// days before t. "" where none was used on enough days to be the account's own:
// nothing may be called usual that strange calls foreign.
func (v *accountView) usual(t moment) string {
	text, known := v.homes[t.day()]
	if !known {
		if v.homes == nil {
			v.homes = make(map[int]string)
		}
		text = v.home(t)
		v.homes[t.day()] = text
	}
	return text
}

func (v *accountView) home(t moment) string {
	type home struct {
		number  uint32
		country string
	}
	days := make(map[home]int)
	for i, b := range []*AccountBook{v.prev, v.cur} {
		masks := make(map[home]uint32)
		for j := range b.places() {
			masks[home{b.Places[j].Number, b.Places[j].Country}] |= b.Places[j].Days
		}
		for h, mask := range masks {
			days[h] += daysBefore(mask, v.period-1+i, t.day())
		}
	}
	var best home
	for h, n := range days {
		if cmp.Or(cmp.Compare(n, days[best]), cmp.Compare(best.number, h.number), strings.Compare(best.country, h.country)) > 0 {
			best = h
		}
	}
	if days[best] < knownDays {
		return ""
	}
	name := v.owner(best.number)
	if name == "" {
		name = fmt.Sprintf("AS%d", best.number)
	}
	return fmt.Sprintf(" Usual for the account: %s, %s (%d days).", quoteless(name), best.country, days[best])
}

// links ties a finding to the session of its mark and, where the place is not
// the account's own, to its address.
func (v *accountView) links(m *Mark) ([]string, error) {
	var links []string
	if m.Session != "" {
		links = append(links, "session:"+fullID(m.Session))
	}
	why, err := v.strange(v.place(m.Place), m.At)
	if err == nil && why != "" && m.Address.IsValid() {
		links = append(links, "address:"+m.Address.String())
	}
	return links, err
}

// sourceView is what a source rule sees: a month and the month before.
type sourceView struct {
	prefix    string
	period    int
	prev, cur *SourceBook
	since     int             // the absolute day by which it is a gateway
	found     map[string]bool // account and day that a rule before has claimed
}

func (p *pass) judgeSource(g *page, before *Book) Review {
	v := &sourceView{prefix: g.key.Subject, period: g.key.Period, cur: g.book.Source, found: make(map[string]bool)}
	if before != nil {
		v.prev = before.Source
	}
	v.since = gatewaySince(v.prev, v.cur, v.period)
	var r Review
	for _, rule := range p.engine.sources {
		findings, failed := rule.judgeSource(v)
		r.Findings = append(r.Findings, findings...)
		r.Failed = append(r.Failed, failed...)
	}
	return r
}

// source is the one of the two months that knows the network.
func (v *sourceView) source() *SourceBook {
	if v.cur.Number != 0 || v.cur.Kind != 0 || v.prev == nil {
		return v.cur
	}
	return v.prev
}

func (v *sourceView) network() activity.Network {
	s := v.source()
	return activity.Network{Number: s.Number, Owner: s.Owner, Kind: s.Kind.kind()}
}

func (v *sourceView) describe(address netip.Addr) string {
	s := v.source()
	text := v.prefix
	if address.IsValid() {
		text = address.String()
	}
	return describe(text, s.Kind.kind(), s.Number, s.Owner, s.Country)
}

// daysUsed counts the separate days before the given one on which the account
// was used from here with success.
func (v *sourceView) daysUsed(account string, day int) int {
	n := 0
	if u := v.prev.user(account); u != nil {
		n += daysBefore(u.Days, v.period-1, day)
	}
	if u := v.cur.user(account); u != nil {
		n += daysBefore(u.Days, v.period, day)
	}
	return n
}
