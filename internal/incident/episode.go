package incident

import (
	"slices"
	"time"
)

// episodes parts one account's findings into episodes: pieces of evidence
// within episodeGap of another, or sharing a session, token or attacker
// address. Each episode is ordered by time, and so are the episodes.
func episodes(findings []*claim) [][]*claim {
	ordered := slices.SortedFunc(slices.Values(findings), byTime)
	// A forest over the findings: root[i] leads to the episode's first finding.
	root := make([]int, len(ordered))
	for i := range root {
		root[i] = i
	}
	find := func(i int) int {
		for root[i] != i {
			root[i] = root[root[i]]
			i = root[i]
		}
		return i
	}
	join := func(i, j int) {
		i, j = find(i), find(j)
		root[max(i, j)] = min(i, j)
	}
	linked := map[string]int{}
	var reach time.Time // the last moment any finding so far speaks of
	for i, f := range ordered {
		if i > 0 && !f.OccurredAt.After(reach.Add(episodeGap)) {
			join(i-1, i)
		}
		if f.LastAt.After(reach) {
			reach = f.LastAt
		}
		for _, link := range f.Links {
			if j, ok := linked[link]; ok {
				join(j, i)
			}
			linked[link] = i
		}
	}
	var out [][]*claim
	at := map[int]int{}
	for i, f := range ordered {
		r := find(i)
		k, ok := at[r]
		if !ok {
			k = len(out)
			at[r] = k
			out = append(out, nil)
		}
		out[k] = append(out[k], f)
	}
	return out
}

func byTime(x, y *claim) int {
	if c := x.OccurredAt.Compare(y.OccurredAt); c != 0 {
		return c
	}
	if x.NaturalKey < y.NaturalKey {
		return -1
	}
	return 1
}
