// Command gen makes the address tables that ship with Cairn from two npm
// packages. It is run by hand when the tables are to be renewed
// (make generate-intel), never as part of a build:
//
//	go run ./internal/intel/gen [-tarballs DIR] [-out internal/intel/data]
//
// A tarball that is not in DIR is fetched with "npm pack". Either way its
// bytes must be those pinned below: to move to another version, change version
// and integrity ("npm view NAME@VERSION dist.integrity") together. The same
// tarballs make the same tables, byte for byte.
//
// The packages' licences are named in internal/intel/NOTICE.md, which must be
// kept in step with this file.
package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha512"
	"crypto/subtle"
	"encoding/base64"
	"encoding/csv"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/cairn-itdr/cairn/internal/intel/table"
)

// origin is one npm package and the table made from it.
type origin struct {
	pack      string // npm package
	version   string
	integrity string // as npm writes it
	members   []string
	header    table.Header
	entry     func(row []string) (table.Entry, error) // what a row's range is given
}

// The version ends in the date of the snapshot.
const version = "2.3.2026061719"

var snapshot = time.Date(2026, 6, 17, 0, 0, 0, 0, time.UTC)

var origins = []origin{
	{
		pack:      "@ip-location-db/asn",
		version:   version,
		integrity: "sha512-PpqYi7wyEyWwunXBtl+y3Vi403SvNywotWwvmiYCOUtE0SVol/Sf492Ee+eErEznmGapxEQB2SAfrpXuZ9a+vQ==",
		members:   []string{"package/asn-ipv4.csv", "package/asn-ipv6.csv"},
		header: table.Header{
			Name: "network", Content: table.Networks, Snapshot: snapshot,
			Notice: "IP Geolocation by DB-IP (https://db-ip.com), Route Views (https://www.routeviews.org) and NRO (https://www.nro.net), CC BY 4.0, merged by ip-location-db, reshaped by Cairn",
		},
		entry: func(row []string) (table.Entry, error) {
			if len(row) != 4 {
				return table.Entry{}, fmt.Errorf("%d columns instead of 4", len(row))
			}
			number, err := strconv.ParseUint(row[2], 10, 32)
			if err != nil {
				return table.Entry{}, fmt.Errorf("network number: %w", err)
			}
			return table.Entry{Number: uint32(number), Text: table.CleanText(row[3])}, nil
		},
	},
	{
		pack:      "@ip-location-db/geo-whois-asn-country",
		version:   version,
		integrity: "sha512-9MQ3r2q+GDLwW+Mye5duWnHe3n1qB1ZcNUcM9P58CpdW86Gt44AgfIrem6Pcy/tbCHhQ70RJCLngQQyYnaEjbw==",
		members:   []string{"package/geo-whois-asn-country-ipv4.csv", "package/geo-whois-asn-country-ipv6.csv"},
		header: table.Header{
			Name: "country", Content: table.Countries, Snapshot: snapshot,
			Notice: "Country of registration from the regional registries by way of NRO (https://www.nro.net, CC BY 4.0), merged by ip-location-db (CC0), reshaped by Cairn",
		},
		entry: func(row []string) (table.Entry, error) {
			if len(row) != 3 || len(row[2]) != 2 {
				return table.Entry{}, fmt.Errorf("not first,last,country: %q", row)
			}
			return table.Entry{Text: strings.ToUpper(row[2])}, nil
		},
	},
}

func main() {
	tarballs := flag.String("tarballs", "", "folder with the npm tarballs (default: fetch them with npm)")
	out := flag.String("out", filepath.Join("internal", "intel", "data"), "folder to write the tables to")
	flag.Parse()
	if err := run(*tarballs, *out); err != nil {
		fmt.Fprintln(os.Stderr, "gen:", err)
		os.Exit(1)
	}
}

func run(tarballs, out string) error {
	if tarballs == "" {
		temporary, err := os.MkdirTemp("", "cairn-intel")
		if err != nil {
			return err
		}
		defer os.RemoveAll(temporary)
		tarballs = temporary
	}
	for _, o := range origins {
		if err := o.generate(tarballs, out); err != nil {
			return fmt.Errorf("%s@%s: %w", o.pack, o.version, err)
		}
	}
	return nil
}

func (o origin) generate(tarballs, out string) error {
	tarball, err := o.tarball(tarballs)
	if err != nil {
		return err
	}
	file, err := o.convert(tarball)
	if err != nil {
		return err
	}
	var b bytes.Buffer
	if err := table.Write(&b, file); err != nil {
		return err
	}
	path := filepath.Join(out, file.Header.Name+".table")
	if err := os.WriteFile(path, b.Bytes(), 0o644); err != nil {
		return err
	}
	fmt.Printf("%s: %d rows, %d ranges, %d entries, %d bytes\n",
		path, file.Header.Rows, file.Map.Len(), len(file.Entries), b.Len())
	return nil
}

// tarball returns the package's bytes, checked against the pinned hash.
func (o origin) tarball(dir string) ([]byte, error) {
	name := strings.NewReplacer("@", "", "/", "-").Replace(o.pack) + "-" + o.version + ".tgz"
	path := filepath.Join(dir, name)
	if _, err := os.Stat(path); errors.Is(err, os.ErrNotExist) {
		npm := exec.CommandContext(context.Background(), "npm", "pack", o.pack+"@"+o.version, "--pack-destination", dir)
		npm.Stderr = os.Stderr
		if err := npm.Run(); err != nil {
			return nil, fmt.Errorf("npm pack: %w", err)
		}
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	sum := sha512.Sum512(data)
	if got := "sha512-" + base64.StdEncoding.EncodeToString(sum[:]); subtle.ConstantTimeCompare([]byte(got), []byte(o.integrity)) != 1 {
		return nil, fmt.Errorf("%s has integrity %s, pinned is %s", path, got, o.integrity)
	}
	return data, nil
}

// convert reads the tarball's tables. A row that cannot be read ends it: the
// bytes are pinned, so it would be ours to look at.
func (o origin) convert(tarball []byte) (*table.File, error) {
	z, err := gzip.NewReader(bytes.NewReader(tarball))
	if err != nil {
		return nil, err
	}
	file := &table.File{Header: o.header}
	values := map[table.Entry]uint32{}
	var b table.Builder
	missing := len(o.members)
	for archive := tar.NewReader(z); ; {
		member, err := archive.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, err
		}
		wanted := false
		for _, m := range o.members {
			wanted = wanted || m == member.Name
		}
		if !wanted {
			continue
		}
		missing--
		rows := csv.NewReader(archive)
		rows.ReuseRecord = true
		for {
			row, err := rows.Read()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				return nil, fmt.Errorf("%s: %w", member.Name, err)
			}
			if err := o.add(&b, file, values, row); err != nil {
				line, _ := rows.FieldPos(0)
				return nil, fmt.Errorf("%s:%d: %w", member.Name, line, err)
			}
		}
	}
	if missing > 0 {
		return nil, fmt.Errorf("%d of %v are not in the tarball", missing, o.members)
	}
	file.Map = b.Build()
	return file, nil
}

func (o origin) add(b *table.Builder, file *table.File, values map[table.Entry]uint32, row []string) error {
	entry, err := o.entry(row)
	if err != nil {
		return err
	}
	first, err := netip.ParseAddr(row[0])
	if err != nil {
		return err
	}
	last, err := netip.ParseAddr(row[1])
	if err != nil {
		return err
	}
	value, known := values[entry]
	if !known {
		entry.Text = strings.Clone(entry.Text)
		file.Entries = append(file.Entries, entry)
		value = uint32(len(file.Entries))
		values[entry] = value
	}
	file.Header.Rows++
	return b.Add(first, last, value)
}
