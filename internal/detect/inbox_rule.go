package detect

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/cairn-itdr/cairn/internal/activity"
)

// InboxRule finds inbox rules that hide mail or send it out.
type InboxRule struct{}

// Scores and thresholds of RULE-HIDE.
const (
	hideNameless       = 3
	hideDelete         = 2
	hideFolder         = 2
	hideRead           = 1
	hideSecurityWords  = 2
	hideFinanceWords   = 1
	hideEverything     = 2
	hideFires          = 4
	hideFiresWithEntry = 2
)

// Describe says what the rule is.
func (InboxRule) Describe() Description {
	return Description{
		ID: "inbox-rule", Title: "Malicious inbox rule",
		Behaviours: []string{"RULE-HIDE", "RULE-FWD"}, Techniques: []string{"T1564.008", "T1114.003"},
		Needs:  []activity.Source{activity.SourceUnifiedAudit},
		Benign: "Newsletters sorted into a folder, one sender's mail deleted: a plain name, one sender, the usual place. Forwarding to an address of the tenant is informational.",
		Lowest: SeverityInfo, Highest: SeverityCritical, Stage: StageHold,
	}
}

func (InboxRule) operations() []string {
	return []string{"New-InboxRule", "Set-InboxRule", "Enable-InboxRule", "UpdateInboxRules"}
}

// hidingFolders are where nobody looks (RULE-HIDE), as folder names contain them.
var hidingFolders = []string{"rss feeds", "rss subscriptions", "conversation history", "archive", "junk", "notes", "deleted items"}

// conditionNames are the parameters that narrow a rule down to some mail.
var conditionNames = []string{
	"From", "FromAddressContainsWords", "SubjectContainsWords", "BodyContainsWords", "SubjectOrBodyContainsWords",
	"HeaderContainsWords", "RecipientAddressContainsWords", "SentTo", "MyNameInToBox", "MyNameInCcBox", "MyNameInToOrCcBox",
	"MyNameNotInToBox", "SentOnlyToMe", "HasAttachment", "HasClassification", "FlaggedForAction", "MessageTypeMatches",
	"WithImportance", "WithSensitivity", "WithinSizeRangeMaximum", "WithinSizeRangeMinimum", "ReceivedAfterDate",
	"ReceivedBeforeDate", "FromSubscription",
}

// inboxRule is a rule as any of the operations writes it.
type inboxRule struct {
	name       string
	named      bool // the record says a name
	deletes    bool
	reads      bool
	folder     string
	to         string // forwards, redirects
	conditions []string
	whole      bool // the record holds the whole rule, so missing conditions mean "everything"
}

func readInboxRule(a *activity.Activity) inboxRule {
	if a.Operation == "UpdateInboxRules" {
		return readOutlookRule(a)
	}
	r := inboxRule{
		deletes: truth(a, "DeleteMessage") || truth(a, "SoftDeleteMessage"), reads: truth(a, "MarkAsRead"),
		folder: text(a, "MoveToFolder"),
		to:     strings.Join([]string{text(a, "ForwardTo"), text(a, "RedirectTo"), text(a, "ForwardAsAttachmentTo")}, ";"),
		whole:  a.Operation == "New-InboxRule",
	}
	r.name, r.named = a.Parameter("Name")
	for _, name := range conditionNames {
		if v := text(a, name); v != "" && !strings.EqualFold(v, "false") {
			r.conditions = append(r.conditions, v)
		}
	}
	return r
}

// readOutlookRule reads a rule made by an Outlook program, which comes as text in OperationProperties.
func readOutlookRule(a *activity.Activity) inboxRule {
	operation := strings.ToLower(text(a, "RuleOperation"))
	if strings.Contains(operation, "delete") || strings.Contains(operation, "remove") {
		return inboxRule{}
	}
	var r inboxRule
	r.name, r.named = a.Parameter("RuleName")
	actions := text(a, "RuleActions")
	low := strings.ToLower(actions)
	r.deletes = strings.Contains(low, "delete")
	r.reads = strings.Contains(low, "markasread") || strings.Contains(low, "mark as read")
	if strings.Contains(low, "move") || strings.Contains(low, "folder") {
		r.folder = actions
	}
	if strings.Contains(low, "forward") || strings.Contains(low, "redirect") || strings.Contains(low, "delegate") {
		r.to = actions
	}
	if c := text(a, "RuleCondition"); c != "" && !strings.EqualFold(c, "true") {
		r.conditions = append(r.conditions, c)
	} else if _, ok := a.Parameter("RuleCondition"); ok {
		r.whole = strings.Contains(operation, "add")
	}
	return r
}

// score adds up RULE-HIDE and names its reasons.
func (r *inboxRule) score() (int, []string) {
	n := 0
	var why []string
	add := func(points int, reason string) { n, why = n+points, append(why, reason) }
	acts := false
	if r.deletes {
		acts = true
		add(hideDelete, "deletes mail")
	}
	folder := strings.ToLower(r.folder)
	for _, f := range hidingFolders {
		if strings.Contains(folder, f) {
			acts = true
			add(hideFolder, "moves mail to "+quoted(f))
			break
		}
	}
	if r.reads {
		acts = true
		add(hideRead, "marks it read")
	}
	if !acts && strings.Trim(r.to, ";") == "" && r.folder == "" {
		return 0, nil // it does nothing that hides
	}
	if r.named && nameless(r.name) {
		add(hideNameless, "is named "+quoted(r.name))
	}
	words := strings.Join(r.conditions, " ")
	if securityWords.MatchString(words) {
		add(hideSecurityWords, "looks for words of security mail")
	}
	if financeWords.MatchString(words) {
		add(hideFinanceWords, "looks for words of payments")
	}
	if r.whole && len(r.conditions) == 0 {
		add(hideEverything, "matches every message")
	}
	return n, why
}

// loud says that nobody makes such a rule for order's sake: a name of
// punctuation, hiding, and words of payments or security mail or every message;
// security mail hidden; mail sent outside and hidden, or about payments.
func (r *inboxRule) loud(out bool) bool {
	words := strings.Join(r.conditions, " ")
	finance, security := financeWords.MatchString(words), securityWords.MatchString(words)
	folder := strings.ToLower(r.folder)
	hides := r.deletes || slices.ContainsFunc(hidingFolders, func(f string) bool { return strings.Contains(folder, f) })
	punctuation := r.named && nameless(r.name)
	switch {
	case punctuation && hides && (finance || security || r.whole && len(r.conditions) == 0):
		return true
	case security && hides:
		return true
	}
	return out && (hides || finance || punctuation)
}

func (InboxRule) note(a *activity.Activity) ([]Fact, weight) {
	r := readInboxRule(a)
	score, why := r.score()
	to := addresses(r.to)
	if score < hideFiresWithEntry && len(to) == 0 {
		return nil, weightless
	}
	facts := []Fact{
		{Name: "name", Value: quoteless(r.name)},
		{Name: "score", Value: strconv.Itoa(score)},
		{Name: "why", Value: strings.Join(why, ", ")},
		{Name: "mailbox", Value: objectName(a.Target)},
	}
	weight := weightLight
	switch {
	case score >= hideFires:
		weight = weightBad
	case score >= hideFiresWithEntry:
		weight = weightPoor
	}
	if len(to) > 0 {
		facts = append(facts, Fact{Name: "to", Value: joined(to)})
		if out := outside(a, to); len(out) > 0 {
			facts = append(facts, Fact{Name: factOutside, Value: joined(out)})
			weight = max(weight, weightBad)
		}
	}
	if r.loud(len(facts) > 0 && facts[len(facts)-1].Name == factOutside) {
		facts = append(facts, Fact{Name: "loud", Value: "true"})
		if weight == weightBad {
			weight = weightWorst
		}
	}
	return facts, weight
}

// weigh says how bad a rule is, and what it does; "" for what is nobody's business.
func (InboxRule) weigh(v *accountView, f *Finding, m *Mark, entry string) (what string) {
	score, _ := strconv.Atoi(m.Fact("score")) // written by note
	out, _ := v.tenant.split(m.Fact(factOutside))
	switch {
	case len(out) > 0:
		f.Severity, f.Confidence = SeverityHigh, ConfidenceMedium
		if m.Fact("loud") != "" || entry != "" {
			f.Severity, f.Confidence = SeverityCritical, ConfidenceHigh
		}
		f.Targets = append(f.Targets, out...)
		what = "sends mail outside to " + quoteless(strings.Join(out, ", "))
		if why := m.Fact("why"); why != "" {
			what += ", " + why
		}
	case score >= hideFires || score >= hideFiresWithEntry && entry != "":
		f.Severity, f.Confidence = SeverityMedium, ConfidenceMedium
		if score >= hideFires || entry != "" {
			f.Severity = SeverityHigh
			if entry != "" {
				f.Confidence = ConfidenceHigh
			}
		}
		what = m.Fact("why")
	case m.Fact("to") != "":
		f.Severity, f.Confidence = SeverityInfo, ConfidenceLow
		f.Targets = append(f.Targets, strings.Fields(m.Fact("to"))...)
		what = "sends mail to " + quoteless(m.Fact("to")) + ", inside the tenant"
	case v.history(m.At) == 0: // the log begins with it: nobody knows whose place it is
		f.Severity, f.Confidence = SeverityLow, ConfidenceLow
		what = m.Fact("why")
	default:
		return ""
	}
	return what
}

func (rule InboxRule) judgeAccount(v *accountView) ([]Finding, error) {
	var found []Finding
	id := rule.Describe().ID
	for _, m := range v.marks(id) {
		entry, err := v.entryNear(m)
		if err != nil {
			return nil, err
		}
		links, err := v.links(m)
		if err != nil {
			return nil, err
		}
		f := Finding{
			Key: id + "|" + m.ID.String(), Rule: id, Stage: StageHold, AccountID: v.account,
			OccurredAt: m.At.time(), LastAt: m.At.time(), Links: links,
		}
		f.evidence(m)
		if mailbox := m.Fact("mailbox"); mailbox != "" {
			f.Targets = append(f.Targets, mailbox)
		}
		what := rule.weigh(v, &f, m, entry)
		if what == "" {
			continue
		}
		if entry != "" {
			entry = ", " + entry
		}
		f.Explanation = fmt.Sprintf("On %s an inbox rule %s was set%s%s. It %s.", when(m.At), quoted(m.Fact("name")), v.from(m), entry, what)
		if entry != "" {
			f.Explanation += v.usual(m.At)
		}
		if entry == "" && m.Fact("loud") == "" && v.history(m.At) > 0 {
			f.Confidence = ConfidenceLow // from where the account is at home: tidying, till something speaks against it
		}
		found = append(found, f)
	}
	return found, nil
}
