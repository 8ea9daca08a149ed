package detect

import (
	"encoding/json"
	"regexp"
	"slices"
	"strings"
	"unicode"

	"github.com/cairn-itdr/cairn/internal/activity"
)

// What the rules about mail share: reading addresses and telling inside from outside.

// factOutside names the fact that lists addresses outside of the domains the
// record itself names; whether the tenant owns them by another domain is
// known only when the mark is judged.
const factOutside = "outside"

var addressPattern = regexp.MustCompile(`(?i)[a-z0-9._%+'=-]{1,64}@[a-z0-9-]{1,63}(\.[a-z0-9-]{1,63})+`)

// Addresses of one record: how many are looked at, how long one is at the most
// (RFC 5321, section 4.5.3.1), and how many bytes of them a mark remembers.
const (
	addressLimit = 1000
	addressBytes = 254
	joinedBytes  = 400
)

// addresses returns the mail addresses in a parameter's value, lower case,
// sorted, each once. Exchange writes them bare, "smtp:" before them, in
// brackets after a name, or several joined by ";". Those of sites not named
// before come first, so that many at one site do not hide the one elsewhere
// where only some are remembered.
func addresses(values ...string) []string {
	var all []string
	for _, v := range values {
		for _, m := range addressPattern.FindAllString(v, addressLimit) {
			if m = strings.TrimPrefix(strings.ToLower(m), "smtp="); len(m) <= addressBytes {
				all = append(all, m)
			}
		}
	}
	slices.Sort(all)
	all = slices.Compact(all)
	var first, more []string
	seen := make(map[string]bool)
	for _, address := range all {
		if s := site(domainOf(address)); !seen[s] {
			seen[s] = true
			first = append(first, address)
		} else {
			more = append(more, address)
		}
	}
	return append(first, more...)
}

// joined writes a list as a fact, as much of it as fits.
func joined(list []string) string {
	var b strings.Builder
	for i, s := range list {
		if i > 0 && b.Len()+len(s) >= joinedBytes {
			continue
		}
		if i > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(s[:min(len(s), addressBytes)])
	}
	return b.String()
}

// outside drops the addresses that lie in the domains the record names as its
// own: that of the actor, and that of the organisation in Exchange's records.
func outside(a *activity.Activity, all []string) []string {
	own := []string{domainOf(a.Actor.Principal), organizationDomain(a)}
	return slices.DeleteFunc(slices.Clone(all), func(address string) bool {
		d := domainOf(address)
		return slices.ContainsFunc(own, func(o string) bool { return o != "" && (d == o || strings.HasSuffix(d, "."+o)) })
	})
}

// organizationDomain is the tenant's first domain, which Exchange writes into its records.
func organizationDomain(a *activity.Activity) string {
	if name, ok := a.Parameter("OrganizationName"); ok {
		return strings.ToLower(name)
	}
	var record struct{ OrganizationName string }
	if json.Unmarshal(a.Raw, &record) != nil {
		return ""
	}
	return strings.ToLower(record.OrganizationName)
}

// split parts a list of addresses into those outside the tenant and the rest.
func (b *TenantBook) split(list string) (out, in []string) {
	for address := range strings.FieldsSeq(list) {
		if b.inside(domainOf(address)) {
			in = append(in, address)
		} else {
			out = append(out, address)
		}
	}
	return out, in
}

// objectName drops the path before the name of an Exchange object.
func objectName(s string) string {
	return quoteless(s[strings.LastIndexByte(s, '/')+1:])
}

// isTrue reads a boolean the ways Exchange writes one.
func isTrue(s string) bool {
	return strings.EqualFold(s, "true") || s == "1" || strings.EqualFold(s, "$true")
}

func truth(a *activity.Activity, name string) bool {
	v, _ := a.Parameter(name)
	return isTrue(v)
}

// text returns the named parameter, "" where the record has none.
func text(a *activity.Activity, name string) string {
	v, _ := a.Parameter(name)
	return strings.TrimSpace(v)
}

// nameless says that a rule's name hides: empty, or punctuation only. A short
// plain name is somebody's haste.
func nameless(name string) bool {
	return !strings.ContainsFunc(name, func(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) })
}

var (
	// securityWords are what an intruder hides from the owner (RULE-HIDE).
	securityWords = regexp.MustCompile(`(?i:\b(hack\w*|phish\w*|spam|scam|password|security|suspicious|unusual|help ?desk)\b)|\bIT\b`)
	// financeWords are what an intruder is after (RULE-HIDE, RULE-FWD).
	financeWords = regexp.MustCompile(`(?i)\b(invoices?|payments?|wire|bank|banking|payroll|remit\w*)\b`)
)

// evidence adds a mark to a finding.
func (f *Finding) evidence(m *Mark) { f.Evidence = append(f.Evidence, m.ID.String()) }

// raise returns the next higher severity.
func (s Severity) raise() Severity {
	switch s {
	case SeverityInfo:
		return SeverityLow
	case SeverityLow:
		return SeverityMedium
	case SeverityMedium:
		return SeverityHigh
	case SeverityHigh, SeverityCritical:
	}
	return SeverityCritical
}
