package simulator

import (
	"compress/gzip"
	"encoding/csv"
	"errors"
	"io"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
)

// Every address the simulator can hand out must lie in the network and country it claims.
func TestBlocksAreWhereTheySay(t *testing.T) {
	t.Parallel()
	numbers := ranges(t, shared(t, "data/microsoft365/ip/asn_ipv4.csv.gz"))
	codes := ranges(t, shared(t, "data/microsoft365/ip/country_ipv4.csv.gz"))
	d := newDice(1, "places")
	for _, b := range blocks() {
		for range 200 {
			p := b.pick(d)
			require.True(t, netip.MustParsePrefix(b.prefix).Contains(p.address))
			require.Equal(t, strconv.Itoa(int(b.number)), lookup(numbers, p.address), "%s of %s", p.address, b.prefix)
			require.Equal(t, b.country, lookup(codes, p.address), "%s of %s", p.address, b.prefix)
		}
	}
}

func blocks() []block {
	all := slices.Concat(destinations, serviceHops, []block{companyVPN, sourceAiTM, sourceSpray, sourceBrute})
	for _, c := range countries {
		all = append(all, c.homes...)
		all = append(all, c.offices, c.carrier, c.relay)
	}
	return all
}

type span struct {
	first, last netip.Addr
	value       string
}

func ranges(t *testing.T, path string) []span {
	t.Helper()
	f, err := os.Open(path)
	require.NoError(t, err)
	defer f.Close()
	z, err := gzip.NewReader(f)
	require.NoError(t, err)
	rows := csv.NewReader(z)
	rows.ReuseRecord = true
	rows.FieldsPerRecord = -1
	var out []span
	for {
		row, err := rows.Read()
		if errors.Is(err, io.EOF) {
			return out
		}
		require.NoError(t, err)
		out = append(out, span{netip.MustParseAddr(row[0]), netip.MustParseAddr(row[1]), row[2]})
	}
}

func lookup(spans []span, address netip.Addr) string {
	i, found := slices.BinarySearchFunc(spans, address, func(s span, a netip.Addr) int { return s.first.Compare(a) })
	if !found {
		i--
	}
	if i < 0 || spans[i].last.Less(address) {
		return ""
	}
	return spans[i].value
}
