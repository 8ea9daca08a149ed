package simulator

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"
)

// Load is a stream of records for benchmarks: plausible in shape and in how
// often accounts, addresses and sessions repeat, but nobody's life. It is
// written from templates, one record a line, in time order.
type Load struct {
	Seed     uint64
	Accounts int // each leaves recordsADay a day
	Records  int
	Log      Log       // which log; empty: both, mixed in one stream
	From     time.Time // of the first record
	TenantID string    // Microsoft's tenant id; made from the seed where empty
}

// recordsADay is about how many records an account of a load leaves a day:
// with more accounts more happens in an hour, and no account does less.
const recordsADay = 60

// The holes of a template. They are letters that JSON leaves as they are.
const (
	holeID      = "§id§"
	holeTime    = "§time§"
	holeName    = "§name§"
	holeObject  = "§object§"
	holeAddress = "§address§"
	holeSession = "§session§"
	holeToken   = "§token§"
)

// template is a record with holes: text, hole, text, hole, …, text.
type template struct {
	log    Log
	weight int
	texts  []string
	holes  []string
}

// loadMix is the share of each operation in the stream.
var loadMix = []struct {
	operation string
	log       Log
	weight    int
}{
	{"UserLoggedIn", UnifiedAudit, 30},
	{"UserLoginFailed", UnifiedAudit, 1},
	{"MailItemsAccessed", UnifiedAudit, 20},
	{"Send", UnifiedAudit, 8},
	{"SoftDelete", UnifiedAudit, 4},
	{"FileAccessed", UnifiedAudit, 12},
	{"FileDownloaded", UnifiedAudit, 4},
	{"MessageSent", UnifiedAudit, 8},
	{"signIn", SignIns, 40},
}

// Write streams the load and returns how many bytes it wrote. It fails only
// where the writer fails or the load is empty.
func (l Load) Write(w io.Writer) (int64, error) {
	if l.Accounts < 1 || l.Records < 1 {
		return 0, fmt.Errorf("simulator: load of %d records by %d accounts: both must be at least 1", l.Records, l.Accounts)
	}
	d := newDice(l.Seed, "load")
	if l.TenantID == "" {
		l.TenantID = d.uuid().String()
	}
	templates, err := loadTemplates(l.Log, l.TenantID)
	if err != nil {
		return 0, err
	}
	var deck []*template
	for i := range templates {
		for range templates[i].weight {
			deck = append(deck, &templates[i])
		}
	}
	out := bufio.NewWriterSize(w, 1<<16)
	var written int64
	var line []byte
	step := 24 * time.Hour / time.Duration(l.Accounts*recordsADay)
	for i := range l.Records {
		t := deck[d.IntN(len(deck))]
		line = l.fill(line[:0], t, d, d.IntN(l.Accounts), l.From.UTC().Add(time.Duration(i)*step))
		n, err := out.Write(line)
		written += int64(n)
		if err != nil {
			return written, fmt.Errorf("simulator: write load: %w", err)
		}
	}
	if err := out.Flush(); err != nil {
		return written, fmt.Errorf("simulator: write load: %w", err)
	}
	return written, nil
}

// fill appends one record. What belongs to an account (name, object id,
// addresses, sessions) follows from its number alone, so that no state grows
// with the number of accounts.
func (l Load) fill(line []byte, t *template, d dice, account int, at time.Time) []byte {
	number := mix(l.Seed, uint64(account))
	session := mix(number, uint64(at.Unix()/(14*86400)))
	for i, text := range t.texts {
		line = append(line, text...)
		if i == len(t.holes) {
			break
		}
		switch t.holes[i] {
		case holeID:
			line = appendUUID(line, d.Uint64(), d.Uint64())
		case holeTime:
			line = at.AppendFormat(line, "2006-01-02T15:04:05")
			if t.log == SignIns {
				line = append(line, 'Z')
			}
		case holeName:
			line = fmt.Appendf(line, "user%06d@load.example", account)
		case holeObject:
			line = appendUUID(line, number, mix(number, 1))
		case holeAddress:
			// Nine of ten from home, the rest from a carrier, whose addresses
			// change by the hour and come from a few networks.
			bits := mix(number, 2)
			first := byte(73)
			if d.IntN(10) == 0 {
				bits, first = mix(number, uint64(at.Unix()/3600))&0x0000_3f_ff|0x0020_00_00, 172
			}
			line = appendAddress(line, first, bits)
		case holeSession:
			line = appendUUID(line, session, mix(session, 3))
		case holeToken:
			line = appendUUID(line, session, mix(session, uint64(at.Unix()/3600)))
		}
	}
	return append(line, '\n')
}

// loadTemplates takes a record of each operation from a world's history and
// cuts out what varies.
func loadTemplates(log Log, tenantID string) ([]template, error) {
	w := New(Config{Seed: 1})
	tenant := w.Tenants[0]
	a := tenant.Accounts[1]
	who := w.atLaptop(a, a.home, 0)
	at := time.Date(2020, 1, 1, 10, 0, 0, 0, time.UTC)
	s := w.scribe(tenant, "load")
	s.signIn(signIn{at: at, who: who, app: office, resource: exchange, renewal: true})
	s.signIn(signIn{at: at, who: who, app: officeHome, resource: officeHome, code: wrongPassword, proof: byPassword})
	s.readMail(at, who, 4)
	s.sendMail(at, who, subjects[0])
	s.deleteMail(at, who, "SoftDelete", subjects[1])
	s.file(at, who, "FileAccessed")
	s.file(at, who, "FileDownloaded")
	s.chat(at, who)

	var templates []template
	for _, share := range loadMix {
		if log != "" && log != share.log {
			continue
		}
		for _, r := range s.records {
			var names struct {
				Operation string `json:"Operation"`
			}
			if err := json.Unmarshal(r.Raw, &names); err != nil {
				return nil, fmt.Errorf("simulator: load template: %w", err)
			}
			if r.Log != share.log || (names.Operation != share.operation && share.log == UnifiedAudit) {
				continue
			}
			stamp := at.Format("2006-01-02T15:04:05")
			if r.Log == SignIns {
				stamp += "Z"
			}
			raw := strings.NewReplacer(
				r.ID, holeID, stamp, holeTime, a.UserPrincipalName, holeName, lower(a.UserPrincipalName), holeName,
				a.ObjectID.String(), holeObject, who.place.address.String(), holeAddress, who.session.String(), holeSession,
				tenant.ID.String(), tenantID, s.tokenContext(at, who).UniqueTokenID, holeToken,
			).Replace(string(r.Raw))
			templates = append(templates, cut(template{log: r.Log, weight: share.weight}, raw))
			break
		}
	}
	return templates, nil
}

// cut splits a record at its holes.
func cut(t template, raw string) template {
	for i, part := range strings.Split(raw, "§") {
		if i%2 == 0 {
			t.texts = append(t.texts, part)
		} else {
			t.holes = append(t.holes, "§"+part+"§")
		}
	}
	return t
}

// mix is the finaliser of SplitMix64: a number that looks random and follows from two.
func mix(a, b uint64) uint64 {
	z := a + b*0x9e3779b97f4a7c15 + 0x9e3779b97f4a7c15
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

func appendUUID(line []byte, a, b uint64) []byte {
	const digits = "0123456789abcdef"
	a = a&^0xf000 | 0x4000
	b = b&^(3<<62) | 1<<63
	for i := range 32 {
		word := a
		if i > 15 {
			word = b
		}
		if i == 8 || i == 12 || i == 16 || i == 20 {
			line = append(line, '-')
		}
		line = append(line, digits[word>>(60-4*(i%16))&15])
	}
	return line
}

func appendAddress(line []byte, first byte, bits uint64) []byte {
	second := 128 | byte(bits>>16&0x3f) // 73.128.0.0/10, as the homes of the world
	if first == 172 {
		second = 32 | byte(bits>>16&0x0f) // 172.32.0.0/12, a carrier
	}
	return fmt.Appendf(line, "%d.%d.%d.%d", first, second, byte(bits>>8), 1+byte(bits)%250)
}
