package detect

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/cairn-itdr/cairn/internal/activity"
)

// StrangeSignIn finds sign-ins, and what follows them, that are not the owner's.
type StrangeSignIn struct{}

// Describe says what the rule is.
func (StrangeSignIn) Describe() Description {
	return Description{
		ID: "strange-sign-in", Title: "Sign-in that is not the owner's",
		Behaviours: []string{"AITM-RELAY", "AITM-ORDER", "DEVCODE", "LEGACY", "ROPC", "MFA-FATIGUE", "NET-BAD", "NET-TOR", "TRAVEL", "RISK", "SESS-NOENTRY"},
		Techniques: []string{"T1078.004", "T1557", "T1528", "T1621"},
		Needs:      []activity.Source{activity.SourceSignIn, activity.SourceUnifiedAudit},
		Benign: "A new network, country, browser or VPN alone is travel or habit; two of them are uncommon activity. An incident needs a sign and something " +
			"left behind, two signs and use, or what no person does: a kit's program at the portal, a device code used elsewhere, prompts refused and then approved, legacy authentication from a new place.",
		Lowest: SeverityLow, Highest: SeverityCritical, Stage: StageEntry,
	}
}

func (rule StrangeSignIn) judgeAccount(v *accountView) ([]Finding, error) {
	return v.tell(rule.Describe().ID, func(s *strand) bool { return s.home == nil })
}

// tell makes one finding of the strands of every session that match.
func (v *accountView) tell(rule string, match func(*strand) bool) ([]Finding, error) {
	strands, err := v.strangers()
	if err != nil {
		return nil, err
	}
	var found []Finding
	told := make(map[string]int)
	start, end := periodStart(v.period), periodStart(v.period+1)
	for _, s := range strands {
		verdict := s.verdict()
		if !match(s) || verdict == verdictNothing || s.began() >= end || !s.within(start) {
			continue
		}
		f := v.strandFinding(rule, s, verdict)
		if i, again := told[f.Key]; again {
			found[i].merge(&f)
			continue
		}
		told[f.Key] = len(found)
		found = append(found, f)
	}
	return found, nil
}

// within says that the strand began, or something of it happened, from start on.
func (s *strand) within(start moment) bool {
	return s.began() >= start || len(s.hold) > 0 || len(s.use) > 0
}

func (v *accountView) strandFinding(rule string, s *strand, verdict verdict) Finding {
	first := s.seen[0]
	kind, name := "session", s.session
	if s.token {
		kind = "token"
	}
	f := Finding{
		Rule: rule, Stage: StageEntry, AccountID: v.account, Severity: SeverityLow, Confidence: ConfidenceLow,
		OccurredAt: s.began().time(), LastAt: s.last.time(),
	}
	if name == "" {
		name = placeSession(first.place.Prefix, s.began())
	} else {
		f.Links = append(f.Links, kind+":"+name)
	}
	f.Key = fmt.Sprintf("%s|%s|%s|%d", rule, v.account, name, v.period)
	if verdict == verdictIncident {
		f.Severity, f.Confidence = SeverityHigh, ConfidenceMedium
		if s.alone != "" {
			f.Severity = s.grade
		}
		if s.alone != "" || len(s.entry) > 2 {
			f.Confidence = ConfidenceHigh
		}
	}
	witnesses := make([]Witness, 0, len(s.seen)+len(s.hold)+2)
	if s.home != nil {
		witnesses = append(witnesses, s.home.First)
	}
	for _, w := range s.seen {
		witnesses = append(witnesses, w.First)
		if w.First.Address.IsValid() && verdict == verdictIncident {
			f.Links = append(f.Links, "address:"+w.First.Address.String())
		}
	}
	var acts []string
	for _, m := range s.hold {
		witnesses = append(witnesses, m.Witness)
		acts = append(acts, v.pass.engine.titles[m.Rule])
	}
	for _, u := range s.use {
		acts = append(acts, u.what)
		for _, m := range u.marks {
			witnesses = append(witnesses, m.Witness)
		}
	}
	f.cite(witnesses)
	p := first.place
	f.Explanation = fmt.Sprintf("On %s the account was used from %s with %s", when(s.began()),
		describe(first.First.Address.String(), p.Kind.kind(), p.Number, v.owner(p.Number), p.Country), s.client())
	if s.home != nil {
		h := s.home.place
		f.Explanation += fmt.Sprintf(", in a %s that began at %s with %s on %s", kind,
			describe(s.home.First.Address.String(), h.Kind.kind(), h.Number, v.owner(h.Number), h.Country), h.Agent, when(s.home.First.At))
	}
	f.Explanation += "."
	if s.alone != "" {
		f.Explanation += " " + capital(s.alone) + "."
	}
	if len(s.entry) > 0 {
		f.Explanation += " Against it: " + strings.Join(s.entry, "; ") + "."
	}
	if len(acts) > 0 {
		slices.Sort(acts)
		f.Explanation += " Then: " + strings.Join(slices.Compact(acts), "; ") + "."
	}
	if n := v.history(s.began()); n > 0 {
		f.Explanation += fmt.Sprintf(" Held against %d days of history.", n)
	}
	f.Explanation += v.usual(s.began())
	return f
}

func capital(s string) string { return strings.ToUpper(s[:1]) + s[1:] }

// cite makes the witnesses the finding's evidence, oldest first, and stretches its end.
func (f *Finding) cite(all []Witness) {
	slices.SortFunc(all, func(a, b Witness) int { return a.compare(&b) })
	for i := range all {
		if id := all[i].ID.String(); !slices.Contains(f.Evidence, id) {
			f.Evidence = append(f.Evidence, id)
		}
		if t := all[i].At.time(); t.After(f.LastAt) {
			f.LastAt = t
		}
	}
}

// merge joins what another strand of the same session says: the worse speaks.
func (f *Finding) merge(o *Finding) {
	if cmp.Or(cmp.Compare(severityRank(o.Severity), severityRank(f.Severity)), cmp.Compare(len(o.Explanation), len(f.Explanation))) > 0 {
		f.Severity, f.Confidence, f.Explanation = o.Severity, o.Confidence, o.Explanation
	}
	if o.OccurredAt.Before(f.OccurredAt) {
		f.OccurredAt = o.OccurredAt
	}
	if o.LastAt.After(f.LastAt) {
		f.LastAt = o.LastAt
	}
	for _, id := range o.Evidence {
		if !slices.Contains(f.Evidence, id) {
			f.Evidence = append(f.Evidence, id)
		}
	}
	f.Links = append(f.Links, o.Links...)
}

func severityRank(s Severity) int {
	return slices.Index([]Severity{SeverityInfo, SeverityLow, SeverityMedium, SeverityHigh, SeverityCritical}, s)
}

// Marks of sign-ins that a strand is weighed with; they say nothing by themselves.
const (
	codeRule    = "device-code"
	promptRule  = "refused-prompt"
	consentRule = "app-consent"
)

// DeviceCode notes sign-ins by a code typed elsewhere.
type DeviceCode struct{}

// Describe says what the rule is.
func (DeviceCode) Describe() Description {
	return Description{
		ID: codeRule, Title: "Sign-in by device code (evidence only)", Stage: StageEntry,
		Behaviours: []string{"DEVCODE"}, Techniques: []string{"T1528"}, Needs: []activity.Source{activity.SourceSignIn, activity.SourceUnifiedAudit},
		Benign: "Meeting rooms, televisions, engineers: says nothing until the token is used on another network than the code was approved on.",
		Lowest: SeverityInfo, Highest: SeverityInfo,
	}
}

func (DeviceCode) operations() []string {
	return []string{"UserLoggedIn", "UserLoginFailed", "Sign-in"}
}

func (DeviceCode) note(a *activity.Activity) ([]Fact, weight) {
	if signsOf(a, 0)&signDeviceCode == 0 {
		return nil, weightless
	}
	return []Fact{{Name: "app", Value: quoteless(a.Application.ID)}}, weightLight
}

// RefusedPrompt notes refused prompts for a second factor.
type RefusedPrompt struct{}

// Describe says what the rule is.
func (RefusedPrompt) Describe() Description {
	return Description{
		ID: promptRule, Title: "Refused prompt for a second factor (evidence only)", Stage: StageEntry,
		Behaviours: []string{"MFA-FATIGUE"}, Techniques: []string{"T1621"}, Needs: []activity.Source{activity.SourceSignIn, activity.SourceUnifiedAudit},
		Benign: "A telephone that is off: says nothing until three are refused and one is approved at a place that is not the owner's.",
		Lowest: SeverityInfo, Highest: SeverityInfo,
	}
}

func (RefusedPrompt) operations() []string { return []string{"UserLoginFailed", "Sign-in"} }
func (RefusedPrompt) notesFailures()       {}

// mfaRefused is Entra's number for a second factor that was refused or not answered.
const mfaRefused = 500121

func (RefusedPrompt) note(a *activity.Activity) ([]Fact, weight) {
	if a.ErrorCode != mfaRefused {
		return nil, weightless
	}
	return []Fact{{Name: "app", Value: quoteless(a.Application.ID)}}, weightLight
}
