package detect

import (
	"fmt"
	"slices"
	"strings"

	"github.com/cairn-itdr/cairn/internal/activity"
)

// SessionHijack finds one session or token in use on two unrelated networks.
type SessionHijack struct{}

// hijackDifferences is how many of network number, country, system, browser
// family and device id must differ (SESS-HIJACK).
const hijackDifferences = 2

// bothDays is how many days running in two countries are no travel any more:
// the days of departure and return show both.
const bothDays = 3

// travelGap is the least time a person needs between two countries.
const travelGap = 2 * hour

// Describe says what the rule is.
func (SessionHijack) Describe() Description {
	return Description{
		ID: "session-hijack", Title: "Session in use on two unrelated networks",
		Behaviours: []string{"SESS-HIJACK"}, Techniques: []string{"T1539", "T1550.004"},
		Needs:  []activity.Source{activity.SourceUnifiedAudit, activity.SourceSignIn},
		Benign: "Wi-Fi and phone, two address families, a known VPN or gateway, a privacy relay, travel: the same device id, or the same client on the same kind of network.",
		Lowest: SeverityMedium, Highest: SeverityCritical, Stage: StageEntry,
	}
}

// where is a session's use of one place over both months.
type where struct {
	Sighting
	place *Place
}

func (rule SessionHijack) judgeAccount(v *accountView) ([]Finding, error) {
	var found []Finding
	claimed := make(map[string]bool) // pairs of networks a session explains: a token of it says nothing new
	for _, tokens := range []bool{false, true} {
		for i := range v.cur.Sessions {
			s := &v.cur.Sessions[i]
			if s.Token != tokens {
				continue
			}
			f, pair, err := rule.session(v, s)
			if err != nil {
				return nil, err
			}
			if pair == "" || tokens && claimed[pair] {
				continue
			}
			claimed[pair] = true
			found = append(found, f)
		}
	}
	return found, nil
}

// session looks at one session. It returns the pair of networks that makes the
// finding, "" where there is none.
func (rule SessionHijack) session(v *accountView, s *Session) (Finding, string, error) {
	if len(s.Seen) < 2 && !s.Carried {
		return Finding{}, "", nil
	}
	seen := v.sightings(s)
	if len(seen) < 2 {
		return Finding{}, "", nil
	}
	start := periodStart(v.period)
	for i := range seen {
		for j := range seen {
			home, other := &seen[i], &seen[j]
			if i == j || max(home.First.At, other.First.At) < start {
				continue // told in the month before
			}
			differ, err := v.unrelated(home, other, seen)
			if err != nil {
				return Finding{}, "", err
			}
			if len(differ) > 0 {
				return rule.finding(v, s, seen, home, other, differ), pairName(home.place, other.place), nil
			}
		}
	}
	return Finding{}, "", nil
}

func pairName(a, b *Place) string {
	x, y := a.Prefix.String(), b.Prefix.String()
	return min(x, y) + " " + max(x, y)
}

// sightings returns where the session was used in both months, oldest first.
// The slice is good until the next call.
func (v *accountView) sightings(s *Session) []where {
	all := v.scratch[:0]
	defer func() { v.scratch = all }()
	add := func(b *AccountBook, key uint64) {
		if b == nil {
			return
		}
		i, ok := find(b.Sessions, key, func(s *Session) uint64 { return s.Key })
		if !ok {
			return
		}
		for _, x := range b.Sessions[i].Seen {
			j := slices.IndexFunc(all, func(w where) bool { return w.Place == x.Place })
			if j >= 0 {
				all[j].Last = max(all[j].Last, x.Last)
				continue
			}
			if p := v.place(x.Place); p != nil {
				all = append(all, where{x, p})
			}
		}
	}
	if s.Carried {
		add(v.prev, s.Key) // first, for the earlier month has the first use
	}
	add(v.cur, s.Key)
	slices.SortFunc(all, func(a, b where) int { return a.First.compare(&b.First) })
	return all
}

// unrelated names what differs between the account's place and another at
// which the same session was used, nil where an innocent story explains it:
// other is then no stranger's place.
func (v *accountView) unrelated(home, other *where, seen []where) ([]string, error) {
	a, b := home.place, other.place
	if a.Number == b.Number && a.Number != 0 || a.Prefix == b.Prefix || innocent(a, b) {
		return nil, nil
	}
	differ := differences(a, b)
	if len(differ) < hijackDifferences {
		return nil, nil
	}
	known, err := v.familiar(b, other.First.At)
	if err != nil || known {
		return nil, err
	}
	// Of two strange places the stranger one is the intruder's: the rented one, else the later.
	homeKnown, err := v.familiar(a, home.First.At)
	if err != nil {
		return nil, err
	}
	if !homeKnown {
		ra, rb := rented(a.Kind.kind()), rented(b.Kind.kind())
		if ra && !rb || ra == rb && home.First.At > other.First.At {
			return nil, nil
		}
	}
	if slices.Equal(differ, []string{differNetwork, differCountry}) && v.moved(home, other, seen) {
		return nil, nil
	}
	return differ, nil
}

const (
	differNetwork = "network"
	differCountry = "country"
)

// differences names what is known to differ. What is unknown never differs.
func differences(a, b *Place) []string {
	var d []string
	if a.Number != b.Number && a.Number != 0 && b.Number != 0 {
		d = append(d, differNetwork)
	}
	if a.Country != b.Country && a.Country != "" && b.Country != "" {
		d = append(d, differCountry)
	}
	if x, y := a.Agent.OS(), b.Agent.OS(); x != y && x != OSUnknown && y != OSUnknown {
		d = append(d, "operating system")
	}
	// Programs of one device share its session, so only browsers, and what
	// people do not use, tell clients apart.
	telling := func(f Family) bool { return f.browser() || f.programmatic() }
	if x, y := a.Agent.Family(), b.Agent.Family(); x != y && telling(x) && telling(y) {
		d = append(d, "client")
	}
	if a.Device != b.Device && a.Device != 0 && b.Device != 0 {
		d = append(d, "device")
	}
	return d
}

// innocent knows the stories that need no history (detections.md, "What detection must not flag").
func innocent(a, b *Place) bool {
	if a.Device == b.Device && a.Device != 0 {
		return true
	}
	sameAgent := a.Agent == b.Agent && a.Agent.Family() != FamilyUnknown
	sameOS := a.Agent.OS() == b.Agent.OS() && a.Agent.OS() != OSUnknown
	sameCountry := a.Country == b.Country
	ka, kb := a.Kind.kind(), b.Kind.kind()
	switch {
	case sameAgent && sameCountry && ka == kb && !rented(ka):
		return true // Wi-Fi here, Wi-Fi there
	case sameOS && sameCountry && peoples(ka) && peoples(kb):
		return true // Wi-Fi and phone
	case sameAgent && sameCountry && a.Prefix.Addr().Is4() != b.Prefix.Addr().Is4() && !rented(ka) && !rented(kb):
		return true // two address families
	case relayed(a) && b.Agent.OS().apple(), relayed(b) && a.Agent.OS().apple():
		return true
	case (ka == activity.NetworkGateway || kb == activity.NetworkGateway || ka == activity.NetworkSatellite || kb == activity.NetworkSatellite) && sameAgent:
		return true // a company's gateway, an aeroplane
	}
	return false
}

// relayed says that a privacy relay explains the network: only Apple's clients use it.
func relayed(p *Place) bool {
	return p.Kind.kind() == activity.NetworkRelay && p.Agent.OS().apple()
}

// moved says that the owner may have taken the client along: nothing is known
// to differ but network and country. That is travel, unless both countries are
// in use at once; or a VPN, if the account is young, the network was used before
// or shows a system known from elsewhere.
func (v *accountView) moved(home, other *where, seen []where) bool {
	a, b := home.place, other.place
	if !rented(a.Kind.kind()) && !rented(b.Kind.kind()) {
		return !v.atOnce(a.Country, other, seen)
	}
	if !rented(b.Kind.kind()) || a.Agent == b.Agent && a.Agent.Family() != FamilyUnknown || v.history(other.First.At) < youngDays {
		return true
	}
	earlier := other.First.At - youngDays*daySpan
	return v.used(earlier, func(q *Place) bool { return q.Number == b.Number && q.Number != 0 }) > 0 ||
		v.any(func(q *Place) bool {
			return q.Prefix == b.Prefix && q.Agent.OS() != OSUnknown &&
				v.any(func(h *Place) bool { return h.Prefix != b.Prefix && h.Agent.OS() == q.Agent.OS() })
		})
}

// any says whether a place of the two months matches.
func (v *accountView) any(match func(*Place) bool) bool {
	for _, b := range []*AccountBook{v.prev, v.cur} {
		for i := range b.places() {
			if match(&b.Places[i]) {
				return true
			}
		}
	}
	return false
}

// roams says that the place may be a telephone's: abroad it keeps an address of
// its carrier at home, so it doesn't say where its owner is.
func (p *Place) roams() bool {
	os := p.Agent.OS()
	return os == OSiOS || os == OSAndroid || p.Kind.kind() == activity.NetworkMobile
}

// sedentary says that the place is surely where its user is.
func (p *Place) sedentary() bool { return p.Agent.OS() != OSUnknown && !p.roams() }

// atOnce says that the session was used in the country within less time than
// it takes to come from where other is, or that the account was used in both
// countries on bothDays days running.
func (v *accountView) atOnce(country string, other *where, seen []where) bool {
	for i := range seen {
		if seen[i].place.Country != country || !seen[i].place.sedentary() || other.place.roams() {
			continue
		}
		for _, t := range []moment{seen[i].First.At, seen[i].last()} {
			for _, u := range []moment{other.First.At, other.last()} {
				if max(t-u, u-t) < travelGap {
					return true
				}
			}
		}
	}
	here, there := uint64(0), uint64(0) // days of both months
	for i, b := range []*AccountBook{v.prev, v.cur} {
		for j := range b.places() {
			days := uint64(b.Places[j].Days)
			if i == 1 {
				days <<= periodStart(v.period).day() - periodStart(v.period-1).day()
			}
			switch p := &b.Places[j]; {
			case p.Country == country && p.sedentary():
				here |= days
			case p.Country == other.place.Country && !p.roams():
				there |= days
			}
		}
	}
	both := here & there
	for range bothDays - 1 {
		both &= both >> 1
	}
	return both != 0
}

func (rule SessionHijack) finding(v *accountView, s *Session, seen []where, home, other *where, differ []string) Finding {
	id := rule.Describe().ID
	kind := "session"
	if s.Token {
		kind = "token"
	}
	name := fullID(s.ID)
	f := Finding{
		Key: fmt.Sprintf("%s|%s|%s|%d", id, v.account, name, v.period), Rule: id, Stage: StageEntry, AccountID: v.account,
		OccurredAt: other.First.At.time(), LastAt: other.last().time(), Links: []string{kind + ":" + name},
		Severity: SeverityMedium, Confidence: ConfidenceMedium,
	}
	b := other.place
	// Every place of the session on the intruder's network belongs to the story.
	for i := range seen {
		w := &seen[i]
		if w.place.Prefix == b.Prefix {
			f.Evidence = append(f.Evidence, w.First.ID.String())
			if w.First.Address.IsValid() {
				f.Links = append(f.Links, "address:"+w.First.Address.String())
			}
			if t := w.last().time(); t.After(f.LastAt) {
				f.LastAt = t
			}
			if t := w.First.At.time(); t.Before(f.OccurredAt) {
				f.OccurredAt = t
			}
		} else if w.Place == home.Place {
			f.Evidence = append(f.Evidence, w.First.ID.String())
		}
	}
	if rented(b.Kind.kind()) {
		f.Severity = SeverityHigh
	}
	if b.Agent.Family().programmatic() && !home.place.Agent.Family().programmatic() {
		f.Severity, f.Confidence = f.Severity.raise(), ConfidenceHigh
	}
	if b.Kind.kind() == activity.NetworkTor || len(differ) > hijackDifferences {
		f.Confidence = ConfidenceHigh
	}
	if home.place.Agent == b.Agent {
		f.Confidence = ConfidenceLow
	}
	a := home.place
	f.Explanation = fmt.Sprintf("One %s was used from %s with %s on %s, and from %s with %s on %s: %s differ.%s", kind,
		describe(home.First.Address.String(), a.Kind.kind(), a.Number, v.owner(a.Number), a.Country), a.Agent, when(home.First.At),
		describe(other.First.Address.String(), b.Kind.kind(), b.Number, v.owner(b.Number), b.Country), b.Agent, when(other.First.At),
		strings.Join(differ, ", "), v.usual(other.First.At))
	return f
}
