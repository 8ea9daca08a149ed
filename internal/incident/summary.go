package incident

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/cairn-itdr/cairn/ent/incident"
	"github.com/cairn-itdr/cairn/internal/detect"
)

// summary is what an incident's row says of its findings.
type summary struct {
	kind               incident.Kind
	severity           detect.Severity
	isLive             bool
	occurredAt, lastAt time.Time
	explanation        string
}

// shownExplanations is how many findings an incident's explanation repeats:
// the weightiest. The others are in the list of findings.
const shownExplanations = 3

func summarise(d *draft) summary {
	ordered := slices.SortedFunc(slices.Values(d.members), byTime)
	s := summary{kind: incident.KindLeftoverPersistence, severity: detect.SeverityInfo, occurredAt: ordered[0].OccurredAt}
	onlyHold := true
	for _, f := range ordered {
		if severityRank[f.Severity] > severityRank[s.severity] {
			s.severity = f.Severity
		}
		s.lastAt = latest(s.lastAt, f.LastAt)
		onlyHold = onlyHold && f.Stage == detect.StageHold
	}
	s.isLive = live(s.lastAt, d.DetectedAt)
	// What was left behind alone, and found late, is persistence whose
	// compromise is over or was never seen; all else is the account in an
	// attacker's hands.
	if !onlyHold || s.isLive {
		s.kind = incident.KindAccountCompromise
	}
	slices.SortStableFunc(ordered, func(x, y *claim) int { return severityRank[y.Severity] - severityRank[x.Severity] })
	var texts []string
	for _, f := range ordered {
		if !slices.Contains(texts, f.Explanation) {
			texts = append(texts, f.Explanation)
		}
	}
	if more := len(texts) - shownExplanations; more > 0 {
		texts = append(texts[:shownExplanations], fmt.Sprintf("And %d more in its findings.", more))
	}
	s.explanation = strings.Join(texts, " ")
	return s
}

// kindName names the kinds in texts.
var kindName = map[incident.Kind]string{
	incident.KindAccountCompromise:   "account compromise",
	incident.KindLeftoverPersistence: "leftover persistence",
}

func (g *grouping) title(kind incident.Kind) string {
	tenant, compromise := g.accountID == "", kind == incident.KindAccountCompromise
	switch {
	case tenant && compromise:
		return "Compromise of the tenant"
	case tenant:
		return "Leftover persistence in the tenant"
	case compromise:
		return "Account compromise of " + g.principal
	}
	return "Leftover persistence in the account of " + g.principal
}
