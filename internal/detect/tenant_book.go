package detect

import (
	"cmp"
	"slices"
	"strings"
	"unsafe"

	"github.com/cairn-itdr/cairn/internal/activity"
)

// The caps of a tenant's book. Microsoft allows a tenant 5,000 domains, and few
// have ten. A domain that has no room is outside, and a forward that has none is
// not judged again when its domain turns out to be the tenant's own: whoever
// fills this book makes more findings, not fewer.
const (
	maxDomains  = 1024
	maxForwards = 4096
)

// TenantBook is what is known of the tenant as a whole: its domains, learned
// from the accounts seen acting in it, which books hold marks whose judgement a
// newly learned domain changes, and which months have books at all, so that
// nobody looks for one where none can be.
type TenantBook struct {
	Periods  []int     // sorted: the months that have books
	Domains  []string  // sorted
	Forwards []Forward // sorted
}

// Forward says that an account's book holds a mark that sends mail to a domain.
type Forward struct {
	Domain  string
	Account string
	Period  int
}

// freeMail are domains at which anybody gets an address: never a tenant's own,
// whoever signs in with one.
var freeMail = map[string]bool{
	"gmail.com": true, "googlemail.com": true, "outlook.com": true, "hotmail.com": true, "live.com": true, "msn.com": true,
	"yahoo.com": true, "ymail.com": true, "aol.com": true, "icloud.com": true, "me.com": true, "gmx.com": true, "gmx.de": true,
	"gmx.net": true, "web.de": true, "mail.com": true, "mail.ru": true, "yandex.ru": true, "yandex.com": true, "zoho.com": true,
	"proton.me": true, "protonmail.com": true, "protonmail.ch": true, "tutanota.com": true, "tuta.io": true, "qq.com": true, "163.com": true,
}

// domainOf returns the lower-case domain of an address, "" where there is none.
func domainOf(address string) string {
	i := strings.LastIndexByte(address, '@')
	if i < 0 {
		return ""
	}
	return strings.Trim(strings.ToLower(address[i+1:]), " .>;,\"'")
}

// learn takes in the domain of an account of the tenant that acted with
// success, and returns it when it is new.
func (b *TenantBook) learn(a *activity.Activity) string {
	i := strings.LastIndexByte(a.Actor.Principal, '@')
	if i < 0 || !proves(a) {
		return ""
	}
	domain := a.Actor.Principal[i+1:]
	j, known := find(b.Domains, domain, func(s *string) string { return *s })
	if known || domain == "" || freeMail[domain] {
		return ""
	}
	domains, kept := keep(b.Domains, j, strings.Clone(domain), maxDomains)
	if !kept {
		return ""
	}
	b.Domains = domains
	return domain
}

// inside says whether domain is one of the tenant's, or lies below one.
func (b *TenantBook) inside(domain string) bool {
	for d := domain; d != ""; {
		if _, ok := find(b.Domains, d, func(s *string) string { return *s }); ok {
			return true
		}
		_, rest, ok := strings.Cut(d, ".")
		if !ok || !strings.Contains(rest, ".") {
			return false
		}
		d = rest
	}
	return false
}

func (b *TenantBook) addPeriod(period int) (added bool) {
	i, known := slices.BinarySearch(b.Periods, period)
	if !known {
		b.Periods = slices.Insert(b.Periods, i, period)
	}
	return !known
}

func (b *TenantBook) hasPeriod(period int) bool {
	_, ok := slices.BinarySearch(b.Periods, period)
	return ok
}

func (b *TenantBook) addForward(domain, account string, period int) bool {
	f := Forward{Domain: domain, Account: account, Period: period}
	i, known := slices.BinarySearchFunc(b.Forwards, f, func(x, y Forward) int {
		return cmp.Or(strings.Compare(x.Domain, y.Domain), strings.Compare(x.Account, y.Account), cmp.Compare(x.Period, y.Period))
	})
	if known {
		return false
	}
	var kept bool
	b.Forwards, kept = keep(b.Forwards, i, f, maxForwards)
	return kept
}

func (b *TenantBook) size() int {
	n := int(unsafe.Sizeof(*b)) + cap(b.Periods)*int(unsafe.Sizeof(0))
	for _, d := range b.Domains {
		n += len(d) + 16
	}
	for i := range b.Forwards {
		n += len(b.Forwards[i].Domain) + int(unsafe.Sizeof(Forward{}))
	}
	return n
}
