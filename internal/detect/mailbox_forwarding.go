package detect

import (
	"fmt"
	"slices"
	"strings"

	"github.com/cairn-itdr/cairn/internal/activity"
)

// MailboxForwarding finds mailboxes set to forward their mail.
type MailboxForwarding struct{}

// forwardManyMailboxes is from how many mailboxes on one outside target is loud by itself (MBX-FWD).
const forwardManyMailboxes = 2

// Describe says what the rule is.
func (MailboxForwarding) Describe() Description {
	return Description{
		ID: "mailbox-forwarding", Title: "Mailbox forwarding",
		Behaviours: []string{"MBX-FWD"}, Techniques: []string{"T1114.003"},
		Needs:  []activity.Source{activity.SourceUnifiedAudit},
		Benign: "A leaver's mail sent on by an administrator, to an address of the tenant: informational.",
		Lowest: SeverityInfo, Highest: SeverityCritical, Stage: StageHold,
	}
}

func (MailboxForwarding) operations() []string { return []string{"Set-Mailbox"} }

func (MailboxForwarding) note(a *activity.Activity) ([]Fact, weight) {
	smtp, hasSMTP := a.Parameter("ForwardingSmtpAddress")
	recipient, hasRecipient := a.Parameter("ForwardingAddress")
	if !hasSMTP && !hasRecipient {
		return nil, weightless
	}
	mailbox := a.Target
	if mailbox == "" {
		mailbox = text(a, "Identity")
	}
	facts := []Fact{{Name: "mailbox", Value: strings.ToLower(objectName(mailbox))}}
	weight := weightLight
	if to := addresses(smtp, recipient); len(to) > 0 {
		facts = append(facts, Fact{Name: "to", Value: joined(to)})
		if out := outside(a, to); len(out) > 0 {
			facts = append(facts, Fact{Name: factOutside, Value: joined(out)})
			weight = weightBad
		}
	} else if name := strings.TrimSpace(smtp + recipient); name != "" {
		// A recipient by name is one of the tenant's address book.
		facts = append(facts, Fact{Name: "to", Value: quoteless(name)})
	}
	if keep, ok := a.Parameter("DeliverToMailboxAndForward"); ok && !isTrue(keep) {
		facts = append(facts, Fact{Name: "moves", Value: "true"})
	}
	return facts, weight
}

func (rule MailboxForwarding) judgeAccount(v *accountView) ([]Finding, error) {
	id := rule.Describe().ID
	marks := v.marks(id)
	before := marksOf(v.prev, id)
	var found []Finding
	for _, m := range marks {
		if m.Fact("to") == "" {
			continue // taken back
		}
		out, _ := v.tenant.split(m.Fact(factOutside))
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
			Severity: SeverityInfo, Confidence: ConfidenceLow, OccurredAt: m.At.time(), LastAt: m.At.time(),
			Links: links, Targets: append(strings.Fields(m.Fact("to")), m.Fact("mailbox")),
		}
		f.evidence(m)
		where := "an address inside the tenant"
		if len(out) > 0 {
			f.Severity, f.Confidence = SeverityHigh, ConfidenceMedium
			where = "an outside address"
		}
		f.Explanation = fmt.Sprintf("On %s%s, the mailbox %s was set to forward to %s, %s.", when(m.At), v.from(m),
			quoted(m.Fact("mailbox")), quoted(m.Fact("to")), where)
		many := mailboxesOn(out, marks, before)
		if entry == "" && many < forwardManyMailboxes && v.history(m.At) > 0 {
			f.Confidence = ConfidenceLow
		}
		if n := many; n >= forwardManyMailboxes {
			f.Severity, f.Confidence = SeverityCritical, ConfidenceHigh
			f.Explanation += fmt.Sprintf(" The same account sent %d mailboxes there.", n)
		}
		if entry != "" && len(out) > 0 {
			f.Severity, f.Confidence = SeverityCritical, ConfidenceHigh
			f.Explanation += " It came " + entry + "."
		}
		for _, later := range marks {
			if later.At > m.At && later.Fact("to") == "" && later.Fact("mailbox") == m.Fact("mailbox") {
				f.evidence(later)
				f.LastAt = later.At.time()
				f.Explanation += " It was taken back on " + when(later.At) + "."
				break
			}
		}
		found = append(found, f)
	}
	return found, nil
}

// mailboxesOn counts the mailboxes set to forward to one of the addresses.
func mailboxesOn(out []string, lists ...[]*Mark) int {
	boxes := make(map[string]bool)
	for _, marks := range lists {
		for _, m := range marks {
			if slices.ContainsFunc(strings.Fields(m.Fact(factOutside)), func(a string) bool { return slices.Contains(out, a) }) {
				boxes[m.Fact("mailbox")] = true
			}
		}
	}
	return len(boxes)
}
