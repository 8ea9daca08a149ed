package simulator

import (
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
)

// Entra's error numbers the simulator uses.
const (
	wrongPassword   = 50126
	lockedOut       = 50053
	mfaAsked        = 50074
	mfaDenied       = 500121
	policyBlocked   = 53003
	confirmApp      = 50199
	staySignedIn    = 50140
	silentFailed    = 50058
	grantExpired    = 50173
	noFailure       = 0
	passwordFailure = "Invalid username or password or Invalid on-premise username or password."
)

// failures gives the audit log's word and the sign-in log's sentence for an error number.
var failures = map[int]struct{ word, reason string }{
	wrongPassword: {"InvalidUserNameOrPassword", passwordFailure},
	lockedOut:     {"IdsLocked", "The account is locked, you've tried to sign in too many times with an incorrect user ID or password."},
	mfaAsked:      {"UserStrongAuthClientAuthNRequiredInterrupt", "Strong Authentication is required."},
	staySignedIn:  {"", "This occurred due to 'Keep me signed in' interrupt when the user was signing-in."},
	mfaDenied:     {"UserStrongAuthClientAuthNRequired", "Authentication failed during strong authentication request."},
	policyBlocked: {"BlockedByConditionalAccess", "Access has been blocked by Conditional Access policies."},
	confirmApp:    {"CmsiInterrupt", "For security reasons, user confirmation is required for this request."},
	silentFailed:  {"UserInformationNotProvided", "Session information is not sufficient for single-sign-on."},
	grantExpired:  {"FreshTokenNeeded", "The provided grant has expired due to it being revoked, a fresh auth token is needed."},
	noFailure:     {"", "Other."},
}

// signIn is one attempt to sign in, or one renewal of a token.
type signIn struct {
	at          time.Time
	who         presence
	app         application
	resource    application
	renewal     bool // no person took part
	code        int
	proof       proof
	method      method
	correlation uuid.UUID // ties the pages of one attempt; made up where nil
}

// method is how the client asked, where that is not the usual way.
type method string

const (
	methodDeviceCode method = "deviceCode"
	methodLegacy     method = "ropc"
)

// proof is how a person showed who they are.
type proof string

const (
	byPassword proof = "password"
	byPrompt   proof = "password and MFA"
	byClaim    proof = "claim in the token"
)

type typedID struct {
	ID   string
	Type int
}

// stsLogon is a unified audit record of type 15.
type stsLogon struct {
	header
	AzureActiveDirectoryEventType int
	ExtendedProperties            []nameValue
	ModifiedProperties            []modified
	Actor                         []typedID
	ActorContextID                uuid.UUID `json:"ActorContextId"`
	ActorIPAddress                string    `json:"ActorIpAddress"`
	InterSystemsID                uuid.UUID `json:"InterSystemsId"`
	IntraSystemID                 uuid.UUID `json:"IntraSystemId"`
	SupportTicketID               string    `json:"SupportTicketId"`
	Target                        []typedID
	TargetContextID               uuid.UUID   `json:"TargetContextId"`
	ApplicationID                 string      `json:"ApplicationId"`
	DeviceProperties              []nameValue `json:",omitempty"`
	ErrorNumber                   string
	LogonError                    string `json:",omitempty"`
}

// signIn writes an attempt to the audit log and, where the tenant has one, to
// the sign-in log: one event under one id in both, as Microsoft has it. It
// returns that id.
func (s *scribe) signIn(e signIn) string {
	if e.correlation == uuid.Nil {
		e.correlation = s.uuid()
	}
	if edge := s.tenant.edge; len(edge) > 0 && e.who.client.managed {
		e.who.place = edge[s.IntN(len(edge))]
	}
	a, address := e.who.account, e.who.place.address.String()
	operation, status, detail := "UserLoggedIn", "Success", "Success"
	switch e.code {
	case noFailure, staySignedIn:
		if e.app == officeHome {
			detail = "Redirect"
		}
	case confirmApp:
		detail = "UserError"
	case wrongPassword, lockedOut, mfaDenied, policyBlocked:
		operation, status, detail = "UserLoginFailed", "Failed", "UserError"
	default:
		operation, detail = "UserLoginFailed", "UserError"
	}
	h := s.header(e.at, "AzureActiveDirectory", 15, operation)
	h.ResultStatus, h.UserKey, h.ClientIP, h.ObjectID, h.UserID = status, a.ObjectID.String(), &address, e.resource.id, a.UserPrincipalName
	extended := []nameValue{{"ResultStatusDetail", detail}}
	if e.code == staySignedIn {
		extended = append(extended, nameValue{"KeepMeSignedIn", "true"})
	}
	if e.who.client.agent != "" {
		extended = append(extended, nameValue{"UserAgent", e.who.client.agent})
	}
	if e.proof == byPassword {
		extended = append(extended, nameValue{"UserAuthenticationMethod", "1"})
	}
	extended = append(extended, nameValue{"RequestType", requestType(e)})
	s.write(UnifiedAudit, e.at, h.ID, stsLogon{
		header: h, AzureActiveDirectoryEventType: 1, ExtendedProperties: extended, ModifiedProperties: []modified{},
		Actor:          []typedID{{a.ObjectID.String(), 0}, {a.UserPrincipalName, 5}},
		ActorContextID: s.tenant.ID, ActorIPAddress: address, InterSystemsID: e.correlation, IntraSystemID: h.ID,
		Target: []typedID{{e.resource.id, 0}}, TargetContextID: s.tenant.ID, ApplicationID: e.app.id,
		DeviceProperties: e.who.deviceProperties(), ErrorNumber: strconv.Itoa(e.code), LogonError: failures[e.code].word,
	})
	if s.tenant.SignInLog {
		s.graphSignIn(e, h.ID)
	}
	return h.ID.String()
}

func requestType(e signIn) string {
	switch {
	case e.method == methodDeviceCode && !e.renewal:
		return "Cmsi:Cmsi"
	case e.method == methodLegacy:
		return "OAuth2:Token"
	case e.code == mfaAsked:
		return "SAS:ProcessAuth"
	case e.renewal || e.app == azureCLI:
		return "OAuth2:Token"
	case e.app == officeHome && e.code == noFailure:
		return "OAuth2:Authorize"
	default:
		return "Login:login"
	}
}

// deviceProperties describes the device as the audit log does: in words and
// only for joined devices by id. Programs without a browser have no system.
func (p presence) deviceProperties() []nameValue {
	c := p.client
	var properties []nameValue
	if c.managed {
		properties = append(properties, nameValue{"Id", c.device.String()}, nameValue{"DisplayName", c.name})
	}
	if c.auditOS != "" {
		properties = append(properties, nameValue{"OS", c.auditOS})
	}
	properties = append(properties, nameValue{"BrowserType", c.auditBrowser})
	if c.managed {
		properties = append(properties, nameValue{"TrustType", "2"}, nameValue{"IsCompliant", "True"})
	}
	compliant := "False"
	if c.managed {
		compliant = "True"
	}
	properties = append(properties, nameValue{"IsCompliantAndManaged", compliant})
	if p.session != uuid.Nil {
		properties = append(properties, nameValue{"SessionId", p.session.String()})
	}
	return properties
}

// passwordSignIn is a whole interactive sign-in: typing errors, the MFA page,
// the "stay signed in" page, success. It returns the id of the success.
func (s *scribe) passwordSignIn(at time.Time, who presence, app, resource application) string {
	e := signIn{who: who, app: app, resource: resource, proof: byPassword, correlation: s.uuid()}
	for range []int{0, 0, 0, 0, 0, 0, 1, 2}[s.IntN(8)] {
		e.at, e.code = at, wrongPassword
		s.signIn(e)
		at = at.Add(8*time.Second + s.upTo(20*time.Second))
	}
	e.at, e.code = at, mfaAsked
	s.signIn(e)
	e.at, e.code = at.Add(9*time.Second+s.upTo(15*time.Second)), staySignedIn
	s.signIn(e)
	e.at, e.code, e.proof = e.at.Add(3*time.Second+s.upTo(5*time.Second)), noFailure, byPrompt
	return s.signIn(e)
}

// protocol is the sign-in log's word for how an application signs in.
func (e signIn) protocol() string {
	if e.method != "" {
		return string(e.method)
	}
	if strings.HasPrefix(requestType(e), "OAuth2:") || e.app == outlookApp || e.app == teams {
		return "oAuth2"
	}
	return "none"
}
