package detect

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/cairn-itdr/cairn/internal/activity"
)

// LogFlooding finds accounts that left more in a month than a book can keep:
// more sessions, places or telling acts than any person has. Whoever does that
// may want something else not to be seen.
type LogFlooding struct{}

// floodEvidence is how many of its records a flood is shown by.
const floodEvidence = 10

// Describe says what the rule is.
func (LogFlooding) Describe() Description {
	return Description{
		ID: "log-flooding", Title: "More activity than a person leaves",
		Techniques: []string{"T1562"},
		Needs:      []activity.Source{activity.SourceUnifiedAudit, activity.SourceSignIn},
		Benign:     "A program that signs in anew for every task: it does so from a place the account has used for days, or from the account's first days on. Told as LOW, opens nothing.",
		Lowest:     SeverityLow, Highest: SeverityHigh, Stage: StageHold,
	}
}

func (rule LogFlooding) judgeAccount(v *accountView) ([]Finding, error) {
	b := v.cur
	if b.Excess&excessLoud == 0 {
		return nil, nil
	}
	id := rule.Describe().ID
	f := Finding{
		Key: fmt.Sprintf("%s|%s|%d", id, v.account, v.period), Rule: id, Stage: StageHold, AccountID: v.account,
		Severity: SeverityLow, Confidence: ConfidenceLow,
	}
	var what []string
	for _, x := range []struct {
		of   excess
		text string
	}{
		{excessSessions, fmt.Sprintf("more than %d sessions", maxSessions)},
		{excessPlaces, fmt.Sprintf("more than %d places", maxPlaces)},
		{excessLooks, fmt.Sprintf("one session with more than %d kinds of client", maxSightings)},
		{excessMarks, fmt.Sprintf("more than %d acts of one kind that intruders do", maxMarks)},
	} {
		if b.Excess&x.of != 0 {
			what = append(what, x.text)
		}
	}
	seen, place, err := v.busiest()
	if err != nil {
		return nil, err
	}
	where := ""
	if place != nil {
		strange, err := v.strange(place, seen[0].At)
		if err != nil {
			return nil, err
		}
		known, err := v.familiar(place, seen[0].At)
		if err != nil {
			return nil, err
		}
		switch {
		case known || v.history(seen[0].At) < youngDays:
		case strange != "":
			f.Severity, f.Confidence = SeverityHigh, ConfidenceMedium
		default:
			f.Severity, f.Confidence = SeverityMedium, ConfidenceMedium
		}
		where = ", most at one network from " + describe(seen[0].Address.String(), place.Kind.kind(), place.Number, v.owner(place.Number), place.Country)
	}
	if b.Excess&excessMarks != 0 {
		f.Severity, f.Confidence = SeverityHigh, ConfidenceMedium
		for i := range b.Marks {
			if b.Marks[i].Weight > weightLight {
				seen = append(seen, b.Marks[i].Witness)
			}
		}
	}
	if len(seen) == 0 {
		return nil, nil
	}
	first, last := seen[0], seen[0]
	for i, w := range seen {
		if i < floodEvidence {
			f.Evidence = append(f.Evidence, w.ID.String())
		}
		if w.compare(&first) < 0 {
			first = w
		}
		if w.compare(&last) > 0 {
			last = w
		}
	}
	f.OccurredAt, f.LastAt = first.At.time(), last.At.time()
	f.Explanation = fmt.Sprintf("From %s to %s the account left %s%s: more than is kept, and more than a person leaves. "+
		"Other acts may hide among them.", when(first.At), when(last.At), strings.Join(what, ", "), where)
	return []Finding{f}, nil
}

// busiest returns the first uses of sessions at the network most of them were
// used at, oldest first, and the place of the first; nil where the book has
// none. Where most were used at places that were not the account's own, be
// they one or many, it is the busiest of these.
func (v *accountView) busiest() ([]Witness, *Place, error) {
	type use struct {
		Witness
		place *Place
	}
	own, other := make(map[netip.Prefix][]use), make(map[netip.Prefix][]use)
	balance := 0
	looks := v.cur.Excess&excessLoud == excessLooks // then the sessions with few have no part in it
	for i := range v.cur.Sessions {
		if looks && len(v.cur.Sessions[i].Seen) < maxSightings {
			continue
		}
		for _, x := range v.cur.Sessions[i].Seen {
			p := v.cur.place(x.Place)
			if p == nil {
				continue
			}
			known, err := v.familiar(p, x.First.At)
			if err != nil {
				return nil, nil, err
			}
			if known {
				own[p.Prefix] = append(own[p.Prefix], use{x.First, p})
				balance++
			} else {
				other[p.Prefix] = append(other[p.Prefix], use{x.First, p})
				balance--
			}
		}
	}
	uses := own
	if balance < 0 {
		uses = other
	}
	var best netip.Prefix
	for prefix, list := range uses {
		if cmp.Or(cmp.Compare(len(list), len(uses[best])), comparePrefixes(best, prefix)) > 0 {
			best = prefix
		}
	}
	most := uses[best]
	if len(most) == 0 {
		return nil, nil, nil
	}
	slices.SortFunc(most, func(x, y use) int { return x.compare(&y.Witness) })
	seen := make([]Witness, len(most))
	for i := range most {
		seen[i] = most[i].Witness
	}
	return seen, most[0].place, nil
}

func comparePrefixes(a, b netip.Prefix) int {
	return cmp.Or(a.Addr().Compare(b.Addr()), cmp.Compare(a.Bits(), b.Bits()))
}
