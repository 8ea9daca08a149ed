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
	countries    *table.Map
	countryNames []string
	networks     *table.Map
	details      []detail
	kinds        *table.Map // values are ranks
	sources      []Source
}

// detail is a network with the rank of its kind, 0 for CONSUMER and UNKNOWN.
type detail struct {
	network activity.Network
	rank    uint32
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
	d := &t.details[t.networks.Find(addr)]
	info := Info{Country: t.countryNames[t.countries.Find(addr)], Network: d.network}
	if rank := t.kinds.Find(addr); rank != 0 && (d.rank == 0 || rank < d.rank) {
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
	shipped, err := shippedFiles()
	if err != nil {
		return nil, fmt.Errorf("shipped address tables: %w", err)
	}
	loaded, err := loadedFiles(dir)
	if err != nil {
		return nil, err
	}
	m := newMerger()
	for _, f := range shipped {
		m.add(f, true)
	}
	for _, f := range loaded {
		m.add(f, false)
	}
	return m.tables(), nil
}

// merger lays files over one another.
type merger struct {
	countries, networks, kinds *table.Map
	countryNames               dictionary
	networkEntries             dictionary
	ranks                      map[uint32]uint32 // network number → rank
	sources                    []Source
}

func newMerger() *merger {
	m := &merger{ranks: map[uint32]uint32{}}
	var b table.Builder
	m.countries, m.networks = b.Build(), b.Build()
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
		m.countries = m.countryNames.over(m.countries, f)
	case table.Networks:
		m.networks = m.networkEntries.over(m.networks, f)
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

func (m *merger) tables() *Tables {
	t := &Tables{
		countries: m.countries, networks: m.networks, kinds: m.kinds, sources: m.sources,
		countryNames: make([]string, 1, len(m.countryNames.entries)+1),
		details:      make([]detail, 1, len(m.networkEntries.entries)+1),
	}
	for _, e := range m.countryNames.entries {
		t.countryNames = append(t.countryNames, e.Text)
	}
	t.details[0].network.Kind = activity.NetworkUnknown
	for _, e := range m.networkEntries.entries {
		d := detail{network: activity.Network{Number: e.Number, Owner: e.Text}, rank: m.ranks[e.Number]}
		switch {
		case d.rank != 0:
		case e.Number == 0:
		case d.network.Microsoft():
			// Microsoft's networks are HOSTING, not MICROSOFT: most of their
			// addresses are Azure, where anybody rents a machine, and Azure's
			// published ranges change every week, so that an address of
			// Microsoft's in no table is more likely new Azure than a new
			// service. What is surely a service is in serviceRanges.
			// Detection does not lose by it: for records that are no
			// interactive sign-in it asks activity.Network.Microsoft.
			d.rank = rankOf(activity.NetworkHosting)
		}
		switch {
		case d.rank != 0:
			d.network.Kind = kinds[d.rank-1]
		case e.Number == 0:
			d.network.Kind = activity.NetworkUnknown
		default:
			d.network.Kind = activity.NetworkConsumer
		}
		t.details = append(t.details, d)
	}
	return t
}

// dictionary numbers entries from 1.
type dictionary struct {
	entries []table.Entry
	values  map[table.Entry]uint32 // made when a second file comes
}

// over lays a file over what is there, in one numbering.
func (d *dictionary) over(below *table.Map, f *table.File) *table.Map {
	if d.entries == nil {
		d.entries = f.Entries[:len(f.Entries):len(f.Entries)] // the numbering is the file's; appending copies
		return f.Map
	}
	if d.values == nil {
		d.values = make(map[table.Entry]uint32, len(d.entries))
		for i, e := range d.entries {
			d.values[e] = uint32(i + 1)
		}
	}
	translate := make([]uint32, len(f.Entries)+1)
	for i, e := range f.Entries {
		value, known := d.values[e]
		if !known {
			d.entries = append(d.entries, e)
			value = uint32(len(d.entries))
			d.values[e] = value
		}
		translate[i+1] = value
	}
	return table.Merge(below, f.Map, func(below, above uint32) uint32 {
		if above == 0 {
			return below
		}
		return translate[above]
	})
}
