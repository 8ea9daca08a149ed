package detect

import (
	"slices"
	"strings"
)

// dominant returns the agent most failures of the day came with.
func (d *FailureDay) dominant() Agent {
	var best AgentCount
	for _, c := range d.Agents {
		if c.Count > best.Count {
			best = c
		}
	}
	return best.Agent
}

// try is the wrong passwords of one account in one slot.
type try struct {
	slot    int // absolute
	account string
	count   uint32
	agent   Agent
}

// campaign is the rounds of one spray.
type campaign struct {
	first, last moment // slots' starts
	accounts    map[string]bool
	agents      map[Agent]bool
}

// campaigns finds the sprays of both months.
func (v *sourceView) campaigns() []*campaign {
	var tries []try
	for _, f := range v.failures() {
		for _, s := range f.Slots {
			if s.Count <= sprayTries {
				tries = append(tries, try{f.day*int(daySpan/slotLength) + int(s.Number), f.account, s.Count, f.dominant()})
			}
		}
	}
	slices.SortFunc(tries, func(a, b try) int {
		if a.slot != b.slot {
			return a.slot - b.slot
		}
		return strings.Compare(a.account, b.account)
	})
	var found []*campaign
	sprayer := make(map[Agent]bool) // clients that have sprayed from here
	w := window{tries: tries, all: make(map[string]int), again: make(map[string]int), sprayer: sprayer}
	added, told := 0, 0 // tries before these are in the last campaign, in sprayer
	for i := range tries {
		w.slide(i)
		if len(w.all) < sprayAccounts && len(w.again) < sprayAccountsAgain {
			continue
		}
		from, to := moment(tries[i].slot)*slotLength, moment(tries[w.to-1].slot)*slotLength
		var c *campaign
		if n := len(found); n > 0 && from-found[n-1].last < sprayRest {
			c = found[n-1]
		} else {
			c = &campaign{first: from, accounts: make(map[string]bool), agents: make(map[Agent]bool)}
			found = append(found, c)
			added = i
		}
		c.last = max(c.last, to)
		for ; added < w.to; added++ {
			c.accounts[tries[added].account] = true
			c.agents[tries[added].agent] = true
		}
		if len(w.all) < sprayAccounts {
			continue
		}
		known := len(sprayer)
		for told = max(told, i); told < w.to; told++ {
			sprayer[tries[told].agent] = true
		}
		if len(sprayer) > known {
			w.recount()
		}
	}
	return found
}

// window is the tries of spraySpan from one on: how many each account saw, and
// how many from a client that has sprayed before.
type window struct {
	tries      []try
	from, to   int
	all, again map[string]int
	sprayer    map[Agent]bool
}

// slide moves the window on to the try with the index from.
func (w *window) slide(from int) {
	for ; w.from < from; w.from++ {
		t := &w.tries[w.from]
		leave(w.all, t.account)
		if w.sprayer[t.agent] {
			leave(w.again, t.account)
		}
	}
	for ; w.to < len(w.tries) && w.tries[w.to].slot-w.tries[from].slot < int(spraySpan/slotLength); w.to++ {
		t := &w.tries[w.to]
		w.all[t.account]++
		if w.sprayer[t.agent] {
			w.again[t.account]++
		}
	}
}

// recount counts again after a client was found to spray.
func (w *window) recount() {
	clear(w.again)
	for _, t := range w.tries[w.from:w.to] {
		if w.sprayer[t.agent] {
			w.again[t.account]++
		}
	}
}

// leave takes one from a count, and what is at none away.
func leave[K comparable](counts map[K]int, key K) {
	if counts[key]--; counts[key] <= 0 {
		delete(counts, key)
	}
}

// honest says that the source is a place of the tenant's people: a known
// gateway, or as many of them get in as fail.
func (v *sourceView) honest(c *campaign, successes []success) bool {
	if v.since < c.first.day() {
		return true
	}
	in := make(map[string]bool)
	for _, s := range successes {
		if s.person && s.At >= c.first-daySpan && s.At <= c.last+daySpan {
			in[s.account] = true
		}
	}
	return len(in) >= len(c.accounts)
}

// belongs says whether a success is the spray's.
func (v *sourceView) belongs(c *campaign, s success) bool {
	if s.At < c.first-sprayLeads || s.At > c.last+sprayFollows {
		return false
	}
	before := v.daysUsed(s.account, s.At.day())
	if before >= knownDays {
		return false
	}
	return c.accounts[s.account] || before == 0 && c.agents[s.Agent]
}

// broken returns the success that tells most of every account the spray got
// into: the first with the spraying client, else the first.
func (v *sourceView) broken(c *campaign, successes []success) []success {
	var all []success
	for _, s := range successes {
		if !v.belongs(c, s) {
			continue
		}
		i := slices.IndexFunc(all, func(o success) bool { return o.account == s.account })
		switch {
		case i < 0:
			all = append(all, s)
		case c.agents[s.Agent] && !c.agents[all[i].Agent]:
			all[i] = s
		}
	}
	return all
}
