package intake

import (
	"encoding/binary"

	"github.com/VictoriaMetrics/fastcache"

	"github.com/cairn-itdr/cairn/internal/detect"
)

// cacheBytes bounds what is kept of books and accounts in memory: roughly the
// current month of ten thousand accounts. It lies outside the heap.
const cacheBytes = 48 << 20

// memory is what one batch of a tenant may believe without asking the
// database, and learns for those after it. What it learns counts from remember
// on, which is to be called once the database has it: a batch that failed
// leaves nothing behind. It is not safe for concurrent use; the cache is.
type memory struct {
	cache   *fastcache.Cache
	prefix  []byte // of every key: the tenant, and the generation
	learned []item
}

type item struct{ key, value []byte }

// newMemory returns what is known of a tenant since its generation began:
// earlier ones, which another process has made stale, are not found any more
// and fall out of the cache by themselves.
func newMemory(cache *fastcache.Cache, tenant string, generation uint64) *memory {
	return &memory{cache: cache, prefix: append(binary.BigEndian.AppendUint64(nil, generation), tenant...)}
}

// get appends the value of a key to into.
func (m *memory) get(into, key []byte) ([]byte, bool) { return m.cache.HasGet(into, key) }

func (m *memory) learn(key, value []byte) { m.learned = append(m.learned, item{key, value}) }

// remember keeps what was learned. The oldest gives way; what is longer than
// fastcache takes (64 KB: a flooded account's book) is read each time.
func (m *memory) remember() {
	for _, x := range m.learned {
		m.cache.Del(x.key) // a value that is not taken must not leave its forerunner
		m.cache.Set(x.key, x.value)
	}
	m.learned = nil
}

// Keys end with what they name, and none is the beginning of another's.
const (
	keyBook    = 'b'
	keyAccount = 'a'
)

func (m *memory) bookKey(k detect.BookKey) []byte {
	key := make([]byte, 0, len(m.prefix)+len(k.Kind)+len(k.Subject)+10)
	key = append(append(key, m.prefix...), keyBook)
	key = binary.BigEndian.AppendUint32(key, uint32(k.Period)) //nolint:gosec // months
	key = append(append(key, k.Kind...), 0)
	return append(key, k.Subject...)
}

func (m *memory) accountKey(principal string) []byte {
	key := make([]byte, 0, len(m.prefix)+1+len(principal))
	return append(append(append(key, m.prefix...), keyAccount), principal...)
}
