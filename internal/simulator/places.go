package simulator

import (
	"encoding/binary"
	"net/netip"
	"time"
)

// place is where an address is: what Microsoft's logs say of it.
type place struct {
	address netip.Addr
	number  uint32 // autonomous system
	country string
	city    string
}

// block is a range of addresses of one network in one country.
type block struct {
	prefix  string
	number  uint32
	country string
	city    string
}

// pick returns a random IPv4 address of the block, never one that ends in 0 or 255.
func (b block) pick(d dice) place {
	prefix := netip.MustParsePrefix(b.prefix)
	base := prefix.Addr().As4()
	host := d.Uint32() >> prefix.Bits()
	var address [4]byte
	binary.BigEndian.PutUint32(address[:], binary.BigEndian.Uint32(base[:])|host)
	if address[3] == 0 || address[3] == 255 {
		address[3] ^= 1 << 2
	}
	return place{netip.AddrFrom4(address), b.number, b.country, b.city}
}

// country is what a tenant of a country lives among.
type country struct {
	code, city string
	offset     time.Duration
	forest     string // prefix of Exchange's forest name
	homes      []block
	offices    block
	carrier    block
	relay      block // iCloud Private Relay exits of that country
}

// The address blocks are facts from the AS and country tables of
// ip-location-db (RouteViews, DB-IP, NRO; CC BY 4.0), the relay exits from
// MISP warning lists (CC0). They lie whole in one network and one country.
var countries = map[string]country{
	"US": {
		code: "US", city: "Columbus", offset: -5 * time.Hour, forest: "NAM",
		homes: []block{
			{"73.128.0.0/10", 7922, "US", "Columbus"},
			{"108.48.0.0/14", 701, "US", "Dayton"},
		},
		offices: block{"107.192.0.0/12", 7018, "US", "Columbus"},
		carrier: block{"172.32.0.0/12", 21928, "US", "Cleveland"},
		relay:   block{"104.28.32.96/27", 13335, "US", "Columbus"},
	},
	"NL": {
		code: "NL", city: "Utrecht", offset: time.Hour, forest: "EUR",
		homes: []block{
			{"77.160.0.0/13", 1136, "NL", "Utrecht"},
			{"94.208.0.0/14", 33915, "NL", "Amersfoort"},
		},
		offices: block{"31.160.0.0/16", 1136, "NL", "Utrecht"},
		carrier: block{"178.224.0.0/16", 50266, "NL", "Amsterdam"},
		relay:   block{"172.225.207.64/27", 36183, "NL", "Utrecht"},
	},
	"GB": {
		code: "GB", city: "Leeds", offset: 0, forest: "GBR",
		homes: []block{
			{"86.128.0.0/11", 2856, "GB", "Leeds"},
			{"82.0.0.0/12", 5089, "GB", "Bradford"},
		},
		offices: block{"81.128.0.0/12", 2856, "GB", "Leeds"},
		carrier: block{"188.28.0.0/15", 206067, "GB", "London"},
		relay:   block{"104.28.30.128/27", 13335, "GB", "Leeds"},
	},
	"AU": {
		code: "AU", city: "Geelong", offset: 10 * time.Hour, forest: "AUS",
		homes: []block{
			{"121.208.0.0/12", 1221, "AU", "Geelong"},
			{"58.160.0.0/13", 1221, "AU", "Melbourne"},
		},
		offices: block{"124.176.0.0/13", 1221, "AU", "Geelong"},
		carrier: block{"1.128.0.0/12", 1221, "AU", "Melbourne"},
		relay:   block{"104.28.90.32/28", 13335, "AU", "Geelong"},
	},
	"DE": {
		code: "DE", city: "Kassel", offset: time.Hour, forest: "DEU",
		homes: []block{
			{"93.192.0.0/11", 3320, "DE", "Kassel"},
			{"88.64.0.0/13", 3209, "DE", "Göttingen"},
		},
		offices: block{"87.128.0.0/11", 3320, "DE", "Kassel"},
		carrier: block{"80.187.0.0/16", 3320, "DE", "Frankfurt am Main"},
		relay:   block{"172.225.6.0/26", 36183, "DE", "Kassel"},
	},
	"FR": {
		code: "FR", city: "Nantes", offset: time.Hour, forest: "FRA",
		homes: []block{
			{"86.192.0.0/12", 3215, "FR", "Nantes"},
			{"82.224.0.0/12", 12322, "FR", "Angers"},
		},
		offices: block{"90.0.0.0/12", 3215, "FR", "Nantes"},
		carrier: block{"37.165.0.0/16", 51207, "FR", "Paris"},
		relay:   block{"172.226.148.0/26", 36183, "FR", "Nantes"},
	},
}

// destinations are where travellers stay: consumer networks of hotels.
var destinations = []block{
	{"79.0.0.0/12", 3269, "IT", "Verona"},
	{"90.160.0.0/13", 12479, "ES", "Valencia"},
	{"88.88.0.0/14", 2119, "NO", "Bergen"},
	{"70.48.0.0/13", 577, "CA", "Toronto"},
}

// Rented machines: the company VPN's, and the attackers'.
var (
	companyVPN = block{"94.23.0.0/18", 16276, "FR", "Roubaix"}

	sourceAiTM  = block{"154.195.96.0/19", 62240, "DE", "Frankfurt am Main"}
	sourceSpray = block{"45.55.0.0/16", 14061, "US", "Clifton"}
	sourceBrute = block{"161.97.64.0/18", 51167, "FR", "Lauterbourg"}

	// serviceHops are Microsoft's own addresses that appear where a service
	// acted for a person.
	serviceHops = []block{
		{"52.109.88.0/24", 8075, "NL", "Amsterdam"},
		{"20.190.159.0/24", 8075, "IE", "Dublin"},
	}
)
