package simulator

import "time"

// Life is one tenant's part of the History, as a list: for servers that play a
// vendor and tell each tenant's life at its own pace.
func (w *World) Life(t *Tenant, from, to time.Time) []Record {
	only := &World{Seed: w.Seed, Tenants: []*Tenant{t}, intensity: w.intensity}
	var records []Record
	for _, r := range only.History(from, to) {
		records = append(records, r)
	}
	return records
}
