package simulator

import (
	"fmt"

	"github.com/google/uuid"
)

// client is a program on a device, as the two logs describe it. Entra's
// sign-in log and the unified audit log name the same system differently.
type client struct {
	agent        string // user agent of its browser
	outlook      string // client string of its mail program; empty: mail is read in the browser
	os           string // sign-in log: "Windows10"
	auditOS      string // audit log: "Windows 10"
	browser      string // sign-in log: "Edge 125.0.0"
	auditBrowser string // audit log: "Edge"
	phone        bool
	managed      bool // Entra joined and compliant; only then the logs name the device
	device       uuid.UUID
	name         string
}

// of returns the client on a device of the named person.
func (c client) of(d dice, owner string) client {
	if c.managed {
		c.device = d.uuid()
		c.name = fmt.Sprintf("LT-%s-%04d", owner, d.IntN(10000))
	}
	return c
}

const (
	edgeAgent   = chromeAgent + " Edg/125.0.0.0"
	chromeAgent = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/125.0.0.0 Safari/537.36"
	macAgent    = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/125.0.0.0 Safari/537.36"
	iphoneAgent = "Mozilla/5.0 (iPhone; CPU iPhone OS 17_%d like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) " +
		"Version/17.%d Mobile/15E148 Safari/604.1"
	androidAgent = "Mozilla/5.0 (Linux; Android 1%d; %s) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/125.0.0.0 Mobile Safari/537.36"
)

// companyLaptop is one the company manages; on the others people do as they like.
var companyLaptop = client{
	agent: edgeAgent, outlook: "OUTLOOK.EXE", os: "Windows10", auditOS: "Windows 10",
	browser: "Edge 125.0.0", auditBrowser: "Edge", managed: true,
}

var laptops = []client{
	companyLaptop, companyLaptop, // half of all
	{agent: chromeAgent, os: "Windows10", auditOS: "Windows 10", browser: "Chrome 125.0.0", auditBrowser: "Chrome"},
	{agent: macAgent, os: "MacOs", auditOS: "MacOs", browser: "Chrome 125.0.0", auditBrowser: "Chrome"},
}

// iphones and androids are the phones people change between.
var iphones, androids = []client{
	iphone(2), iphone(3), iphone(4), iphone(5),
}, []client{
	android(3, "SM-A546B"), android(4, "Pixel 7a"), android(4, "SM-S911B"), android(3, "CPH2581"),
}

func iphone(minor int) client {
	return client{
		agent: fmt.Sprintf(iphoneAgent, minor, minor), os: fmt.Sprintf("Ios 17.%d", minor), auditOS: "Ios",
		browser: fmt.Sprintf("Mobile Safari 17.%d", minor), auditBrowser: "Safari", phone: true,
	}
}

func android(version int, model string) client {
	return client{
		agent: fmt.Sprintf(androidAgent, version, model), os: fmt.Sprintf("Android 1%d", version), auditOS: "Android",
		browser: "Chrome Mobile 125.0.0", auditBrowser: "Chrome", phone: true,
	}
}

// script is what an administrator's nightly job looks like.
var script = client{
	agent: "Mozilla/5.0 (Windows NT; Windows NT 10.0; en-US) WindowsPowerShell/5.1.17763.5830",
	os:    "Windows10", auditOS: "Windows 10", browser: "IE 7.0", auditBrowser: "Other",
}

// What attackers come with.
var (
	kit      = client{agent: "axios/1.7.2", auditBrowser: "Other"} // relays and replays for phishing kits
	intruder = client{
		agent: "Mozilla/5.0 (X11; Linux x86_64; rv:126.0) Gecko/20100101 Firefox/126.0",
		os:    "Linux", auditOS: "Linux", browser: "Firefox 126.0", auditBrowser: "Firefox",
	}
	sprayer = client{
		agent: "python-requests/2.31.0", auditBrowser: "Other",
	}
)

// application is a first-party application or resource; the ids are Microsoft's, the same in every tenant.
type application struct{ id, name string }

var (
	officeHome = application{"4765445b-32c6-49b0-83e6-1d93765276ca", "OfficeHome"}
	office     = application{"d3590ed6-52b3-4102-aeff-aad2292ab01c", "Microsoft Office"}
	exchange   = application{"00000002-0000-0ff1-ce00-000000000000", "Office 365 Exchange Online"}
	sharePoint = application{"00000003-0000-0ff1-ce00-000000000000", "Office 365 SharePoint Online"}
	graph      = application{"00000003-0000-0000-c000-000000000000", "Microsoft Graph"}
	teams      = application{"1fec8e78-bce4-4aaf-ab1b-5451cc387264", "Microsoft Teams"}
	outlookApp = application{"27922004-5251-4030-b22d-91ecd9a37ea4", "Outlook Mobile"}
	owa        = application{"9199bf20-a13f-4107-85dc-02114787ef48", "One Outlook Web"}
	powerShell = application{"fb78d390-0c51-40cd-8e17-fdbfab77341b", "Microsoft Exchange REST API Based Powershell"}
	azureCLI   = application{"04b07795-8ddb-461a-bbee-02f9e1bf7b46", "Microsoft Azure CLI"}
	directory  = application{"00000002-0000-0000-c000-000000000000", "Windows Azure Active Directory"}
)
