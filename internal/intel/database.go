package intel

import (
	"errors"
	"fmt"
	"iter"
	"net/netip"
	"slices"
	"strings"

	"github.com/oschwald/maxminddb-golang/v2"

	"github.com/cairn-itdr/cairn/internal/activity"
	"github.com/cairn-itdr/cairn/internal/intel/table"
)

// databaseMarker opens the metadata of a MaxMind-format database, which stands at its end.
const databaseMarker = "\xab\xcd\xefMaxMind.com"

// readDatabase turns a MaxMind-format database into up to three files:
// countries, networks and kinds, by the fields its records have (GeoLite2 and
// GeoIP2 Country, City, ASN, ISP, Enterprise and Anonymous IP; DB-IP;
// ip-location-db; IPinfo). It walks the whole tree once, so that later nothing
// depends on the database's being sound.
func readDatabase(data []byte) (files []*table.File, err error) {
	// The library returns errors for the damage it looks for; what it does not
	// look for must not end the process that loads a file.
	defer func() {
		if r := recover(); r != nil {
			files, err = nil, fmt.Errorf("damaged database: %v", r)
		}
	}()
	db, err := maxminddb.OpenBytes(data)
	if err != nil {
		return nil, fmt.Errorf("damaged database: %w", err)
	}
	defer db.Close() //nolint:errcheck // opened from memory

	contents := []table.Content{table.Countries, table.Networks, table.Kinds}
	lists := make([]list, len(contents))
	for i := range lists {
		lists[i].values = map[table.Entry]uint32{}
	}
	seen := map[uintptr][]table.Entry{} // by place in the file: many networks share a record
	for result, err := range leaves(db) {
		if err != nil {
			return nil, fmt.Errorf("damaged database: %w", err)
		}
		entries, known := seen[result.Offset()]
		if !known {
			if entries, err = readRecord(result); err != nil {
				return nil, fmt.Errorf("damaged database: record of %s: %w", result.Prefix(), err)
			}
			seen[result.Offset()] = entries
		}
		for i, entry := range entries {
			if entry == (table.Entry{}) {
				continue
			}
			l := &lists[i]
			if err := l.builder.AddPrefix(result.Prefix(), l.value(entry)); err != nil {
				return nil, fmt.Errorf("%s: %w", result.Prefix(), err)
			}
			l.rows++
		}
	}
	for i := range lists {
		l := &lists[i]
		if l.rows == 0 {
			continue
		}
		files = append(files, &table.File{
			Header: table.Header{
				Content: contents[i], Rows: l.rows, Snapshot: db.Metadata.BuildTime().UTC(),
				Notice: databaseNotice(db.Metadata),
			},
			Entries: l.entries, Map: l.builder.Build(),
		})
	}
	if len(files) == 0 {
		return nil, fmt.Errorf("a database of type %q: none of its records has a country, a network or a kind of network",
			table.CleanText(db.Metadata.DatabaseType))
	}
	return files, nil
}

// The addresses a database is asked for: v4, and what of v6 is routed, but for
// the two corners that repeat v4 (Teredo and 6to4).
var (
	wholeV4  = netip.MustParsePrefix("0.0.0.0/0")
	routedV6 = netip.MustParsePrefix("2000::/3")
	repeated = []netip.Prefix{netip.MustParsePrefix("2001::/32"), netip.MustParsePrefix("2002::/16")}
)

// leaves yields the leaves of a database's tree. A sound tree has one leaf more
// than it has nodes, and repeats v4 a few times; one whose branches grow
// together again has more leaves than there is time. So empty and repeated
// ones are asked for too, only to be counted: what the library passes over in
// silence would take as long.
func leaves(db *maxminddb.Reader) iter.Seq2[maxminddb.Result, error] {
	return func(yield func(maxminddb.Result, error) bool) {
		left := 8 * (db.Metadata.NodeCount + 1)
		parts := []netip.Prefix{wholeV4}
		if db.Metadata.IPVersion == 6 {
			parts = append(parts, routedV6)
		}
		for _, part := range parts {
			for result := range db.NetworksWithin(part, maxminddb.IncludeNetworksWithoutData(), maxminddb.IncludeAliasedNetworks()) {
				if err := result.Err(); err != nil {
					yield(result, err)
					return
				}
				if left == 0 {
					yield(result, errors.New("the tree has more leaves than nodes"))
					return
				}
				left--
				first := result.Prefix().Addr()
				if !result.Found() || slices.ContainsFunc(repeated, func(p netip.Prefix) bool { return p.Contains(first) }) {
					continue
				}
				if !yield(result, nil) {
					return
				}
			}
		}
	}
}

// fields of records by publisher; the first that has a value decides.
var (
	countryFields = [][]any{{"country_code"}, {"country", "iso_code"}, {"registered_country", "iso_code"}}
	numberFields  = [][]any{{"autonomous_system_number"}, {"traits", "autonomous_system_number"}}
	textNumbers   = [][]any{{"asn"}}
	ownerFields   = [][]any{
		{"autonomous_system_organization"},
		{"traits", "autonomous_system_organization"},
		{"as_name"},
	}
	// A proxy, and what is only called anonymous, hides who is behind it as a VPN does.
	kindFields = []struct {
		field string
		kind  activity.NetworkKind
	}{
		{"is_tor_exit_node", activity.NetworkTor},
		{"is_anonymous_vpn", activity.NetworkVPN},
		{"is_residential_proxy", activity.NetworkVPN},
		{"is_public_proxy", activity.NetworkVPN},
		{"is_hosting_provider", activity.NetworkHosting},
		{"is_anonymous", activity.NetworkVPN},
	}
)

// readRecord returns a record's country, network and kind; empty where it has none.
func readRecord(r maxminddb.Result) ([]table.Entry, error) {
	var country, network, kind table.Entry
	code, err := firstField[string](r, countryFields)
	if err != nil {
		return nil, err
	}
	country.Text, _ = countryCode(code)

	if network.Number, err = firstField[uint32](r, numberFields); err != nil {
		return nil, err
	}
	if network.Number == 0 {
		text, err := firstField[string](r, textNumbers)
		if err != nil {
			return nil, err
		}
		network.Number, _ = systemNumber(text)
	}
	if network.Number != 0 {
		owner, err := firstField[string](r, ownerFields)
		if err != nil {
			return nil, err
		}
		network.Text = table.CleanText(owner)
	}

	for _, f := range kindFields {
		set, err := firstField[bool](r, [][]any{{f.field}, {"traits", f.field}})
		if err != nil {
			return nil, err
		}
		if set {
			kind.Text = string(f.kind)
			break
		}
	}
	return []table.Entry{country, network, kind}, nil
}

// firstField returns the first of the fields that has a value, else the zero value.
func firstField[T comparable](r maxminddb.Result, paths [][]any) (T, error) {
	var value, zero T
	for _, path := range paths {
		if err := r.DecodePath(&value, path...); err != nil {
			return zero, fmt.Errorf("field %v: %w", path, err)
		}
		if value != zero {
			break
		}
	}
	return value, nil
}

// databaseNotice is what the publisher's free licence wants shown, as far as the type tells the publisher.
func databaseNotice(m maxminddb.Metadata) string {
	switch kind := m.DatabaseType; {
	case strings.HasPrefix(kind, "GeoLite2"):
		return "This product includes GeoLite Data created by MaxMind, available from https://www.maxmind.com"
	case strings.HasPrefix(kind, "DBIP-"):
		return "IP Geolocation by DB-IP (https://db-ip.com)"
	default:
		return ""
	}
}
