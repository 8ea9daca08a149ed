package format

import (
	"strings"

	"github.com/cairn-itdr/cairn/internal/activity"
)

// userType is who the Management Activity API says acted (its schema,
// "UserType"). Names are those of OfficeActivity rows.
var userTypes = map[string]string{
	"regular": "0", "reserved": "1", "admin": "2", "dcadmin": "3", "system": "4", "application": "5",
	"serviceprincipal": "6", "custompolicy": "7", "systempolicy": "8", "partnertechnician": "9", "guest": "10",
}

// services are the names under which Microsoft's own services act.
var services = map[string]bool{
	"app@sharepoint":            true,
	"certificate":               true,
	"ffoservicepartneruser":     true,
	"microsoft teams sync":      true,
	`microsoft\serviceoperator`: true,
	"not-found":                 true,
	"s-1-5-18":                  true, // LocalSystem
	"s-1-5-19":                  true, // LocalService
	"s-1-5-20":                  true, // NetworkService
	"securitycompliancealerts":  true,
	`sharepoint\system`:         true,
	"threatintel":               true,
	"fim_password_service@support.onmicrosoft.com": true,
}

// servicePrefixes are how such names begin where they go on with a program or a server.
var servicePrefixes = []string{`nt authority\`, `nt service\`, "spoolsprovisioning-"}

// nobody are the words that stand where no identity is known.
var nobody = map[string]bool{"": true, "not available": true, "unknown": true, "00000000-0000-0000-0000-000000000000": true}

// auditActor tells from a unified audit record who acted. The user type alone
// decides nothing: audited administrators' searches carry 5 (application) on
// people's names, and SharePoint's own services 0 (regular).
func auditActor(userID, userKey, userType, organizationID string) activity.Actor {
	principal := claim(activity.Principal(userID))
	if word, ok := userTypes[strings.ToLower(userType)]; ok {
		userType = word
	}
	a := activity.Actor{Kind: activity.ActorUser, Principal: principal}
	application, isApplication := strings.CutPrefix(principal, "serviceprincipal_")
	switch {
	case nobody[principal]:
		a.Kind, a.Principal = activity.ActorUnknown, ""
		if userType == "3" || userType == "4" {
			a.Kind = activity.ActorService
		}
	case isService(principal), principal == organizationID && strings.HasPrefix(userKey, "S-1-5-"):
		a.Kind = activity.ActorService
	case isApplication:
		a.Kind, a.ObjectID = activity.ActorApplication, guid(application)
		a.Principal = application
	case userType == "3" || userType == "4" || userType == "7" || userType == "8":
		a.Kind = activity.ActorService
	case isGUID(principal):
		a.ObjectID = principal
		if userType == "5" || userType == "6" {
			a.Kind = activity.ActorApplication
		}
	case strings.HasPrefix(principal, "urn:spo:anon"):
		a.Kind = activity.ActorUnknown
	// A partner's technician (delegated administration) acts here with an account of another directory.
	case isGuest(principal), userType == "10", userType == "9", isSharePointGuest(activity.Principal(userID)):
		a.Kind = activity.ActorGuest
	case strings.Contains(principal, "@"):
	case userType == "5" || userType == "6":
		a.Kind = activity.ActorApplication
	}
	return a
}

func isService(principal string) bool {
	if services[principal] || strings.HasSuffix(principal, ".prod.outlook.com") && strings.Contains(principal, "@") {
		return true
	}
	for _, prefix := range servicePrefixes {
		if strings.HasPrefix(principal, prefix) {
			return true
		}
	}
	return false
}

func isGuest(principal string) bool { return strings.Contains(principal, "#ext#") }

// claim takes the name out of a SharePoint claim, i:0#.f|membership|name, and
// out of what SharePoint calls a guest, urn:spo:guest#name. What stands there
// may be a passport id at live.com, which names nobody we know.
func claim(principal string) string {
	name := principal
	if strings.HasPrefix(principal, "i:0") {
		name = principal[strings.LastIndexByte(principal, '|')+1:]
		if puid, ok := strings.CutSuffix(name, "@live.com"); ok && strings.HasPrefix(puid, "100") {
			return principal
		}
	}
	if guest, ok := strings.CutPrefix(strings.ReplaceAll(strings.ReplaceAll(name, "%3a", ":"), "%23", "#"), guestPrefix); ok && guest != "" {
		return guest
	}
	return name
}

// guestPrefix begins what SharePoint calls a guest.
const guestPrefix = "urn:spo:guest#"

// isSharePointGuest says whether a user id, in lower case, is such a name.
func isSharePointGuest(userID string) bool {
	return strings.Contains(userID, "urn:spo:guest") || strings.Contains(userID, "urn%3aspo%3aguest")
}
