package detect

import (
	"strings"
	"unsafe"

	"github.com/cairn-itdr/cairn/internal/activity"
)

const (
	maxDomains  = 256
	maxForwards = 1024
)

// TenantBook is what is known of the tenant as a whole: its domains, learned
// from the accounts seen acting in it, and which books hold marks whose
// judgement a newly learned domain changes.
type TenantBook struct {
	_        struct{}  `cbor:",toarray"`
	Domains  []string  // sorted
	Forwards []Forward // sorted
}

// Forward says that an account's book holds a mark that sends mail to a domain.
type Forward struct {
	_       struct{} `cbor:",toarray"`
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
	if a.AccountID == "" || a.Actor.Kind != activity.ActorUser || a.Result != activity.ResultSuccess {
		return ""
	}
	// Only accounts of the directory sign in to it as members and have mailboxes
	// in it; outsiders chat, and open what is shared with them.
	if !a.SignIn && a.Workload != "Exchange" {
		return ""
	}
	i := strings.LastIndexByte(a.Actor.Principal, '@')
	if i < 0 || strings.Contains(a.Actor.Principal, "#ext#") {
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

func (b *TenantBook) addForward(domain, account string, period int) bool {
	less := func(x, y *Forward) bool {
		if x.Domain != y.Domain {
			return x.Domain < y.Domain
		}
		if x.Account != y.Account {
			return x.Account < y.Account
		}
		return x.Period < y.Period
	}
	f := Forward{Domain: domain, Account: account, Period: period}
	i := 0
	for i < len(b.Forwards) && less(&b.Forwards[i], &f) {
		i++
	}
	if i < len(b.Forwards) && !less(&f, &b.Forwards[i]) {
		return false
	}
	var kept bool
	b.Forwards, kept = keep(b.Forwards, i, f, maxForwards)
	return kept
}

func (b *TenantBook) size() int {
	n := int(unsafe.Sizeof(*b))
	for _, d := range b.Domains {
		n += len(d) + 16
	}
	for i := range b.Forwards {
		n += len(b.Forwards[i].Domain) + int(unsafe.Sizeof(Forward{}))
	}
	return n
}
