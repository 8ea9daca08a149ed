package detect

import (
	"fmt"
	"strings"

	"github.com/cairn-itdr/cairn/internal/activity"
)

// TransportRule finds mail flow rules that send the tenant's mail out.
type TransportRule struct{}

// Describe says what the rule is.
func (TransportRule) Describe() Description {
	return Description{
		ID: "transport-rule", Title: "Transport rule sends mail out",
		Behaviours: []string{"XPORT"}, Techniques: []string{"T1114.003"},
		Needs:  []activity.Source{activity.SourceUnifiedAudit},
		Benign: "An archive product: a plain name, the vendor's domain, set by the usual administrator.",
		Lowest: SeverityInfo, Highest: SeverityCritical, Stage: StageHold,
	}
}

func (TransportRule) operations() []string { return []string{"New-TransportRule", "Set-TransportRule"} }

func (TransportRule) note(a *activity.Activity) ([]Fact, weight) {
	to := addresses(text(a, "BlindCopyTo"), text(a, "RedirectMessageTo"), text(a, "CopyTo"), text(a, "AddToRecipients"))
	out := outside(a, to)
	if len(out) == 0 {
		return nil, weightless
	}
	name := text(a, "Name")
	if name == "" {
		name = text(a, "Identity")
	}
	facts := []Fact{{Name: "name", Value: quoteless(name)}, {Name: factOutside, Value: joined(out)}}
	words := text(a, "SubjectOrBodyContainsWords") + " " + text(a, "SubjectContainsWords")
	if nameless(name) || financeWords.MatchString(words) || securityWords.MatchString(words) {
		return append(facts, Fact{Name: "loud", Value: "true"}), weightWorst
	}
	return facts, weightBad
}

func (rule TransportRule) judgeAccount(v *accountView) ([]Finding, error) {
	id := rule.Describe().ID
	var found []Finding
	for _, m := range v.marks(id) {
		out, in := v.tenant.split(m.Fact(factOutside))
		links, err := v.links(m)
		if err != nil {
			return nil, err
		}
		entry, err := v.entryNear(m)
		if err != nil {
			return nil, err
		}
		f := Finding{
			Key: id + "|" + m.ID.String(), Rule: id, Stage: StageHold, AccountID: v.account,
			Severity: SeverityHigh, Confidence: ConfidenceMedium, OccurredAt: m.At.time(), LastAt: m.At.time(),
			Links: links, Targets: append(out, in...),
		}
		f.evidence(m)
		where := "outside to "
		switch {
		case len(out) == 0:
			f.Severity, f.Confidence, where = SeverityInfo, ConfidenceLow, "inside the tenant to "
		case m.Fact("loud") != "" || entry != "":
			f.Severity, f.Confidence = SeverityCritical, ConfidenceHigh
		}
		if entry == "" && m.Fact("loud") == "" && v.history(m.At) > 0 {
			f.Confidence = ConfidenceLow
		}
		f.Explanation = fmt.Sprintf("On %s a transport rule %s was set%s. It sends the tenant's mail %s%s.", when(m.At),
			quoted(m.Fact("name")), v.from(m), where, quoteless(strings.Join(f.Targets, ", ")))
		if entry != "" {
			f.Explanation += " It came " + entry + "."
		}
		found = append(found, f)
	}
	return found, nil
}
