package detect

import (
	"bytes"
	"strconv"
	"strings"

	"github.com/cairn-itdr/cairn/internal/activity"
)

// sign is what one record says of the use of an account that no history is
// needed for. A sighting gathers those of all its records. Stored in books: add
// at the end, never renumber.
type sign uint16

// The signs.
const (
	signSignIn     sign = 1 << iota // a sign-in let in
	signBrowser                     // an interactive one, with a browser
	signPortal                      // at the portal, the broker or an Office client: what people use, never programs
	signDeveloper                   // with a tool of developers: CLI, PowerShell, VS Code
	signLegacy                      // by basic authentication, or the password handed over (ROPC)
	signDeviceCode                  // by a code typed elsewhere
	signRisk                        // Microsoft rates it a medium or high risk
)

// Client applications by id (learn.microsoft.com, "first-party application ids").
var (
	portals = map[string]bool{
		"4765445b-32c6-49b0-83e6-1d93765276ca": true, // OfficeHome
		"29d9ed98-a469-4536-ade2-f981bc1d605e": true, // Microsoft Authentication Broker
		"d3590ed6-52b3-4102-aeff-aad2292ab01c": true, // Microsoft Office
	}
	developerTools = map[string]bool{
		"04b07795-8ddb-461a-bbee-02f9e1bf7b46": true, // Azure CLI
		"1950a258-227b-4e31-a9cf-717495945fc2": true, // Azure PowerShell
		"aebc6443-996d-45c2-90f0-388ff96faa56": true, // Visual Studio Code
		"14d82eec-204b-4c2f-b7e8-296a70dab67e": true, // Microsoft Graph command line tools
	}
)

// legacyClients are the sign-in log's names of clients without modern authentication (LEGACY).
var legacyClients = map[string]bool{
	"imap4": true, "imap": true, "pop3": true, "pop": true, "authenticated smtp": true, "smtp": true,
	"other clients": true, "exchange activesync": true, "mapi over http": true, "exchange web services": true,
}

// signsOf reads the signs of a record of use.
func signsOf(a *activity.Activity, agent Agent) sign {
	if !a.SignIn {
		return 0
	}
	s := signSignIn
	if a.Interactive && agent.Family().browser() {
		s |= signBrowser
	}
	if portals[a.Application.ID] {
		s |= signPortal
	}
	if developerTools[a.Application.ID] {
		s |= signDeveloper
	}
	if agent.Family() == FamilyLegacy {
		s |= signLegacy
	}
	for i := range a.Parameters {
		switch p := &a.Parameters[i]; p.Name {
		case "authenticationProtocol":
			switch {
			case strings.EqualFold(p.Value, "ropc"):
				s |= signLegacy
			case strings.EqualFold(p.Value, "deviceCode"):
				s |= signDeviceCode
			}
		case "originalTransferMethod":
			if strings.EqualFold(p.Value, "deviceCodeFlow") && a.Interactive {
				s |= signDeviceCode
			}
		case "RequestType":
			if p.Value == "Cmsi:Cmsi" {
				s |= signDeviceCode
			}
		case "clientAppUsed":
			if legacyClients[strings.ToLower(p.Value)] {
				s |= signLegacy
			}
		case "riskLevelDuringSignIn":
			if v := strings.ToLower(p.Value); v == "medium" || v == "high" {
				s |= signRisk
			}
		}
	}
	return s
}

// Tally counts what was done at one place on one day of the month.
type Tally struct {
	Place uint64
	Day   uint8
	Kind  tallyKind
	Count uint16
}

// tallyKind is what is counted. Stored in books: add at the end, never renumber.
type tallyKind uint8

const (
	tallyRead     tallyKind = iota + 1 // messages opened by the dozen
	tallySent                          // messages sent
	tallyDownload                      // files
	tallyDeleted                       // files
)

// readAtOnce is from how many messages in one record on reading counts: Exchange
// joins what is opened within two minutes, and a person opens a few.
const readAtOnce = 10

// maxTallies caps the counts of an account's month.
const maxTallies = 2048

// tallyOf says what a record of use adds, and to which count.
func tallyOf(a *activity.Activity) (tallyKind, int) {
	switch a.Operation {
	case "MailItemsAccessed":
		if n := operationCount(a.Raw); n >= readAtOnce {
			return tallyRead, n
		}
	case "Send", "SendAs", "SendOnBehalf":
		return tallySent, 1
	case "FileDownloaded":
		return tallyDownload, 1
	case "FileDeleted", "FileRecycled":
		return tallyDeleted, 1
	}
	return 0, 0
}

// operationCount reads how many messages a record is about, without decoding it.
func operationCount(raw []byte) int {
	const name = `"OperationCount"`
	i := bytes.LastIndex(raw, []byte(name))
	if i < 0 {
		return 0
	}
	text := bytes.TrimLeft(raw[i+len(name):], ` :"`)
	end := bytes.IndexFunc(text, func(r rune) bool { return r < '0' || r > '9' })
	if end < 0 {
		end = len(text)
	}
	n, err := strconv.Atoi(string(text[:min(end, 6)]))
	if err != nil {
		return 0
	}
	return n
}

func (t *Tally) key() uint64 { return mix(t.Place, uint64(t.Day)<<8|uint64(t.Kind)) }

func (b *AccountBook) addTally(place uint64, day int, kind tallyKind, n int) change {
	t := Tally{Place: place, Day: uint8(day), Kind: kind} //nolint:gosec // a day of the month
	i, ok := find(b.Tallies, t.key(), (*Tally).key)
	if !ok {
		b.Tallies = append(b.Tallies, Tally{})
		copy(b.Tallies[i+1:], b.Tallies[i:])
		b.Tallies[i] = t
	}
	b.Tallies[i].Count = uint16(min(int(b.Tallies[i].Count)+n, 1<<16-1)) //nolint:gosec // capped
	return changed | judge
}

// trimTallies keeps the largest.
func (b *AccountBook) trimTallies() {
	if len(b.Tallies) > maxTallies {
		b.Tallies = keepBest(b.Tallies, maxTallies, (*Tally).key, func(t *Tally) int { return int(t.Count) })
	}
}
