// Package intel says of an address which country it is registered in, which
// network it belongs to, and of what kind that network is, without asking
// anybody: from tables that ship with Cairn (data/, made by gen/), facts
// compiled here (networks.go, hosting.go, ranges.go) and lists and databases
// an operator has loaded (Update).
//
// Country is where a range is registered: good enough for "a new country",
// wrong for roaming, satellite, relay and cloud ranges.
//
// What may not live here: judgement of what an address means for security,
// bulk lists that no package with a fitting licence provides, the network.
package intel

import (
	"fmt"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/cairn-itdr/cairn/internal/activity"
	"github.com/cairn-itdr/cairn/internal/intel/table"
)

// Info is what the tables say of one address. Country is an ISO 3166-1
// alpha-2 code in upper case, empty where unknown.
type Info struct {
	Country string
	Network activity.Network
}

// kinds are the kinds a list may be of, in the order they are looked up
// (detections.md, "Signals per login to compute", 3): the first that fits
// decides. A kind's rank is its place here plus one; rank 0 is none.
var kinds = []activity.NetworkKind{
	activity.NetworkMicrosoft,
	activity.NetworkRelay,
	activity.NetworkTor,
	activity.NetworkVPN,
	activity.NetworkGateway,
	activity.NetworkHosting,
	activity.NetworkMobile,
	activity.NetworkSatellite,
}

// rankOf returns the rank of a kind, 0 for one that no list can be of.
func rankOf(kind activity.NetworkKind) uint32 {
	return uint32(slices.Index(kinds, kind) + 1)
}

// first returns the rank that is looked up first; 0 is none.
func first(a, b uint32) uint32 {
	if a == 0 || b != 0 && b < a {
		return b
	}
	return a
}

// Tables answers questions about addresses. It never changes once opened and
// is safe for concurrent use; to see newly loaded lists, open again.
type Tables struct {
	places    *table.Map // values are pairs of an index of countries and one of networks, see pair
	countries []string
	networks  []network
	kinds     *table.Map // values are ranks
	sources   []Source
}

// pair puts two indexes into one value: there are fewer than 1,024 countries
// and, a merger sees to it, fewer than four million networks.
func pair(country, network uint32) uint32 { return country<<networkBits | network }

const networkBits = 22

// network is a network with the rank of its kind, 0 for CONSUMER and UNKNOWN.
type network struct {
	activity.Network
	rank uint32
}

// Source is one table in use.
type Source struct {
	Name     string
	Content  table.Content
	Shipped  bool      // part of Cairn; else loaded by the operator
	Rows     int       // rows taken from the original
	Snapshot time.Time // when its publisher made it; zero where it does not say
	Imported time.Time // when the operator loaded it; zero for what ships
	Notice   string    // what its licence wants shown beside data from it
}

// Lookup says what the tables know of an address. It allocates nothing.
func (t *Tables) Lookup(addr netip.Addr) Info {
	place := t.places.Find(addr)
	n := &t.networks[place&(1<<networkBits-1)]
	info := Info{Country: t.countries[place>>networkBits], Network: n.Network}
	if rank := t.kinds.Find(addr); rank != 0 && (n.rank == 0 || rank < n.rank) {
		info.Network.Kind = kinds[rank-1]
	}
	return info
}

// Sources lists the tables in use: those that ship, then the operator's, oldest first.
func (t *Tables) Sources() []Source { return slices.Clone(t.sources) }

// Open loads the shipped tables and those an operator has put into dir with
// Update; dir may be missing or empty. Where they disagree on a country or an
// owner, the one loaded last is right; kinds add up, and the first of them in
// the order of lookup decides. A damaged file in dir is an error that names it.
func Open(dir string) (*Tables, error) {
	loaded, err := loadedFiles(dir)
	if err != nil {
		return nil, err
	}
	if len(loaded) == 0 {
		return shippedOnly()
	}
	return open(loaded)
}

// shippedOnly is what most installations and tests need; they share one.
var shippedOnly = sync.OnceValues(func() (*Tables, error) { return open(nil) })

func open(loaded []*table.File) (*Tables, error) {
	shipped, err := shippedFiles()
	if err != nil {
		return nil, fmt.Errorf("shipped address tables: %w", err)
	}
	m := newMerger()
	for _, f := range shipped {
		m.add(f, true)
	}
	for _, f := range loaded {
		m.add(f, false)
	}
	return m.tables()
}

// merger lays files over one another.
type merger struct {
	countries, networks *overlay
	kinds               *table.Map
	ranks               map[uint32]uint32 // network number → rank
	sources             []Source
}

func newMerger() *merger {
	var b table.Builder
	m := &merger{
		countries: &overlay{Map: b.Build()}, networks: &overlay{Map: b.Build()},
		ranks: map[uint32]uint32{},
	}
	for kind, list := range ranges {
		for _, text := range list {
			// Smaller ranges decide in a builder, so that different kinds must
			// not overlap here; a test sees to it, and to the syntax.
			_ = b.AddPrefix(netip.MustParsePrefix(text), rankOf(kind))
		}
	}
	m.kinds = b.Build()
	for kind, list := range numbers {
		for _, number := range list {
			m.ranks[number] = first(m.ranks[number], rankOf(kind))
		}
	}
	return m
}

func (m *merger) add(f *table.File, shipped bool) {
	h := f.Header
	m.sources = append(m.sources, Source{
		Name: h.Name, Content: h.Content, Shipped: shipped, Rows: h.Rows,
		Snapshot: h.Snapshot, Imported: h.Imported, Notice: h.Notice,
	})
	switch h.Content {
	case table.Countries:
		m.countries.add(f)
	case table.Networks:
		m.networks.add(f)
	case table.Kinds:
		translate := make([]uint32, len(f.Entries)+1)
		for i, e := range f.Entries {
			rank := rankOf(activity.NetworkKind(e.Text))
			translate[i+1] = rank
			if e.Number != 0 {
				m.ranks[e.Number] = first(m.ranks[e.Number], rank)
			}
		}
		m.kinds = table.Merge(m.kinds, f.Map, func(below, above uint32) uint32 {
			return first(below, translate[above])
		})
	}
}

func (m *merger) tables() (*Tables, error) {
	t := &Tables{
		countries: make([]string, 1, len(m.countries.entries)+1),
		networks:  make([]network, 1, len(m.networks.entries)+1),
		kinds:     m.kinds, sources: m.sources,
	}
	for _, e := range m.countries.entries {
		t.countries = append(t.countries, e.Text)
	}
	t.networks[0].Kind = activity.NetworkUnknown
	for _, e := range m.networks.entries {
		t.networks = append(t.networks, m.network(e))
	}
	if len(t.countries) >= 1<<(32-networkBits) || len(t.networks) >= 1<<networkBits {
		return nil, fmt.Errorf("the address tables name %d countries and %d networks, more than there can be",
			len(t.countries), len(t.networks))
	}
	t.places = table.Merge(m.countries.Map, m.networks.Map, pair)
	return t, nil
}

func (m *merger) network(e table.Entry) network {
	n := network{Network: activity.Network{Number: e.Number, Owner: e.Text}, rank: m.ranks[e.Number]}
	if n.rank == 0 && n.Microsoft() {
		// Microsoft's networks are HOSTING, not MICROSOFT: most of their
		// addresses are Azure, where anybody rents a machine, and Azure's
		// published ranges change every week, so that an address of
		// Microsoft's in no table is more likely new Azure than a new
		// service. What is surely a service is in serviceRanges. Detection
		// does not lose by it: for records that are no interactive sign-in it
		// asks activity.Network.Microsoft.
		n.rank = rankOf(activity.NetworkHosting)
	}
	switch {
	case n.rank != 0:
		n.Kind = kinds[n.rank-1]
	case e.Number != 0:
		n.Kind = activity.NetworkConsumer
	default:
		n.Kind = activity.NetworkUnknown
	}
	return n
}

// overlay is several files of one content as one: the latest that has a value decides.
type overlay struct {
	*table.Map
	entries []table.Entry
	values  map[table.Entry]uint32 // made when a second file comes
}

func (o *overlay) add(f *table.File) {
	if o.entries == nil {
		// The first file's numbering is everybody's. Its entries are clipped, so that appending copies them.
		o.Map, o.entries = f.Map, slices.Clip(f.Entries)
		return
	}
	if o.values == nil {
		o.values = make(map[table.Entry]uint32, len(o.entries))
		for i, e := range o.entries {
			o.values[e] = uint32(i + 1)
		}
	}
	translate := make([]uint32, len(f.Entries)+1)
	for i, e := range f.Entries {
		value, known := o.values[e]
		if !known {
			o.entries = append(o.entries, e)
			value = uint32(len(o.entries))
			o.values[e] = value
		}
		translate[i+1] = value
	}
	o.Map = table.Merge(o.Map, f.Map, func(below, above uint32) uint32 {
		if above == 0 {
			return below
		}
		return translate[above]
	})
}
