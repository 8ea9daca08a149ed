package intel

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cairn-itdr/cairn/internal/activity"
	"github.com/cairn-itdr/cairn/internal/intel/table"
)

// read reads a list and returns what was rejected as "line: reason".
func read(text string, kind activity.NetworkKind) (*table.File, []string, error) {
	var rejected []string
	f, err := readList(strings.NewReader(text), kind, func(line int, reason string) {
		rejected = append(rejected, fmt.Sprintf("%d: %s", line, reason))
	})
	return f, rejected, err
}

// entryOf returns what a file says of an address.
func entryOf(f *table.File, address string) table.Entry {
	value := f.Map.Find(netip.MustParseAddr(address))
	if value == 0 {
		return table.Entry{}
	}
	return f.Entries[value-1]
}

func TestListsOfOneKind(t *testing.T) {
	t.Parallel()
	f, rejected, err := read("\ufeffnetwork,seen,remark\r\n"+
		"# a remark\n; another\n// and another\n\n"+
		"192.0.2.0/25,3,\"contoso, the VPN\"\r\n"+
		"198.51.100.7 # a remark, with a comma\n"+
		"198.51.100.16-198.51.100.23\n"+
		"203.0.113.0,203.0.113.9\n"+
		"2001:db8:1::/48\n"+
		"2001:db8::7\n"+
		"AS64500 # Contoso, Inc.\nas64501\n64502", activity.NetworkVPN)
	require.NoError(t, err)
	require.Empty(t, rejected)
	require.Equal(t, table.Kinds, f.Header.Content)
	require.Equal(t, 9, f.Header.Rows)
	vpn := table.Entry{Text: "VPN"}
	for address, want := range map[string]table.Entry{
		"192.0.2.127": vpn, "192.0.2.128": {}, "198.51.100.7": vpn, "198.51.100.8": {},
		"198.51.100.23": vpn, "198.51.100.24": {}, "203.0.113.9": vpn, "203.0.113.10": {},
		"2001:db8:1:ffff::1": vpn, "2001:db8::7": vpn, "2001:db8::8": {},
	} {
		require.Equal(t, want, entryOf(f, address), address)
	}
	require.Subset(t, f.Entries, []table.Entry{{Number: 64500, Text: "VPN"}, {Number: 64501, Text: "VPN"}, {Number: 64502, Text: "VPN"}})
}

func TestRangesWithCountryOrOwner(t *testing.T) {
	t.Parallel()
	f, rejected, err := read("start,end,country\n192.0.2.0,192.0.2.255,nl\n192.0.2.64,192.0.2.127,DE\n2001:db8::,2001:db8::ff,FR\n", "")
	require.NoError(t, err)
	require.Empty(t, rejected)
	require.Equal(t, table.Countries, f.Header.Content)
	require.Equal(t, "NL", entryOf(f, "192.0.2.63").Text)
	require.Equal(t, "DE", entryOf(f, "192.0.2.64").Text, "the smaller range decides")
	require.Equal(t, "FR", entryOf(f, "2001:db8::1").Text)

	f, rejected, err = read("192.0.2.0,192.0.2.255,64500,\"Contoso, \"\"the\"\" \x1b[2JTelecom\"\n", "")
	require.NoError(t, err)
	require.Empty(t, rejected)
	require.Equal(t, table.Networks, f.Header.Content)
	require.Equal(t, table.Entry{Number: 64500, Text: `Contoso, "the" [2JTelecom`}, entryOf(f, "192.0.2.9"))
}

func TestBadLinesAreRejectedWithTheirReason(t *testing.T) {
	t.Parallel()
	good := strings.Repeat("192.0.2.0/24\n", 20)
	for text, reason := range map[string]string{
		"192.0.2.1/24":                      "bits are set behind the prefix; the network is 192.0.2.0/24",
		"192.0.2.0/33":                      "not a network in CIDR form",
		"192.0.2.9-192.0.2.1":               "the range ends (192.0.2.1) before it begins (192.0.2.9)",
		"192.0.2.9,2001:db8::1":             "addresses of one family",
		"192.0.2.9-tomorrow":                "the range's end is not an address",
		"192.0.2.0,192.0.2.255,NL":          "a row of countries in a file of kinds",
		"192.0.2.0,192.0.2.255,Netherlands": "neither a country code nor",
		"0.0.0.0/0":                         "too much to be of one kind",
		"0.0.0.0-223.255.255.255":           "too much to be of one kind",
		"2000::/3":                          "too much to be of one kind",
		"AS0":                               "no address, network, range or AS number",
		"AS4294967296":                      "no address, network, range or AS number",
		"fe80::1%eth0":                      "no address, network, range or AS number",
		"\x1b]0;hello\x07":                  "no address, network, range or AS number",
		"3221225984,3221226239,NL":          "written as numbers",
		strings.Repeat("9", maxLine+10):     "longer than",
	} {
		f, rejected, err := read(good+text+"\n"+good, activity.NetworkVPN)
		require.NoError(t, err, text)
		require.Len(t, rejected, 1, text)
		require.True(t, strings.HasPrefix(rejected[0], "21: "), rejected[0])
		require.Contains(t, rejected[0], reason)
		require.Equal(t, 40, f.Header.Rows, "lines behind the bad one are read")
	}
}

func TestRefusedLists(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		text   string
		kind   activity.NetworkKind
		reason string
	}{
		{"", activity.NetworkVPN, "nothing in it"},
		{"# only remarks\n\n", activity.NetworkVPN, "nothing in it"},
		{"192.0.2.0/24\n", "", "--kind"},
		{"AS64500\n", "", "--kind"},
		{"{\"a\": 1}\n", activity.NetworkVPN, "line 1: no address"},
		{"user,date\nalice,monday\nbob,tuesday\n", activity.NetworkVPN, "line 2: no address"},
		{"192.0.2.0/24\nfoo\nbar\n", activity.NetworkVPN, "2 of 3 lines"},
		{"AS64500\n", activity.NetworkRelay, "never RELAY"},
		{"AS64500\n", activity.NetworkMicrosoft, "never MICROSOFT"},
	} {
		_, _, err := read(c.text, c.kind)
		require.ErrorContains(t, err, c.reason, c.text)
	}
}

func FuzzReadList(f *testing.F) {
	f.Add("192.0.2.0/24\nAS64500 # x\n", true)
	f.Add("192.0.2.0,192.0.2.255,64500,\"a \"\"b\"\", c\"\n", false)
	f.Add("a,b\n2001:db8::,2001:db8::ff,NL\n::ffff:1.2.3.0/120\n", true)
	f.Add("\ufeff1.2.3.4-1.2.3.9\r\n\"\n,,,\n", true)
	f.Fuzz(func(t *testing.T, text string, vpn bool) {
		var kind activity.NetworkKind
		if vpn {
			kind = activity.NetworkVPN
		}
		file, rejected, err := read(text, kind)
		if err != nil {
			return
		}
		require.NotEmpty(t, file.Header.Content)
		require.Positive(t, file.Header.Rows)
		require.LessOrEqual(t, len(rejected), file.Header.Rows)
		for _, e := range file.Entries {
			require.Equal(t, table.CleanText(e.Text), e.Text)
		}
		for r := range file.Map.All() {
			require.LessOrEqual(t, int(r.Value), len(file.Entries))
			require.Equal(t, r.Value, file.Map.Find(r.First))
			require.Equal(t, r.Value, file.Map.Find(r.Last))
		}
	})
}
