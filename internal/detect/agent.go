package detect

import (
	"strings"
	"sync"
)

// Agent is what a user agent says of the client: its family and its operating
// system, versions left out, so that an update changes nothing.
type Agent uint16

// Family is the client program.
type Family uint8

// OS is the operating system.
type OS uint8

// The families. Their numbers, and those of the systems, are stored in books: add at the end, never renumber.
const (
	FamilyUnknown Family = iota
	FamilyChrome
	FamilyEdge
	FamilyFirefox
	FamilySafari
	FamilyOpera
	FamilyInternetExplorer
	FamilyOffice     // Outlook, Word, Teams, OneDrive and their kin
	FamilyMailClient // the mail program of a phone, ActiveSync
	FamilyPowerShell // PowerShell and WinRM
	FamilyPython
	FamilyNode // axios, undici, node-fetch
	FamilyGo
	FamilyCurl
	FamilyLegacy // basic authentication carried over (detections.md, LEGACY)
	FamilyOther
	FamilyProgram       // libraries and tools that are none of the above
	FamilyDeveloperTool // Azure CLI and its kin: what developers sit in front of
)

// The systems.
const (
	OSUnknown OS = iota
	OSWindows
	OSMac
	OSiOS
	OSAndroid
	OSLinux
	OSChrome
)

var familyNames = [...]string{
	"an unknown client", "Chrome", "Edge", "Firefox", "Safari", "Opera", "Internet Explorer", "an Office program",
	"a mail program", "PowerShell", "Python", "Node.js", "Go", "curl", "a legacy client", "another client", "a program", "a developer's tool",
}

var osNames = [...]string{"", "Windows", "macOS", "iOS", "Android", "Linux", "ChromeOS"}

func newAgent(f Family, o OS) Agent { return Agent(f)<<8 | Agent(o) }

// Family returns the client program.
func (a Agent) Family() Family { return Family(a >> 8) }

// OS returns the operating system.
func (a Agent) OS() OS { return OS(a & 0xff) }

// String names the agent for people, e.g. "Firefox on macOS".
func (a Agent) String() string {
	f, o := a.Family(), a.OS()
	if int(f) >= len(familyNames) || int(o) >= len(osNames) {
		return familyNames[FamilyUnknown]
	}
	if o == OSUnknown {
		return familyNames[f]
	}
	return familyNames[f] + " on " + osNames[o]
}

func (f Family) browser() bool { return f >= FamilyChrome && f <= FamilyInternetExplorer }

// programmatic says that no person sits in front of the client (AITM-RELAY names the kit agents).
func (f Family) programmatic() bool {
	return f >= FamilyPowerShell && f <= FamilyCurl || f == FamilyProgram
}

func (o OS) apple() bool { return o == OSMac || o == OSiOS }

// familyMarks are looked for in the lower-case agent, in this order: the more
// telling word first, for nearly every agent also calls itself Mozilla and Safari.
var familyMarks = []struct {
	mark   string
	family Family
}{
	{"bav2ropc", FamilyLegacy},
	{"aconsumerv2ropc", FamilyLegacy},
	{"cbainprod", FamilyLegacy},
	{"cbaintar", FamilyLegacy},
	{"azurecli", FamilyDeveloperTool},
	{"azurepowershell", FamilyDeveloperTool},
	{"powershell", FamilyPowerShell},
	{"winrm", FamilyPowerShell},
	{"python", FamilyPython},
	{"aiohttp", FamilyPython},
	{"axios", FamilyNode},
	{"undici", FamilyNode},
	{"node-fetch", FamilyNode},
	{"go-http-client", FamilyGo},
	{"go-resty", FamilyGo},
	{"curl/", FamilyCurl},
	{"okhttp", FamilyProgram},
	{"java/", FamilyProgram},
	{"ruby", FamilyProgram},
	{"reqwest", FamilyProgram},
	{"aadinternals", FamilyProgram},
	{"azurehound", FamilyProgram},
	{"roadtools", FamilyProgram},
	{"microsoft office", FamilyOffice},
	{"outlook-ios", FamilyOffice},
	{"outlook-android", FamilyOffice},
	{"outlook/", FamilyOffice},
	{"msoutlook", FamilyOffice},
	{"microsoft outlook", FamilyOffice},
	{"teams/", FamilyOffice},
	{"onedrive", FamilyOffice},
	{"skydrivesync", FamilyOffice},
	{"client=outlookservice", FamilyOffice},
	{"accountsd", FamilyMailClient},
	{"apple-iphone", FamilyMailClient},
	{"apple-ipad", FamilyMailClient},
	{"activesync", FamilyMailClient},
	{"android-mail", FamilyMailClient},
	{"edg/", FamilyEdge},
	{"edga/", FamilyEdge},
	{"edgios/", FamilyEdge},
	{"edge", FamilyEdge},
	{"opr/", FamilyOpera},
	{"opera", FamilyOpera},
	{"firefox", FamilyFirefox},
	{"fxios", FamilyFirefox},
	{"chrome", FamilyChrome},
	{"crios", FamilyChrome},
	{"trident", FamilyInternetExplorer},
	{"msie ", FamilyInternetExplorer},
	{"safari", FamilySafari},
	{"internet explorer", FamilyInternetExplorer},
	{"rich client", FamilyOffice},
	{"node.js", FamilyNode},
	{"node/", FamilyNode},
}

var osMarks = []struct {
	mark string
	os   OS
}{
	{"iphone", OSiOS},
	{"ipad", OSiOS},
	{"-ios", OSiOS}, // not "ios": axios is no telephone
	{" ios", OSiOS},
	{"android", OSAndroid},
	{"windows", OSWindows},
	{"cros ", OSChrome},
	{"chromeos", OSChrome},
	{"mac os", OSMac},
	{"macintosh", OSMac},
	{"macos", OSMac},
	{"linux", OSLinux},
	{"x11", OSLinux},
}

// parseAgent reads a user agent, and where it is silent the browser and the
// system that the record names for the device.
func parseAgent(userAgent, browser, system string) Agent {
	f, o := FamilyUnknown, OSUnknown
	for _, text := range [...]string{userAgent, browser} {
		if text = strings.ToLower(text); text == "" || f != FamilyUnknown && f != FamilyOther {
			continue
		}
		if text == "node" { // what fetch in Node.js calls itself
			f = FamilyNode
			continue
		}
		for _, m := range familyMarks {
			if strings.Contains(text, m.mark) {
				f = m.family
				break
			}
		}
		if f == FamilyUnknown && text != "other" {
			f = FamilyOther
		}
	}
	for _, text := range [...]string{userAgent, system} {
		if o != OSUnknown {
			break
		}
		text = strings.ToLower(text)
		if strings.HasPrefix(text, "ios") {
			o = OSiOS
			continue
		}
		for _, m := range osMarks {
			if strings.Contains(text, m.mark) {
				o = m.os
				break
			}
		}
	}
	return newAgent(f, o)
}

// agentCache remembers parsed agents. A tenant shows a few hundred; what is
// made up to fill the memory only empties the cache.
type agentCache struct {
	mu sync.RWMutex
	m  map[agentKey]Agent
}

type agentKey struct{ userAgent, browser, system string }

const (
	agentCacheMax  = 4096
	agentTextLimit = 512
)

func (c *agentCache) parse(userAgent, browser, system string) Agent {
	if len(userAgent) > agentTextLimit {
		userAgent = userAgent[:agentTextLimit]
	}
	k := agentKey{userAgent, browser, system}
	c.mu.RLock()
	a, ok := c.m[k]
	c.mu.RUnlock()
	if ok {
		return a
	}
	a = parseAgent(userAgent, browser, system)
	c.mu.Lock()
	if c.m == nil || len(c.m) >= agentCacheMax {
		c.m = make(map[agentKey]Agent, 64)
	}
	// Cloned, for a key that lies inside a record would keep the whole record alive.
	c.m[agentKey{strings.Clone(userAgent), strings.Clone(browser), strings.Clone(system)}] = a
	c.mu.Unlock()
	return a
}
