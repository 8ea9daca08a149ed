package simulator

import (
	"time"

	"github.com/google/uuid"
)

// graphSignIn is a Graph beta signIn object.
// Source: learn.microsoft.com/graph/api/resources/signin (beta).
type graphSignIn struct {
	ID                               string           `json:"id"`
	CreatedDateTime                  string           `json:"createdDateTime"`
	UserDisplayName                  string           `json:"userDisplayName"`
	UserPrincipalName                string           `json:"userPrincipalName"`
	UserID                           string           `json:"userId"`
	AppID                            string           `json:"appId"`
	AppDisplayName                   string           `json:"appDisplayName"`
	IPAddress                        string           `json:"ipAddress"`
	IPAddressFromResourceProvider    *string          `json:"ipAddressFromResourceProvider"`
	ClientAppUsed                    string           `json:"clientAppUsed"`
	UserAgent                        string           `json:"userAgent"`
	CorrelationID                    string           `json:"correlationId"`
	ConditionalAccessStatus          string           `json:"conditionalAccessStatus"`
	OriginalRequestID                string           `json:"originalRequestId"`
	IsInteractive                    bool             `json:"isInteractive"`
	TokenIssuerName                  string           `json:"tokenIssuerName"`
	TokenIssuerType                  string           `json:"tokenIssuerType"`
	ClientCredentialType             string           `json:"clientCredentialType"`
	ProcessingTimeInMilliseconds     int              `json:"processingTimeInMilliseconds"`
	RiskDetail                       string           `json:"riskDetail"`
	RiskLevelAggregated              string           `json:"riskLevelAggregated"`
	RiskLevelDuringSignIn            string           `json:"riskLevelDuringSignIn"`
	RiskState                        string           `json:"riskState"`
	RiskEventTypes                   []string         `json:"riskEventTypes_v2"`
	ResourceDisplayName              string           `json:"resourceDisplayName"`
	ResourceID                       string           `json:"resourceId"`
	ResourceTenantID                 string           `json:"resourceTenantId"`
	HomeTenantID                     string           `json:"homeTenantId"`
	HomeTenantName                   string           `json:"homeTenantName"`
	AuthenticationMethodsUsed        []string         `json:"authenticationMethodsUsed"`
	AuthenticationRequirement        string           `json:"authenticationRequirement"`
	SignInIdentifier                 string           `json:"signInIdentifier"`
	SignInIdentifierType             *string          `json:"signInIdentifierType"`
	ServicePrincipalName             *string          `json:"servicePrincipalName"`
	ServicePrincipalID               string           `json:"servicePrincipalId"`
	SignInEventTypes                 []string         `json:"signInEventTypes"`
	UserType                         string           `json:"userType"`
	FlaggedForReview                 bool             `json:"flaggedForReview"`
	IsTenantRestricted               bool             `json:"isTenantRestricted"`
	AutonomousSystemNumber           uint32           `json:"autonomousSystemNumber"`
	CrossTenantAccessType            string           `json:"crossTenantAccessType"`
	UniqueTokenIdentifier            string           `json:"uniqueTokenIdentifier"`
	IncomingTokenType                string           `json:"incomingTokenType"`
	AuthenticationProtocol           string           `json:"authenticationProtocol"`
	OriginalTransferMethod           string           `json:"originalTransferMethod"`
	SignInTokenProtectionStatus      string           `json:"signInTokenProtectionStatus"`
	SessionID                        *string          `json:"sessionId"`
	Status                           signInStatus     `json:"status"`
	DeviceDetail                     deviceDetail     `json:"deviceDetail"`
	Location                         location         `json:"location"`
	AppliedConditionalAccessPolicies []struct{}       `json:"appliedConditionalAccessPolicies"`
	AuthenticationProcessingDetails  []struct{}       `json:"authenticationProcessingDetails"`
	NetworkLocationDetails           []struct{}       `json:"networkLocationDetails"`
	AuthenticationDetails            []authentication `json:"authenticationDetails"`
	SessionLifetimePolicies          []struct{}       `json:"sessionLifetimePolicies"`
	MFADetail                        *struct{}        `json:"mfaDetail"`
}

type signInStatus struct {
	ErrorCode         int     `json:"errorCode"`
	FailureReason     string  `json:"failureReason"`
	AdditionalDetails *string `json:"additionalDetails"`
}

type deviceDetail struct {
	DeviceID        string `json:"deviceId"`
	DisplayName     string `json:"displayName"`
	OperatingSystem string `json:"operatingSystem"`
	Browser         string `json:"browser"`
	IsCompliant     bool   `json:"isCompliant"`
	IsManaged       bool   `json:"isManaged"`
	TrustType       string `json:"trustType"`
}

type location struct {
	City            string `json:"city"`
	State           string `json:"state"`
	CountryOrRegion string `json:"countryOrRegion"`
}

type authentication struct {
	StepDateTime     string `json:"authenticationStepDateTime"`
	Method           string `json:"authenticationMethod"`
	MethodDetail     string `json:"authenticationMethodDetail"`
	Succeeded        bool   `json:"succeeded"`
	StepResultDetail string `json:"authenticationStepResultDetail"`
	StepRequirement  string `json:"authenticationStepRequirement"`
}

// graphSignIn writes the attempt to the sign-in log.
func (s *scribe) graphSignIn(e signIn, id uuid.UUID) {
	a, c := e.who.account, e.who.client
	stamp := e.at.UTC().Format("2006-01-02T15:04:05Z")
	r := graphSignIn{
		ID: id.String(), CreatedDateTime: stamp,
		UserDisplayName: a.DisplayName, UserID: a.ObjectID.String(),
		// Entra's sign-in log shows names in lower case, the audit log as they were typed.
		UserPrincipalName: lower(a.UserPrincipalName),
		AppID:             e.app.id, AppDisplayName: e.app.name, IPAddress: e.who.place.address.String(),
		ClientAppUsed: "Browser", UserAgent: c.agent, CorrelationID: e.correlation.String(),
		ConditionalAccessStatus: "notApplied", IsInteractive: !e.renewal, TokenIssuerType: "AzureAD", ClientCredentialType: "none",
		ProcessingTimeInMilliseconds: 90 + s.IntN(400), RiskDetail: "none", RiskLevelAggregated: "none",
		RiskLevelDuringSignIn: "none", RiskState: "none", RiskEventTypes: []string{},
		ResourceDisplayName: e.resource.name, ResourceID: e.resource.id, ResourceTenantID: s.tenant.ID.String(),
		HomeTenantID: s.tenant.ID.String(), AuthenticationMethodsUsed: []string{},
		AuthenticationRequirement: "multiFactorAuthentication", SignInEventTypes: []string{"interactiveUser"}, UserType: "member",
		AutonomousSystemNumber: e.who.place.number, CrossTenantAccessType: "none", UniqueTokenIdentifier: s.token(),
		IncomingTokenType: "none", AuthenticationProtocol: e.protocol(), OriginalTransferMethod: "none",
		SignInTokenProtectionStatus:      "none",
		Status:                           signInStatus{ErrorCode: e.code, FailureReason: failures[e.code].reason},
		DeviceDetail:                     e.who.deviceDetail(),
		Location:                         location{e.who.place.city, "", e.who.place.country},
		AppliedConditionalAccessPolicies: []struct{}{}, AuthenticationProcessingDetails: []struct{}{},
		NetworkLocationDetails: []struct{}{}, AuthenticationDetails: e.authentications(stamp), SessionLifetimePolicies: []struct{}{},
	}
	if e.who.session != uuid.Nil {
		r.SessionID = new(e.who.session.String())
	}
	if e.protocol() == "oAuth2" {
		r.ClientAppUsed = "Mobile Apps and Desktop clients"
	}
	if e.method == methodLegacy {
		r.ClientAppUsed, r.AuthenticationRequirement = "Authenticated SMTP", "singleFactorAuthentication"
	}
	if e.method == methodDeviceCode {
		r.OriginalTransferMethod = "deviceCodeFlow"
	}
	if e.code == wrongPassword || e.code == lockedOut {
		r.AuthenticationRequirement = "singleFactorAuthentication"
	}
	if !e.renewal {
		r.SignInIdentifier = a.UserPrincipalName
	} else {
		r.SignInEventTypes, r.IncomingTokenType = []string{"nonInteractiveUser"}, "refreshToken"
		if c.managed {
			r.IncomingTokenType = "primaryRefreshToken"
		}
	}
	s.write(SignIns, e.at, id, r)
}

// authentications are the steps of proof; a renewal has none.
func (e signIn) authentications(stamp string) []authentication {
	step := func(method, detail, result string, ok bool) authentication {
		return authentication{StepDateTime: stamp, Method: method, MethodDetail: detail, Succeeded: ok, StepResultDetail: result}
	}
	password := step("Password", "Password in the cloud", "Correct password", true)
	switch {
	case e.renewal:
		return []authentication{}
	case e.code == wrongPassword:
		return []authentication{step("Password", "Password in the cloud", passwordFailure, false)}
	case e.code != noFailure:
		return []authentication{password}
	case e.proof == byPrompt:
		return []authentication{password, step("Mobile app notification", "", "MFA completed in Azure AD", true)}
	case e.proof == byPassword:
		return []authentication{password}
	default:
		return []authentication{step("Previously satisfied", "", "MFA requirement satisfied by claim in the token", true)}
	}
}

func (p presence) deviceDetail() deviceDetail {
	d := deviceDetail{OperatingSystem: p.client.os, Browser: p.client.browser}
	if p.client.managed {
		d.DeviceID, d.DisplayName, d.TrustType = p.client.device.String(), p.client.name, "Azure AD joined"
		d.IsCompliant, d.IsManaged = true, true
	}
	return d
}

// day returns local midnight of the tenant's calendar day as a moment in UTC.
func (t *Tenant) day(date time.Time) time.Time { return date.Add(-t.offset) }
