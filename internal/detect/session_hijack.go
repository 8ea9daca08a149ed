package detect

import (
	"github.com/cairn-itdr/cairn/internal/activity"
)

// SessionHijack finds a session or token that went on in strange hands.
type SessionHijack struct{}

// Describe says what the rule is.
func (SessionHijack) Describe() Description {
	return Description{
		ID: "session-hijack", Title: "Session went on in strange hands",
		Behaviours: []string{"SESS-HIJACK", "TOKEN-REPLAY"}, Techniques: []string{"T1539", "T1550.004"},
		Needs: []activity.Source{activity.SourceUnifiedAudit, activity.SourceSignIn},
		Benign: "One session holds all programs of a device on every network it visits: another network, browser or unknown program says nothing. " +
			"The account's own device, its own or colleagues' networks clear.",
		Lowest: SeverityLow, Highest: SeverityCritical, Stage: StageEntry,
	}
}

func (rule SessionHijack) judgeAccount(v *accountView) ([]Finding, error) {
	return v.tell(rule.Describe().ID, func(s *strand) bool { return s.home != nil })
}
