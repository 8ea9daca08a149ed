package detect

import (
	"fmt"

	"github.com/cairn-itdr/cairn/internal/activity"
)

// BruteForce finds one source trying many passwords on one account.
type BruteForce struct{}

// Thresholds of BRUTE.
const (
	bruteTries   = 10
	bruteSpan    = hour / 2
	bruteLocks   = 3 // lock-outs of a day
	bruteFollows = daySpan
	// bruteSteady is how many tries in five minutes a program with an old
	// password makes at the most: it keeps its rhythm, an intruder does not.
	bruteSteady = 3
)

// Describe says what the rule is.
func (BruteForce) Describe() Description {
	return Description{
		ID: "brute-force", Title: "Brute force with success",
		Behaviours: []string{"BRUTE"}, Techniques: []string{"T1110.001", "T1110.004"},
		Needs:  []activity.Source{activity.SourceSignIn, activity.SourceUnifiedAudit},
		Benign: "A phone or script with an old password: the account's own source, a steady rhythm. Without success it is a failed attack.",
		Lowest: SeverityMedium, Highest: SeverityHigh, Stage: StageEntry,
	}
}

// bursts says how many wrong passwords the busiest half hour and the busiest five minutes of a day saw.
func (d *FailureDay) bursts() (span, slot uint32) {
	if len(d.Slots) == 0 { // a full book does not know when: then at once
		return d.wrong(), d.wrong()
	}
	for i, s := range d.Slots {
		slot = max(slot, s.Count)
		n := uint32(0)
		for _, t := range d.Slots[i:] {
			if int(t.Number)-int(s.Number) >= int(bruteSpan/slotLength) {
				break
			}
			n += t.Count
		}
		span = max(span, n)
	}
	return span, slot
}

func (rule BruteForce) judgeSource(v *sourceView) ([]Finding, []FailedAttack) {
	id := rule.Describe().ID
	var found []Finding
	var failed []FailedAttack
	successes := v.successes()
	start, end := periodStart(v.period), periodStart(v.period+1)
	told := make(map[string]bool)
	for _, f := range v.failures() {
		if v.found[claim(f.account, f.day)] {
			continue // part of a spray
		}
		span, slot := f.bursts()
		if span < bruteTries && f.Counts[classLocked] < bruteLocks {
			continue
		}
		own := v.since < f.day || v.daysUsed(f.account, f.day) >= knownDays
		if slot <= bruteSteady && !rented(v.network().Kind) || own && slot < bruteTries {
			continue // a program with an old password
		}
		broken := false
		for _, s := range successes {
			if own || s.account != f.account || s.At < f.First || s.At > f.Last+bruteFollows {
				continue
			}
			broken = true
			if s.At < start || s.At >= end || told[claim(s.account, s.At.day())] {
				break
			}
			told[claim(s.account, s.At.day())] = true
			e := v.entry(id, s, true)
			if !rented(v.network().Kind) {
				e.Severity, e.Confidence = SeverityMedium, ConfidenceMedium
			}
			e.Explanation = fmt.Sprintf("From %s %d wrong passwords were tried on this account from %s on; on %s one was right, with %s.",
				v.describe(s.Address), f.wrong(), when(f.First), when(s.At), s.Agent)
			found = append(found, e)
			break
		}
		if d := moment(f.day) * daySpan; !broken && d >= start && d < end {
			failed = append(failed, v.attack(f, TacticBruteForce))
		}
	}
	return found, merged(failed)
}
