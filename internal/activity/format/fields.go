package format

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/cairn-itdr/cairn/internal/activity"
)

// firstAddress returns the first candidate that is a person's place: of what
// there is, a public address that is no server of Microsoft's mail service
// comes before one that is, and before a private one.
func firstAddress(candidates ...addresses) netip.Addr {
	var found netip.Addr
	for _, c := range candidates {
		addr := activity.ParseAddress(string(c))
		if !addr.IsValid() {
			continue
		}
		if !addr.IsPrivate() && !activity.MailServer(addr) {
			return addr
		}
		if !found.IsValid() {
			found = addr
		}
	}
	return found
}

func truth(s string) bool { return strings.EqualFold(s, "true") || s == "1" }

// join returns the lists as one, without copying where only one has anything.
func join(lists ...[]activity.Parameter) []activity.Parameter {
	var out []activity.Parameter
	for _, list := range lists {
		switch {
		case len(list) == 0:
		case out == nil:
			out = slices.Clip(list)
		default:
			out = append(out, list...)
		}
	}
	return out
}

func badTime(member, value string) error {
	if value == "" {
		return reject("the record has no %s", member)
	}
	return reject("%s is no time: %q", member, cut(value, 40))
}
