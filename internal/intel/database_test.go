package intel

import (
	"encoding/binary"
	"math"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cairn-itdr/cairn/internal/intel/table"
)

// The types of MaxMind's data format that the test databases need.
const (
	mmText    = 2
	mmUint16  = 5
	mmUint32  = 6
	mmMap     = 7
	mmUint64  = 9
	mmBoolean = 14
)

// encodeMM writes a value in MaxMind's data format.
func encodeMM(v any) []byte {
	control := func(kind, size int) []byte {
		switch {
		case size >= 29: // and less than 29+256, in these tests
			return []byte{byte(kind<<5 | 29), byte(size - 29)}
		case kind > 7:
			return []byte{byte(size), byte(kind - 7)}
		}
		return []byte{byte(kind<<5 | size)}
	}
	switch v := v.(type) {
	case string:
		return append(control(mmText, len(v)), v...)
	case uint16:
		return binary.BigEndian.AppendUint16(control(mmUint16, 2), v)
	case uint32:
		return binary.BigEndian.AppendUint32(control(mmUint32, 4), v)
	case uint64:
		return binary.BigEndian.AppendUint64(control(mmUint64, 8), v)
	case bool:
		if v {
			return control(mmBoolean, 1)
		}
		return control(mmBoolean, 0)
	case map[string]any:
		keys := make([]string, 0, len(v))
		for k := range v {
			keys = append(keys, k)
		}
		slices.Sort(keys)
		out := control(mmMap, len(v))
		for _, k := range keys {
			out = append(out, encodeMM(k)...)
			out = append(out, encodeMM(v[k])...)
		}
		return out
	}
	panic("a type no test needs")
}

// database builds a v6 MaxMind-format database; v4 prefixes go below ::/96, as the format has it.
func database(kind string, records map[string]map[string]any) []byte {
	const empty = math.MaxUint32
	nodes := [][2]uint32{{empty, empty}} // children; from 1<<31 on: data at that offset
	var data []byte
	prefixes := make([]string, 0, len(records))
	for prefix := range records {
		prefixes = append(prefixes, prefix)
	}
	slices.Sort(prefixes)
	for _, text := range prefixes {
		prefix := netip.MustParsePrefix(text)
		bits, address := prefix.Bits(), prefix.Addr().As16()
		if prefix.Addr().Is4() {
			bits += 96
			address[10], address[11] = 0, 0
		}
		at := uint32(0)
		for i := range bits {
			side := address[i/8] >> (7 - i%8) & 1
			if i == bits-1 {
				nodes[at][side] = 1<<31 | uint32(len(data))
				break
			}
			if nodes[at][side] == empty {
				nodes[at][side] = uint32(len(nodes))
				nodes = append(nodes, [2]uint32{empty, empty})
			}
			at = nodes[at][side]
		}
		data = append(data, encodeMM(records[text])...)
	}
	var out []byte
	for _, node := range nodes {
		for _, child := range node {
			switch {
			case child == empty:
				child = uint32(len(nodes))
			case child >= 1<<31:
				child = child&^(1<<31) + uint32(len(nodes)) + 16
			}
			out = binary.BigEndian.AppendUint32(out, child)
		}
	}
	out = append(out, make([]byte, 16)...)
	out = append(out, data...)
	out = append(out, databaseMarker...)
	return append(out, encodeMM(map[string]any{
		"binary_format_major_version": uint16(2), "binary_format_minor_version": uint16(0),
		"build_epoch": uint64(1_750_000_000), "database_type": kind, "ip_version": uint16(6),
		"node_count": uint32(len(nodes)), "record_size": uint16(32),
	})...)
}

func TestDatabasesOfEveryPublisher(t *testing.T) {
	t.Parallel()
	type fields = map[string]any
	files, err := readDatabase(database("GeoLite2-City", map[string]fields{
		"192.0.2.0/24":    {"city": fields{"x": "y"}, "country": fields{"iso_code": "NL"}, "registered_country": fields{"iso_code": "US"}},
		"198.51.100.0/24": {"registered_country": fields{"iso_code": "DE"}},
		"203.0.113.0/24":  {"city": fields{}},
		"2001:db8::/33":   {"country_code": "fr"},
	}))
	require.NoError(t, err)
	require.Len(t, files, 1)
	require.Equal(t, table.Countries, files[0].Header.Content)
	require.Equal(t, 3, files[0].Header.Rows)
	require.Equal(t, time.Unix(1_750_000_000, 0).UTC(), files[0].Header.Snapshot)
	require.Contains(t, files[0].Header.Notice, "MaxMind")
	for address, want := range map[string]string{
		"192.0.2.255": "NL", "198.51.100.1": "DE", "203.0.113.1": "", "2001:db8::1": "FR", "2001:db8:8000::1": "", "192.0.3.0": "",
	} {
		require.Equal(t, want, entryOf(files[0], address).Text, address)
	}

	files, err = readDatabase(database("GeoLite2-ASN", map[string]fields{
		"192.0.2.0/24":    {"autonomous_system_number": uint32(64500), "autonomous_system_organization": "Contoso \x1b[1mLtd"},
		"198.51.100.0/24": {"asn": "AS64501", "as_name": "Fabrikam", "country_code": "NL"},
	}))
	require.NoError(t, err)
	require.Len(t, files, 2, "a database that knows both")
	require.Equal(t, table.Entry{Number: 64500, Text: "Contoso [1mLtd"}, entryOf(files[1], "192.0.2.1"))
	require.Equal(t, table.Entry{Number: 64501, Text: "Fabrikam"}, entryOf(files[1], "198.51.100.1"))

	files, err = readDatabase(database("GeoIP2-Anonymous-IP", map[string]fields{
		"192.0.2.0/28":   {"is_anonymous": true, "is_anonymous_vpn": true, "is_hosting_provider": true},
		"192.0.2.16/28":  {"is_anonymous": true, "is_tor_exit_node": true, "is_anonymous_vpn": true},
		"192.0.2.32/28":  {"is_anonymous": true, "is_hosting_provider": true},
		"192.0.2.48/28":  {"is_anonymous": true, "is_residential_proxy": true},
		"192.0.2.64/28":  {"is_anonymous": false},
		"192.0.2.80/28":  {"traits": fields{"is_public_proxy": true}},
		"2001:db8::/128": {"is_anonymous": true},
	}))
	require.NoError(t, err)
	require.Len(t, files, 1)
	for address, want := range map[string]string{
		"192.0.2.1": "VPN", "192.0.2.17": "TOR", "192.0.2.33": "HOSTING", "192.0.2.49": "VPN", "192.0.2.65": "",
		"192.0.2.81": "VPN", "2001:db8::": "VPN",
	} {
		require.Equal(t, want, entryOf(files[0], address).Text, address)
	}

	_, err = readDatabase(database("Contoso-Weather\x1b", map[string]fields{"192.0.2.0/24": {"rain": true}}))
	require.ErrorContains(t, err, `type "Contoso-Weather": none of its records`)
	_, err = readDatabase(database("GeoLite2-Country", map[string]fields{"192.0.2.0/24": {"country": fields{"iso_code": true}}}))
	require.ErrorContains(t, err, "damaged database: record of 192.0.2.0/24")
}

// TestDamagedDatabases cuts and flips a small database everywhere; whatever
// comes of it, it comes soon, and as an error or a table.
func TestDamagedDatabases(t *testing.T) {
	t.Parallel()
	whole := database("GeoLite2-Country", map[string]map[string]any{
		"192.0.2.0/24":  {"country": map[string]any{"iso_code": "NL"}},
		"2001:db8::/32": {"country": map[string]any{"iso_code": "FR"}},
	})
	for i := range whole {
		for _, flip := range []byte{0x01, 0x80, 0xff} {
			damaged := slices.Clone(whole)
			damaged[i] ^= flip
			files, err := readDatabase(damaged)
			require.True(t, err != nil || len(files) > 0)
		}
	}
	for n := range whole {
		_, err := readDatabase(whole[:n])
		require.Error(t, err, n)
	}
}

// TestATreeThatGrowsTogetherAgainIsRefused gives every node the same child
// twice: 2^100 leaves from a hundred nodes.
func TestATreeThatGrowsTogetherAgainIsRefused(t *testing.T) {
	t.Parallel()
	whole := database("GeoLite2-Country", map[string]map[string]any{
		"2001:db8::/100": {"country": map[string]any{"iso_code": "FR"}},
	})
	for node := range uint32(99) {
		for _, at := range []uint32{8 * node, 8*node + 4} {
			binary.BigEndian.PutUint32(whole[at:], node+1)
		}
	}
	_, err := readDatabase(whole)
	require.ErrorContains(t, err, "more leaves than nodes")
}

func FuzzReadDatabase(f *testing.F) {
	f.Add(database("GeoLite2-Country", map[string]map[string]any{"192.0.2.0/24": {"country": map[string]any{"iso_code": "NL"}}}))
	f.Fuzz(func(t *testing.T, data []byte) {
		files, err := readDatabase(data)
		require.True(t, err != nil || len(files) > 0)
	})
}
