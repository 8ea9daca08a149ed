package intake

// LimitCache has the intake keep so many bytes of books and accounts in memory.
func (in *Intake) LimitCache(bytes int) { in.cache = newCache(bytes) }

// Cached says how many books and accounts are in memory.
func (in *Intake) Cached() int {
	in.cache.mu.Lock()
	defer in.cache.mu.Unlock()
	return in.cache.order.Len()
}
