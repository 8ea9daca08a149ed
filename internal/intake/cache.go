package intake

import (
	"container/list"
	"sync"

	"github.com/cairn-itdr/cairn/internal/detect"
)

// cacheBytes bounds what the books and account ids in memory take, about: the
// books of some ten thousand accounts, a small part of what an import may take.
const cacheBytes = 32 << 20

// cacheKey names a cached thing. The generation parts what is known to be
// true from what another process or a rolled-back transaction made stale.
type cacheKey struct {
	tenant     string
	generation uint64
	book       detect.BookKey
	principal  string // of an account; empty for a book
}

// cacheEntry holds a book (nil: known not to exist) or an account id.
type cacheEntry struct {
	key       cacheKey
	book      *detect.Book
	accountID string
	guest     bool // the account is known to be one
	size      int
}

// cache keeps the most recently used entries within a number of bytes. The
// libraries at hand count entries, or evict in the background; books differ a
// thousandfold in size, and a batch must find again what it has just put.
type cache struct {
	mu      sync.Mutex
	limit   int
	size    int
	order   *list.List
	entries map[cacheKey]*list.Element
}

func newCache(limit int) *cache {
	return &cache{limit: limit, order: list.New(), entries: map[cacheKey]*list.Element{}}
}

func (c *cache) get(key cacheKey) (cacheEntry, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e, ok := c.entries[key]
	if !ok {
		return cacheEntry{}, false
	}
	c.order.MoveToFront(e)
	return e.Value.(cacheEntry), true //nolint:forcetypeassert // only put adds
}

// overhead is what an entry takes beside its content: key, list and map cells.
const overhead = 400

func (c *cache) put(entry cacheEntry) {
	entry.size = overhead
	if entry.book != nil {
		entry.size += entry.book.Size()
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if old, ok := c.entries[entry.key]; ok {
		c.size -= old.Value.(cacheEntry).size //nolint:forcetypeassert // only put adds
		old.Value = entry
		c.order.MoveToFront(old)
	} else {
		c.entries[entry.key] = c.order.PushFront(entry)
	}
	c.size += entry.size
	for c.size > c.limit && c.order.Len() > 1 {
		last := c.order.Back()
		old := c.order.Remove(last).(cacheEntry) //nolint:forcetypeassert // only put adds
		delete(c.entries, old.key)
		c.size -= old.size
	}
}
