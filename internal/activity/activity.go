// Package activity holds the normalised record of Microsoft 365 activity, one
// sign-in or audited operation, and what every parser of a vendor's record
// needs to make one: cleaning of addresses, operations, times and principals.
//
// Parsers live in activity/format, the log that stores records in
// activity/activitylog. What may not live here: databases, files, networks,
// clocks, and judgement about what a record means for security.
package activity

import (
	"crypto/sha256"
	"net/netip"
	"strings"
	"time"

	"github.com/cairn-itdr/cairn/internal/typeid"
)

// IDPrefix is the type prefix of activity ids.
const IDPrefix = "activity"

// Source is the family of logs a record belongs to. Together with the tenant
// and the vendor's id it is the record's identity, so one record that arrives
// through several doors must get one Source.
type Source string

// The sources.
const (
	SourceSignIn         Source = "SIGN_IN"         // Entra sign-in log (Graph signIn, diagnostic SignInLogs)
	SourceUnifiedAudit   Source = "UNIFIED_AUDIT"   // Purview unified audit log (AuditData)
	SourceDirectoryAudit Source = "DIRECTORY_AUDIT" // Entra directory audit log (Graph directoryAudit, AuditLogs)
)

// Result says how the operation ended.
type Result string

// The results.
const (
	ResultSuccess     Result = "SUCCESS"
	ResultFailure     Result = "FAILURE"     // refused: wrong password, policy, no permission
	ResultInterrupted Result = "INTERRUPTED" // a half-way page of a sign-in: neither success nor attack
	ResultUnknown     Result = "UNKNOWN"     // the record does not say
)

// ActorKind says what kind of identity acted.
type ActorKind string

// The kinds of actor.
const (
	ActorUser        ActorKind = "USER"
	ActorGuest       ActorKind = "GUEST"
	ActorApplication ActorKind = "APPLICATION" // an application or service principal of the tenant or a third party
	ActorService     ActorKind = "SERVICE"     // Microsoft's own housekeeping
	ActorUnknown     ActorKind = "UNKNOWN"
)

// NetworkKind is the kind of network an address belongs to. One address has
// one kind: the first that fits in the order of detections.md, signal 3.
type NetworkKind string

// The kinds of network, in the order they are looked up.
const (
	NetworkMicrosoft NetworkKind = "MICROSOFT" // Microsoft's own services, never a person's place
	NetworkRelay     NetworkKind = "RELAY"     // iCloud Private Relay and the like
	NetworkTor       NetworkKind = "TOR"
	NetworkVPN       NetworkKind = "VPN"
	NetworkGateway   NetworkKind = "GATEWAY" // company web gateways
	NetworkHosting   NetworkKind = "HOSTING" // data centres, rented machines (those on Azure included)
	NetworkMobile    NetworkKind = "MOBILE"
	NetworkSatellite NetworkKind = "SATELLITE" // satellite and in-flight
	NetworkConsumer  NetworkKind = "CONSUMER"  // a known network of none of the kinds above
	NetworkUnknown   NetworkKind = "UNKNOWN"   // no table knows the address
)

// Network is what the network tables say of an address.
type Network struct {
	Number uint32 // autonomous system number, 0 where unknown
	Owner  string
	Kind   NetworkKind
}

// Activity is one normalised record. Strings that the record does not carry
// are empty: that means unknown, never "changed".
type Activity struct {
	ID             string
	OrganizationID string
	TenantID       string
	AccountID      string // empty where no account of the tenant acted

	Source   Source
	VendorID string // the vendor's id of the record, unique within tenant and source
	Shape    string // the parser that reads Raw again (format.Shape name)

	OccurredAt time.Time // when it happened, UTC, microseconds

	MicrosoftTenantID string // the directory the record names, lower case
	// HomeTenantID and ResourceTenantID are the directories of a sign-in: where
	// the account lives and where it was used. They are read from Raw, never
	// stored apart; Claim chooses between them.
	HomeTenantID, ResourceTenantID string
	Workload                       string // as the vendor names it: Exchange, AzureActiveDirectory, SharePoint …
	RecordType                     string // as the vendor numbers or names it
	Operation                      string // canonical: see Operation()
	Result                         Result
	ErrorCode                      int // Entra's error number, 0 where none
	Actor                          Actor

	Address netip.Addr // invalid where the record has none or only a placeholder
	Country string     // ISO 3166-1 alpha-2, upper case, from the address tables
	Network Network

	UserAgent     string
	SessionID     string // the sign-in session: survives token renewals
	TokenID       string // unique token identifier
	CorrelationID string
	Device        Device

	Application Application // the client application
	Resource    string      // what it asked for: id of the resource application

	// Interactive is true for a sign-in in which a person took part, false for
	// token renewals and for every record that is no sign-in.
	Interactive bool
	// SignIn is true for every record of an attempt to sign in, whatever its source.
	SignIn bool

	Target  string // what was acted on, as the vendor names it (mailbox, user, file, role member …)
	Subject string // subject of the message concerned
	Sender  string // its sender

	// Parameters and Modified are what rules look into; they are read from Raw
	// again when needed, never stored apart.
	Parameters []Parameter
	Modified   []Modification

	Raw    []byte // the vendor's record, whole, JSON
	Digest []byte // tells versions of the record apart; set by Identify, and not read back
}

// Actor is the identity that acted.
type Actor struct {
	Kind      ActorKind
	Principal string // lower-case user principal name, else the id the record gives
	ObjectID  string // Entra object id, lower case, where the record has it
}

// Device is what the record says of the device.
type Device struct {
	ID        string
	Name      string
	OS        string
	Browser   string
	Managed   bool
	Compliant bool
}

// Application is a client application.
type Application struct {
	ID   string // lower-case GUID
	Name string
}

// Parameter is one argument of a cmdlet or one extended property, by the
// vendor's name. Values are flattened to text; several words stay as the vendor joins them.
type Parameter struct{ Name, Value string }

// Modification is one property changed, by the vendor's name.
type Modification struct{ Name, Old, New string }

// Parameter returns the value of the named parameter (ASCII case ignored) and
// whether the record has it.
func (a *Activity) Parameter(name string) (string, bool) {
	for i := range a.Parameters {
		if equalFold(a.Parameters[i].Name, name) {
			return a.Parameters[i].Value, true
		}
	}
	return "", false
}

// Modification returns the named modification (ASCII case ignored) and whether the record has it.
func (a *Activity) Modification(name string) (Modification, bool) {
	for i := range a.Modified {
		if equalFold(a.Modified[i].Name, name) {
			return a.Modified[i], true
		}
	}
	return Modification{}, false
}

// Claim makes the record one of the directory's where it names it, as home or
// as resource, and says whether it does. Who comes from another home is a
// guest in it; who lives in it is none, wherever the record was made.
func (a *Activity) Claim(directory string) bool {
	if directory == "" || directory != a.MicrosoftTenantID && directory != a.HomeTenantID && directory != a.ResourceTenantID {
		return false
	}
	a.MicrosoftTenantID = directory
	if a.HomeTenantID == "" || a.ResourceTenantID == "" || a.HomeTenantID == a.ResourceTenantID {
		return true
	}
	a.Shape, _, _ = strings.Cut(a.Shape, "@")
	if a.HomeTenantID == directory {
		a.Shape += AtHome
		if a.Actor.Kind == ActorGuest {
			a.Actor.Kind = ActorUser
		}
	} else {
		a.Shape += AtResource
		if a.Actor.Kind == ActorUser {
			a.Actor.Kind = ActorGuest
		}
	}
	return true
}

// What Claim adds to the shape of a sign-in across directories, so that the
// stored record is read again from the same side.
const (
	AtHome     = "@home"
	AtResource = "@resource"
)

// Identify sets the record's identity within a tenant, and the digest of this
// version of it. The id derives from tenant, source, vendor id and the hour of
// OccurredAt, so the same record is the same activity through whichever door
// and in whichever order it comes.
func (a *Activity) Identify(organizationID, tenantID string) {
	a.OrganizationID, a.TenantID = organizationID, tenantID
	a.ID = typeid.DerivedAt(IDPrefix, a.OccurredAt, tenantID, string(a.Source), a.VendorID)
	digest := sha256.Sum256(a.Raw)
	a.Digest = digest[:16]
}
