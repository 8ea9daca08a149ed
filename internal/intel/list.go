package intel

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"strconv"
	"strings"

	"github.com/cairn-itdr/cairn/internal/activity"
	"github.com/cairn-itdr/cairn/internal/intel/table"
)

// Limits of a list. No public one comes near.
const (
	maxLine = 64 << 10 // bytes
	// The widest network that can be of one kind: a list that calls a larger
	// part of the Internet a VPN is a mistake.
	widestV4, widestV6 = 8, 16
)

// list reads a text list: one thing a line, in its first column, which may be
//
//	198.51.100.0/24            a network
//	198.51.100.7               an address
//	198.51.100.0-198.51.100.9  a range; or the two ends as two columns
//	AS64500                    an autonomous system; AS may be missing
//
// all of the kind the operator names, or a range CSV that says more of its ranges:
//
//	198.51.100.0,198.51.100.255,NL              the country
//	198.51.100.0,198.51.100.255,64500,"Owner"   the network
//
// Columns are divided by commas, else by white space. Empty lines, comments
// (#, ; and //) and a header are passed over. All rows must say the same sort of thing.
type list struct {
	kind    activity.NetworkKind
	content table.Content
	builder table.Builder
	entries []table.Entry
	values  map[table.Entry]uint32
	rows    int
}

// errKind says that only the operator can know what a list is of.
var errKind = errors.New("a list of addresses or networks needs to be told its kind (--kind)")

// readList reads a list whole. Lines it cannot read go to reject; the list is
// refused where they are more than the others.
func readList(r io.Reader, kind activity.NetworkKind, reject func(line int, reason string)) (*table.File, error) {
	l := &list{kind: kind, values: map[table.Entry]uint32{}}
	lines := bufio.NewReaderSize(r, maxLine)
	rejected, firstReason, header := 0, "", false
	refuse := func(number int, reason string) {
		if rejected == 0 {
			firstReason = fmt.Sprintf("line %d: %s", number, reason)
		}
		rejected++
		reject(number, reason)
	}
	for number := 1; ; number++ {
		text, long, err := readLine(lines)
		if err != nil && !errors.Is(err, io.EOF) {
			return nil, fmt.Errorf("line %d: %w", number, err)
		}
		switch {
		case long:
			refuse(number, fmt.Sprintf("longer than %d bytes", maxLine))
		case text != "":
			reason := l.add(text)
			if errors.Is(reason, table.ErrTooLarge) || errors.Is(reason, errKind) {
				return nil, fmt.Errorf("line %d: %w", number, reason)
			}
			switch {
			case reason == nil:
			case !header && l.rows == 0 && rejected == 0 && isHeader(text):
				header = true
			default:
				refuse(number, reason.Error())
			}
		}
		if err != nil {
			break
		}
	}
	switch {
	case l.rows == 0 && rejected == 0:
		return nil, errors.New("nothing in it")
	case rejected > l.rows:
		return nil, fmt.Errorf("not a list of addresses, networks or ranges: %d of %d lines cannot be read, the first is %s",
			rejected, rejected+l.rows, firstReason)
	}
	return &table.File{
		Header:  table.Header{Content: l.content, Rows: l.rows},
		Entries: l.entries, Map: l.builder.Build(),
	}, nil
}

// readLine returns the next line without comment and white space around it.
func readLine(r *bufio.Reader) (text string, long bool, err error) {
	raw, err := r.ReadSlice('\n')
	for errors.Is(err, bufio.ErrBufferFull) {
		long = true
		_, err = r.ReadSlice('\n')
	}
	text = strings.TrimSpace(strings.TrimPrefix(string(raw), "\ufeff"))
	if strings.HasPrefix(text, "#") || strings.HasPrefix(text, ";") || strings.HasPrefix(text, "//") {
		text = ""
	}
	return text, long, err
}

// isHeader reports whether a line holds nothing but names of columns.
func isHeader(text string) bool {
	columns := fields(text)
	if _, ok := systemNumber(columns[0]); ok {
		return false
	}
	for _, field := range columns {
		if field == "" || strings.ContainsAny(field, "/:.\\<>{}[]=") || strings.ContainsAny(field[:1], "0123456789") {
			return false
		}
	}
	return true
}

// fields splits a line into its columns and takes quotes off.
func fields(text string) []string {
	// A remark may hold commas, and an owner's name (behind a comma) a #.
	if at := strings.IndexByte(text, '#'); at >= 0 && !strings.Contains(text[:at], ",") {
		text = text[:at]
	}
	if !strings.Contains(text, ",") {
		return strings.Fields(strings.ReplaceAll(text, `"`, ""))
	}
	var out []string
	var field strings.Builder
	quoted := false
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case c == '"' && quoted && i+1 < len(text) && text[i+1] == '"':
			field.WriteByte('"')
			i++
		case c == '"':
			quoted = !quoted
		case c == ',' && !quoted:
			out = append(out, strings.TrimSpace(field.String()))
			field.Reset()
		default:
			field.WriteByte(c)
		}
	}
	return append(out, strings.TrimSpace(field.String()))
}

// add reads one line; its error is why the line is rejected.
func (l *list) add(text string) error {
	columns := fields(text)
	if len(columns) == 0 {
		return nil
	}
	if number, ok := systemNumber(columns[0]); ok {
		if len(columns) > 1 && isDigits(columns[0]) && isDigits(columns[1]) {
			return errors.New("ranges written as numbers are not read: use the file that has addresses")
		}
		return l.addNumber(number)
	}
	if strings.Contains(columns[0], "/") {
		prefix, err := netip.ParsePrefix(columns[0])
		switch {
		case err != nil:
			return errors.New("not a network in CIDR form")
		case prefix != prefix.Masked():
			return fmt.Errorf("bits are set behind the prefix; the network is %s", prefix.Masked())
		}
		return l.addPrefix(prefix)
	}
	head, tail, isRange := strings.Cut(columns[0], "-")
	first, err := netip.ParseAddr(strings.TrimSpace(head))
	if err != nil || first.Zone() != "" {
		return errors.New("no address, network, range or AS number in the first column")
	}
	rest := columns[1:]
	if !isRange && len(rest) > 0 {
		if _, err := netip.ParseAddr(rest[0]); err == nil {
			tail, isRange, rest = rest[0], true, rest[1:]
		}
	}
	if !isRange {
		return l.addPrefix(netip.PrefixFrom(first, first.BitLen()))
	}
	last, err := netip.ParseAddr(strings.TrimSpace(tail))
	if err != nil || last.Zone() != "" {
		return errors.New("the range's end is not an address")
	}
	return l.addRange(first, last, rest)
}

// addNumber takes a whole network. None is a relay or Microsoft's services as
// a whole: relays leave through networks that carry much else, and Microsoft
// rents machines to everybody.
func (l *list) addNumber(number uint32) error {
	if err := l.isOf(table.Kinds); err != nil {
		return err
	}
	if l.kind == activity.NetworkRelay || l.kind == activity.NetworkMicrosoft {
		return fmt.Errorf("a whole network is never %s: only ranges are", l.kind)
	}
	l.value(table.Entry{Number: number, Text: string(l.kind)})
	l.rows++
	return nil
}

func (l *list) addPrefix(prefix netip.Prefix) error {
	if err := l.isOf(table.Kinds); err != nil {
		return err
	}
	widest := widestV6
	if prefix.Addr().Is4() {
		widest = widestV4
	}
	if prefix.Bits() < widest {
		return fmt.Errorf("wider than /%d: too much to be of one kind", widest)
	}
	l.rows++
	return l.builder.AddPrefix(prefix, l.value(table.Entry{Text: string(l.kind)}))
}

func (l *list) addRange(first, last netip.Addr, rest []string) error {
	content, entry := table.Kinds, table.Entry{Text: string(l.kind)}
	if len(rest) > 0 {
		if number, ok := systemNumber(rest[0]); ok && len(rest) > 1 {
			content, entry = table.Networks, table.Entry{Number: number, Text: table.CleanText(rest[1])}
		} else if code, ok := countryCode(rest[0]); ok {
			content, entry = table.Countries, table.Entry{Text: code}
		} else {
			return errors.New("behind the range stands neither a country code nor AS number and owner")
		}
	}
	if err := l.isOf(content); err != nil {
		return err
	}
	if content == table.Kinds && first.BitLen() == last.BitLen() && !narrow(first, last) {
		return fmt.Errorf("wider than /%d (v6: /%d): too much to be of one kind", widestV4, widestV6)
	}
	if err := l.builder.Add(first, last, l.value(entry)); err != nil {
		return err
	}
	l.rows++
	return nil
}

// narrow reports whether a range can be of one kind: its ends share the first bits.
func narrow(first, last netip.Addr) bool {
	widest := widestV6
	if first.Is4() {
		widest = widestV4
	}
	prefix, err := first.Prefix(widest)
	return err == nil && prefix.Contains(last)
}

// isOf makes sure that all rows say the same sort of thing.
func (l *list) isOf(content table.Content) error {
	if content == table.Kinds && l.kind == "" {
		return errKind
	}
	if l.rows == 0 {
		l.content = content
	}
	if content != l.content {
		return fmt.Errorf("a row of %s in a file of %s", strings.ToLower(string(content)), strings.ToLower(string(l.content)))
	}
	return nil
}

func (l *list) value(e table.Entry) uint32 {
	value, known := l.values[e]
	if !known {
		l.entries = append(l.entries, e)
		value = uint32(len(l.entries))
		l.values[e] = value
	}
	return value
}

// systemNumber reads "AS64500", "as64500" or "64500".
func systemNumber(s string) (uint32, bool) {
	if len(s) > 2 && strings.EqualFold(s[:2], "AS") {
		s = s[2:]
	}
	number, err := strconv.ParseUint(s, 10, 32)
	return uint32(number), err == nil && number != 0
}

func isDigits(s string) bool { return s != "" && strings.Trim(s, "0123456789") == "" }

// countryCode reads an ISO 3166-1 alpha-2 code in either case.
func countryCode(s string) (string, bool) {
	if len(s) != 2 {
		return "", false
	}
	s = strings.ToUpper(s)
	return s, s[0] >= 'A' && s[0] <= 'Z' && s[1] >= 'A' && s[1] <= 'Z'
}
