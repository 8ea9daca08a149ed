package intake

import "github.com/VictoriaMetrics/fastcache"

// Forget empties the intake's memory.
func (in *Intake) Forget() { in.cache.Reset() }

// Remembered says how many books and accounts are in memory.
func (in *Intake) Remembered() uint64 {
	var s fastcache.Stats
	in.cache.UpdateStats(&s)
	return s.EntriesCount
}
