package detect

import (
	"fmt"
	"strings"

	"github.com/cairn-itdr/cairn/internal/activity"
)

// act is a rule about single acts that owners and administrators do, too: what
// it notes is evidence in a strand that is not the owner's. From where the
// account is at home it is told with low confidence, which opens no incident,
// unless it is loud. Most rules are acts: a name, operations, and a reading.
type act struct {
	Description

	ops  []string
	read func(a *activity.Activity) (what string, about string, w weight)
	// silent acts are told by the strand they are in alone.
	silent bool
	// atLeast is how many within an hour make a finding; 0 means 1.
	atLeast int
}

// Describe says what the rule is.
func (r act) Describe() Description {
	d := r.Description
	if d.Needs == nil {
		d.Needs = []activity.Source{activity.SourceUnifiedAudit, activity.SourceDirectoryAudit}
	}
	d.Lowest, d.Highest = SeverityLow, SeverityCritical
	return d
}

func (r act) operations() []string { return r.ops }

func (r act) note(a *activity.Activity) ([]Fact, weight) {
	if a.AccountID == "" && a.Actor.Kind != activity.ActorApplication {
		return nil, weightless
	}
	what, about, w := r.read(a)
	if w == weightless || a.AccountID == "" && w < weightBad {
		return nil, weightless
	}
	return []Fact{{Name: "what", Value: quoteless(what)}, {Name: "to", Value: quoteless(about)}}, w
}

// actSeverity is how bad an act of a weight is by itself.
var actSeverity = map[weight]Severity{
	weightLight: SeverityInfo, weightPoor: SeverityLow, weightBad: SeverityMedium, weightWorst: SeverityHigh,
}

func (r act) judgeAccount(v *accountView) ([]Finding, error) {
	if r.silent {
		return nil, nil
	}
	marks := v.marks(r.ID)
	if len(marks) < r.atLeast {
		return nil, nil
	}
	var found []Finding
	told := make(map[string]int)
	for i, m := range marks {
		if r.atLeast > 1 && !crowded(marks, i, r.atLeast) {
			continue
		}
		entry, err := v.entryNear(m)
		if err != nil {
			return nil, err
		}
		if entry == "" && m.Weight < weightBad && v.history(m.At) > 0 {
			continue // daily work at the usual place
		}
		links, err := v.links(m)
		if err != nil {
			return nil, err
		}
		about := m.Fact("to")
		if r.atLeast > 1 {
			about = ""
		}
		f := Finding{
			Key: fmt.Sprintf("%s|%s|%s|%d", r.ID, v.account, about, m.At.day()), Rule: r.ID, Stage: r.Stage, AccountID: v.account,
			Severity: actSeverity[m.Weight], Confidence: ConfidenceMedium, OccurredAt: m.At.time(), LastAt: m.At.time(), Links: links,
		}
		f.evidence(m)
		if to := m.Fact("to"); to != "" {
			f.Targets = []string{to}
		}
		f.Explanation = fmt.Sprintf("On %s%s: %s", when(m.At), v.from(m), m.Fact("what"))
		if m.Fact("to") != "" {
			f.Explanation += ", " + quoted(m.Fact("to"))
		}
		f.Explanation += "."
		v.company(&f, m, entry, m.Weight == weightWorst)
		if j, again := told[f.Key]; again {
			found[j].merge(&f)
			found[j].Targets = append(found[j].Targets, f.Targets...)
			continue
		}
		told[f.Key] = len(found)
		found = append(found, f)
	}
	return found, nil
}

// crowded says that at least n marks lie within an hour around the i-th.
func crowded(marks []*Mark, i, n int) bool {
	first, last := i, i
	for first > 0 && marks[i].At-marks[first-1].At <= hour {
		first--
	}
	for last+1 < len(marks) && marks[last+1].At-marks[i].At <= hour {
		last++
	}
	return last-first+1 >= n
}

// company settles what a finding about one act is worth: in a strand that is
// not the owner's it is worse and sure; alone, where the account has a history
// and nothing speaks against the place, it is doubtful unless it is loud.
func (v *accountView) company(f *Finding, m *Mark, entry string, loud bool) {
	switch {
	case entry != "":
		f.Severity, f.Confidence = max2(f.Severity.raise(), SeverityHigh), ConfidenceHigh
		f.Explanation += " It came " + entry + "."
	case loud:
	case m.Weight < weightBad:
		f.Confidence = ConfidenceLow
	case v.history(m.At) > 0:
		f.Confidence = ConfidenceLow
	}
}

func max2(a, b Severity) Severity {
	if severityRank(a) < severityRank(b) {
		return b
	}
	return a
}

// always reads a record of an operation that says enough by its name.
func always(what string, w weight) func(*activity.Activity) (string, string, weight) {
	return func(a *activity.Activity) (string, string, weight) { return what, objectName(a.Target), w }
}

// falsity says that a parameter is there and says no.
func falsity(a *activity.Activity, name string) bool {
	s, ok := a.Parameter(name)
	s = strings.TrimPrefix(strings.ToLower(strings.TrimSpace(s)), "$")
	return ok && (s == "false" || s == "0")
}
