package detect

import (
	"fmt"
	"math/bits"
	"slices"
	"strings"
	"time"

	"github.com/cairn-itdr/cairn/internal/activity"
)

// PasswordSpray finds one source trying few passwords on many accounts.
type PasswordSpray struct{}

// Thresholds of SPRAY.
const (
	sprayAccounts      = 5         // distinct accounts within spraySpan
	sprayAccountsAgain = 3         // for a source that has sprayed before, with the same client
	spraySpan          = hour      //
	sprayTries         = 3         // each, in one round
	sprayFollows       = daySpan   // a success within it belongs to the spray
	sprayLeads         = hour / 6  // a success shortly before the first failure is one of the round
	sprayRest          = 24 * hour // rounds closer than this are one campaign
)

// Describe says what the rule is.
func (PasswordSpray) Describe() Description {
	return Description{
		ID: "password-spray", Title: "Password spray with success",
		Behaviours: []string{"SPRAY"}, Techniques: []string{"T1110.003"},
		Needs:  []activity.Source{activity.SourceSignIn, activity.SourceUnifiedAudit},
		Benign: "An office after a password change: the users succeed soon, and the address is a known gateway. A spray without success is a failed attack.",
		Lowest: SeverityHigh, Highest: SeverityHigh, Stage: StageEntry,
	}
}

// failing is one account's failures of one day, with its absolute day.
type failing struct {
	account string
	day     int
	*FailureDay
}

// failures returns the failures of both months.
func (v *sourceView) failures() []failing {
	var all []failing
	for i, b := range []*SourceBook{v.prev, v.cur} {
		if b == nil {
			continue
		}
		start := periodStart(v.period - 1 + i).day()
		for j := range b.Failing {
			for k := range b.Failing[j].Days {
				d := &b.Failing[j].Days[k]
				if n := len(all); n > 0 && all[n-1].account == b.Failing[j].Account && all[n-1].day == start+int(d.Day)-1 {
					all[n-1].FailureDay = all[n-1].merge(d)
					continue
				}
				all = append(all, failing{b.Failing[j].Account, start + int(d.Day) - 1, d})
			}
		}
	}
	return all
}

// success is a first success of an account from the source.
type success struct {
	account string
	person  bool // one of the tenant's own
	*Success
}

func (v *sourceView) successes() []success {
	var all []success
	for _, b := range []*SourceBook{v.prev, v.cur} {
		for i := range b.users() {
			for j := range b.Users[i].First {
				all = append(all, success{b.Users[i].Account, b.Users[i].Person, &b.Users[i].First[j]})
			}
		}
	}
	slices.SortFunc(all, func(a, b success) int { return a.compare(&b.Witness) })
	return all
}

// lastUse is when the account was last let in from the source, to the day
// where that was later than the success itself: a source's book is not written
// again with every use.
func (v *sourceView) lastUse(s success) moment {
	last := s.At
	for i, b := range []*SourceBook{v.prev, v.cur} {
		if u := b.user(s.account); u != nil && u.Days != 0 {
			day := bits.Len32(u.Days) - 1
			last = max(last, periodStart(v.period-1+i)+moment(day)*daySpan)
		}
	}
	return last
}

func claim(account string, day int) string { return fmt.Sprintf("%s|%d", account, day) }

func (rule PasswordSpray) judgeSource(v *sourceView) ([]Finding, []FailedAttack) {
	id := rule.Describe().ID
	var found []Finding
	var failed []FailedAttack
	successes := v.successes()
	start, end := periodStart(v.period), periodStart(v.period+1)
	for _, c := range v.campaigns() {
		if v.honest(c, successes) {
			continue
		}
		taken := make(map[string]bool)
		for _, s := range v.broken(c, successes) {
			taken[s.account] = true
			if s.At < start || s.At >= end {
				continue // told in the book of its own month
			}
			f := v.entry(id, s, c.accounts[s.account])
			f.Explanation = fmt.Sprintf("A password spray from %s tried %d accounts from %s on; on %s it got into this one with %s.",
				v.describe(s.Address), len(c.accounts), when(c.first), when(s.At), s.Agent)
			found = append(found, f)
		}
		for _, f := range v.failures() {
			d := moment(f.day) * daySpan
			if d < start || d >= end || f.day < c.first.day() || f.day > c.last.day() || f.wrong() == 0 {
				continue
			}
			v.found[claim(f.account, f.day)] = true
			if !taken[f.account] {
				failed = append(failed, v.attack(f, TacticPasswordSpray))
			}
		}
	}
	return found, merged(append(failed, v.beyond(failed)...))
}

// beyond counts the attempts of the days under attack on more accounts than a book lists.
func (v *sourceView) beyond(failed []FailedAttack) []FailedAttack {
	if v.cur.Excess&(excessFailed|excessNames) == 0 {
		return nil
	}
	var out []FailedAttack
	start := periodStart(v.period).day()
	listed := make(map[int]int)
	for _, f := range v.failures() {
		listed[f.day] += int(f.wrong())
	}
	for _, r := range failed {
		day := at(r.Day).day()
		total := 0
		for _, d := range v.cur.Failures {
			if start+int(d.Day)-1 == day && int(d.Count) > total {
				total = int(d.Count)
				r.FirstAt, r.LastAt = d.First.time(), d.Last.time()
			}
		}
		if total > listed[day] {
			r.AccountID, r.Attempts, r.PasswordKnown = "", total-listed[day], false
			out = append(out, r)
		}
		listed[day] = max(listed[day], total) // once a day
	}
	return out
}

// entry makes the finding of a success after failures from the same source.
func (v *sourceView) entry(rule string, s success, tried bool) Finding {
	f := Finding{
		Key:  fmt.Sprintf("%s|%s|%s|%s", rule, s.account, v.prefix, s.At.time().Format(time.DateOnly)),
		Rule: rule, Stage: StageEntry, AccountID: s.account, Severity: SeverityHigh, Confidence: ConfidenceMedium,
		OccurredAt: s.At.time(), LastAt: v.lastUse(s).time(),
	}
	if tried {
		f.Confidence = ConfidenceHigh
	}
	for _, x := range v.failures() {
		if x.account != s.account || x.First > s.At || s.At-x.First > 2*daySpan {
			continue
		}
		for _, a := range x.IDs {
			if a.At <= s.At {
				f.Evidence = append(f.Evidence, a.ID.String())
			}
		}
		f.OccurredAt = x.First.time()
		break
	}
	f.Evidence = append(f.Evidence, s.ID.String())
	if s.Session != "" {
		f.Links = append(f.Links, "session:"+fullID(s.Session))
	}
	if s.Address.IsValid() {
		f.Links = append(f.Links, "address:"+s.Address.String())
	}
	return f
}

// attack makes the row of a failed attack.
func (v *sourceView) attack(f failing, tactic Tactic) FailedAttack {
	account := f.account
	if strings.HasPrefix(account, "?") {
		account = "" // nobody of the tenant
	}
	return FailedAttack{
		Day: (moment(f.day) * daySpan).time(), Tactic: tactic, Source: v.prefix, Country: v.source().Country,
		Network: v.network(), UserAgent: f.dominant().String(), AccountID: account,
		Attempts: int(f.wrong() + f.Counts[classRight]), FirstAt: f.First.time(), LastAt: f.Last.time(),
		PasswordKnown: f.Counts[classRight] > 0,
	}
}

// merged joins rows of one day, tactic and account: names nobody has are one row.
func merged(rows []FailedAttack) []FailedAttack {
	type row struct {
		day     int64
		tactic  Tactic
		account string
	}
	at := make(map[row]int, len(rows))
	var out []FailedAttack
	for _, r := range rows {
		key := row{r.Day.Unix(), r.Tactic, r.AccountID}
		i, known := at[key]
		if !known {
			at[key] = len(out)
			out = append(out, r)
			continue
		}
		o := &out[i]
		o.Attempts += r.Attempts
		if r.FirstAt.Before(o.FirstAt) {
			o.FirstAt = r.FirstAt
		}
		if r.LastAt.After(o.LastAt) {
			o.LastAt = r.LastAt
		}
		o.PasswordKnown = o.PasswordKnown || r.PasswordKnown
	}
	return out
}
