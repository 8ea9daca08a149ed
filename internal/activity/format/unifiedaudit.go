package format

import (
	"encoding/json"
	"net/netip"
	"strings"

	"github.com/cairn-itdr/cairn/internal/activity"
)

// unifiedAudit is the AuditData object of the Purview unified audit log, as
// every door to that log delivers it (Office 365 Management Activity API
// schema). A record type or operation never seen before is an activity too.
type unifiedAudit struct{}

func (unifiedAudit) Name() string { return "unified_audit" }

func (unifiedAudit) Signatures() [][]string {
	return [][]string{
		{"CreationTime", "Operation"},
		{"CreationTime", "RecordType"},
		{"Operation", "RecordType", "Workload"},
		{"Operation", "RecordType", "UserKey", "Version"},
	}
}

func (u unifiedAudit) Parse(raw []byte) (activity.Activity, error) {
	r, err := decode[auditRecord](raw)
	if err != nil {
		return activity.Activity{}, err
	}
	return r.activity(u.Name(), raw)
}

// auditRecord is what is read of a unified audit record.
type auditRecord struct {
	CreationTime   when
	ID             string `json:"Id"`
	Operation      string
	OrganizationID string `json:"OrganizationId"`
	RecordType     string
	ResultStatus   string
	UserKey        string
	UserType       string
	Workload       string
	UserID         string `json:"UserId"`
	ObjectID       string `json:"ObjectId"`

	ClientIP        addresses
	ClientIPAddress addresses
	ActorIPAddress  addresses `json:"ActorIpAddress"`

	ApplicationID          string `json:"ApplicationId"`
	ApplicationDisplayName string
	AppID                  string `json:"AppId"`
	ClientAppID            string `json:"ClientAppId"`
	AadAppID               string `json:"AadAppId"`
	AppAccessContext       accessContext

	UserAgent        string
	ClientInfoString string
	SessionID        string `json:"SessionId"`
	CorrelationID    string `json:"CorrelationId"`
	InterSystemsID   string `json:"InterSystemsId"`
	ErrorNumber      string
	ErrorCode        string

	Parameters          pairs
	ExtendedProperties  pairs
	OperationProperties pairs
	DeviceProperties    pairs
	ModifiedProperties  []change
	Actor               []directoryID
	Target              []directoryID

	MailboxOwnerUPN       string
	TargetUserOrGroupName string
	Item                  mailItem
	AffectedItems         []mailItem
	Subject               string
	P1Sender              string
	P2Sender              string
	SendAsUserSMTP        string `json:"SendAsUserSmtp"`
	SendOnBehalfOfUser    string `json:"SendOnBehalfOfUserSmtp"`
}

// accessContext says by which session and application the service was reached.
type accessContext struct {
	AADSessionID  string `json:"AADSessionId"`
	UniqueTokenID string `json:"UniqueTokenId"`
	ClientAppID   string `json:"ClientAppId"`
	ClientAppName string
	APIID         string    `json:"APIId"`
	CorrelationID string    `json:"CorrelationId"`
	UserObjectID  string    `json:"UserObjectId"`
	ClientIP      addresses `json:"ClientIpAddress"`
}

// mailItem is a message as mailbox records name it.
type mailItem struct{ Subject string }

// change is a property changed; mailbox items list the names alone.
type change struct {
	Name     string `alone:"true"`
	NewValue json.RawMessage
	OldValue json.RawMessage
}

// directoryID is an identity in one of its spellings: Type 0 and 2 are ids, 1
// a name, 3 a passport id, 5 a user principal name.
type directoryID struct {
	ID   string `alone:"true"`
	Type string
}

func (r *auditRecord) activity(shape string, raw []byte) (activity.Activity, error) {
	if r.ID == "" {
		return activity.Activity{}, reject("the record has no Id")
	}
	occurredAt, ok := moment(string(r.CreationTime))
	if !ok {
		return activity.Activity{}, badTime("CreationTime", string(r.CreationTime))
	}
	properties, device := r.ExtendedProperties, r.DeviceProperties
	context := &r.AppAccessContext
	a := activity.Activity{
		Source: activity.SourceUnifiedAudit, VendorID: identifier(r.ID), Shape: shape,
		OccurredAt: occurredAt, MicrosoftTenantID: guid(r.OrganizationID),
		Workload: r.Workload, RecordType: whole(r.RecordType), Operation: activity.CanonicalOperation(r.Operation),
		Address:   r.address(),
		UserAgent: first(properties.get("UserAgent"), r.UserAgent, detailsAgent(properties.get("additionalDetails")), clientAgent(r.ClientInfoString)),
		// Exchange's own SessionId is the sign-in session too: most of those in
		// real logs are found again in the sign-in records of the same user.
		SessionID:     identifier(first(context.AADSessionID, device.get("SessionId"), r.SessionID)),
		TokenID:       context.UniqueTokenID,
		CorrelationID: identifier(first(r.CorrelationID, r.InterSystemsID, context.CorrelationID)),
		Device: activity.Device{
			ID: identifier(device.get("Id")), Name: device.get("DisplayName"), OS: device.get("OS"),
			Browser: first(device.get("BrowserType"), device.get("Browser")),
			Managed: truth(first(device.get("IsManaged"), device.get("IsCompliantAndManaged"))), Compliant: truth(first(device.get("IsCompliant"), device.get("IsCompliantAndManaged"))),
		},
		Application: activity.Application{
			ID:   firstGUID(r.ClientAppID, context.ClientAppID, r.ApplicationID, r.AppID, r.AadAppID),
			Name: first(context.ClientAppName, r.ApplicationDisplayName),
		},
		Subject: r.subject(), Sender: r.sender(),
		Parameters: join(r.Parameters, properties, r.OperationProperties),
		Modified:   r.modified(),
		Raw:        raw,
	}
	a.Actor = r.actor(a.MicrosoftTenantID)
	a.Result, a.ErrorCode = r.result(a.Operation)
	switch a.Operation {
	case "UserLoggedIn", "UserLoginFailed":
		a.SignIn = true
		a.Interactive = interactive(properties)
		a.Resource = guid(r.ObjectID)
	default:
		a.Target = r.target()
		if a.Resource = guid(context.APIID); a.Resource == "" {
			if service := guid(r.AppID); service != a.Application.ID {
				a.Resource = service // the service that was asked, where the client is named beside it
			}
		}
	}
	return a, nil
}

// actor finds the principal's object id where the record names it apart.
func (r *auditRecord) actor(organizationID string) activity.Actor {
	a := auditActor(r.UserID, r.UserKey, whole(r.UserType), organizationID)
	if a.ObjectID != "" {
		return a
	}
	a.ObjectID = guid(r.AppAccessContext.UserObjectID)
	for i := 0; i < len(r.Actor) && a.ObjectID == ""; i++ {
		switch id := r.Actor[i]; {
		case whole(id.Type) == "0":
			a.ObjectID = guid(id.ID)
		case whole(id.Type) == "2" && strings.HasPrefix(id.ID, "User_"):
			a.ObjectID = guid(id.ID[len("User_"):])
		}
	}
	return a
}

// result reads how it ended. Sign-ins say it by number: their status tells
// whether the request was served, not whether the person got in.
func (r *auditRecord) result(operation string) (activity.Result, int) {
	number, _ := number(first(r.ErrorNumber, r.ErrorCode))
	verdict := activity.SignInError(number)
	switch {
	case operation == "UserLoggedIn" && number != 0:
		if verdict.Class == activity.SignInOther {
			verdict.Result = activity.ResultInterrupted // logged as let in, with a reservation we don't know
		}
		return verdict.Result, number
	case operation == "UserLoggedIn":
		return activity.ResultSuccess, 0
	case operation == "UserLoginFailed" && number != 0:
		return verdict.Result, number
	case operation == "UserLoginFailed":
		return activity.ResultFailure, 0
	}
	return status(r.ResultStatus), number
}

// status reads a result word of any workload.
func status(s string) activity.Result {
	switch strings.ToLower(strings.TrimSpace(s)) {
	case "success", "succeeded", "successful", "true", "partiallysucceeded", "ok", "completed", "passed", "allowed":
		return activity.ResultSuccess
	case "fail", "failed", "failure", "false", "timeout", "denied", "accessdenied", "blocked", "rejected", "error", "unauthorized", "forbidden":
		return activity.ResultFailure
	}
	return activity.ResultUnknown
}

// interactive tells a person's sign-in from a token's renewal: both may ask the
// token endpoint, but a renewal brings no password (method 1).
func interactive(properties pairs) bool {
	return properties.get("RequestType") != "OAuth2:Token" || properties.get("UserAuthenticationMethod") == "1"
}

// target is what was acted on: the identity's principal name where the record
// lists its spellings, else the object, else the mailbox.
func (r *auditRecord) target() string {
	for _, id := range r.Target {
		if whole(id.Type) == "5" {
			return id.ID
		}
	}
	return first(r.ObjectID, r.TargetUserOrGroupName, r.MailboxOwnerUPN)
}

// sender returns who a message came from. A record of Send names somebody only
// where it was sent in another's name; else it came from the mailbox itself.
func (r *auditRecord) sender() string {
	said := first(r.P2Sender, r.P1Sender, r.SendAsUserSMTP, r.SendOnBehalfOfUser)
	if said == "" && activity.CanonicalOperation(r.Operation) == "Send" {
		return r.MailboxOwnerUPN
	}
	return said
}

func (r *auditRecord) subject() string {
	if s := first(r.Item.Subject, r.Subject); s != "" {
		return s
	}
	for _, item := range r.AffectedItems {
		if item.Subject != "" {
			return item.Subject
		}
	}
	return ""
}

func (r *auditRecord) modified() []activity.Modification {
	if len(r.ModifiedProperties) == 0 {
		return nil
	}
	out := make([]activity.Modification, len(r.ModifiedProperties))
	for i, m := range r.ModifiedProperties {
		out[i] = activity.Modification{Name: m.Name, Old: flatten(m.OldValue), New: flatten(m.NewValue)}
	}
	return out
}

// detailsAgent reads the agent out of additionalDetails, an object in a text.
func detailsAgent(details string) string {
	const name = `"User-Agent"`
	if !strings.Contains(details, name) {
		return ""
	}
	return readPairs(innerJSON(details), 1).get("User-Agent")
}

// clientAgent reads the agent out of Exchange's ClientInfoString:
// "Client=OWA;Mozilla/5.0 (…; …) …;" or "Client=WebServices;Outlook …[AppId=…];".
func clientAgent(s string) string {
	for strings.HasPrefix(s, "Client=") || strings.HasPrefix(s, "Action=") {
		_, s, _ = strings.Cut(s, ";")
	}
	s = strings.Trim(s, "; ")
	if i := strings.LastIndex(s, "[AppId="); i >= 0 && strings.HasSuffix(s, "]") {
		s = s[:i]
	}
	return s
}

// address is where the person was. Of a mailbox's records ClientIPAddress says
// it; ClientIP may be the server that acted for them.
func (r *auditRecord) address() netip.Addr {
	if strings.EqualFold(r.Workload, "Exchange") {
		return firstAddress(r.ClientIPAddress, r.ClientIP, r.ActorIPAddress, r.AppAccessContext.ClientIP)
	}
	return firstAddress(r.ClientIP, r.ClientIPAddress, r.ActorIPAddress, r.AppAccessContext.ClientIP)
}
