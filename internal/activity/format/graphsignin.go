package format

import (
	"encoding/json"
	"strconv"
	"strings"

	"github.com/cairn-itdr/cairn/internal/activity"
)

// graphSignIn is the signIn resource of Microsoft Graph, v1.0 and beta; v1.0
// has no session, token, protocol and no sign-ins without a person.
type graphSignIn struct{}

func (graphSignIn) Name() string { return "graph_sign_in" }

func (graphSignIn) Signatures() [][]string {
	return [][]string{
		{"createdDateTime", "appId"},
		{"createdDateTime", "ipAddress"},
		{"createdDateTime", "clientAppUsed"},
		{"appId", "ipAddress"},
		{"appDisplayName", "clientAppUsed"},
	}
}

type signIn struct {
	ID                string `json:"id"`
	CreatedDateTime   string `json:"createdDateTime"`
	UserPrincipalName string `json:"userPrincipalName"`
	UserID            string `json:"userId"`
	UserType          string `json:"userType"`
	HomeTenantID      string `json:"homeTenantId"`
	ResourceTenantID  string `json:"resourceTenantId"`

	ServicePrincipalID string `json:"servicePrincipalId"`

	AppID                   string   `json:"appId"`
	AppDisplayName          string   `json:"appDisplayName"`
	ResourceID              string   `json:"resourceId"`
	ClientAppUsed           string   `json:"clientAppUsed"`
	UserAgent               string   `json:"userAgent"`
	IPAddress               string   `json:"ipAddress"`
	CorrelationID           string   `json:"correlationId"`
	SessionID               string   `json:"sessionId"`
	UniqueTokenIdentifier   string   `json:"uniqueTokenIdentifier"`
	IsInteractive           *bool    `json:"isInteractive"`
	SignInEventTypes        []string `json:"signInEventTypes"`
	AuthenticationProtocol  string   `json:"authenticationProtocol"`
	OriginalTransferMethod  string   `json:"originalTransferMethod"`
	IncomingTokenType       string   `json:"incomingTokenType"`
	AuthenticationRequired  string   `json:"authenticationRequirement"`
	ConditionalAccessStatus string   `json:"conditionalAccessStatus"`
	RiskDuringSignIn        string   `json:"riskLevelDuringSignIn"`
	RiskState               string   `json:"riskState"`
	CrossTenantAccessType   string   `json:"crossTenantAccessType"`

	Status *struct {
		ErrorCode         text   `json:"errorCode"`
		FailureReason     string `json:"failureReason"`
		AdditionalDetails string `json:"additionalDetails"`
	} `json:"status"`
	DeviceDetail struct {
		DeviceID        string `json:"deviceId"`
		DisplayName     string `json:"displayName"`
		OperatingSystem string `json:"operatingSystem"`
		Browser         string `json:"browser"`
		IsCompliant     bool   `json:"isCompliant"`
		IsManaged       bool   `json:"isManaged"`
		TrustType       string `json:"trustType"`
	} `json:"deviceDetail"`
}

func (g graphSignIn) Parse(raw []byte) (activity.Activity, error) {
	var s signIn
	if err := json.Unmarshal(raw, &s); err != nil {
		return activity.Activity{}, reject("%s", jsonReason(err))
	}
	if s.ID == "" {
		return activity.Activity{}, reject("the record has no id")
	}
	occurredAt, ok := moment(s.CreatedDateTime)
	if !ok {
		return activity.Activity{}, badTime("createdDateTime", s.CreatedDateTime)
	}
	a := activity.Activity{
		Source: activity.SourceSignIn, VendorID: identifier(s.ID), Shape: g.Name(),
		OccurredAt: occurredAt, MicrosoftTenantID: s.tenant(),
		Workload: "AzureActiveDirectory", RecordType: "signIn", Operation: "Sign-in",
		Result: activity.ResultUnknown, Actor: s.actor(),
		Address: activity.ParseAddress(s.IPAddress), UserAgent: s.UserAgent,
		SessionID: identifier(s.SessionID), TokenID: s.UniqueTokenIdentifier, CorrelationID: identifier(s.CorrelationID),
		Device: activity.Device{
			ID: identifier(s.DeviceDetail.DeviceID), Name: s.DeviceDetail.DisplayName, OS: s.DeviceDetail.OperatingSystem,
			Browser: s.DeviceDetail.Browser, Managed: s.DeviceDetail.IsManaged, Compliant: s.DeviceDetail.IsCompliant,
		},
		Application: activity.Application{ID: guid(s.AppID), Name: s.AppDisplayName},
		Resource:    guid(s.ResourceID),
		Interactive: s.interactive(), SignIn: true,
		Parameters: s.parameters(), Raw: raw,
	}
	if s.Status != nil {
		number, err := strconv.Atoi(string(s.Status.ErrorCode))
		if err != nil || number < 0 {
			return activity.Activity{}, reject("status.errorCode is no number: %q", cut(string(s.Status.ErrorCode), 40))
		}
		a.ErrorCode, a.Result = number, activity.SignInError(number).Result
	}
	return a, nil
}

// tenant is the directory in whose log the record stands. A guest's visit is
// logged at home and at the host; only the kind of user tells which this is.
func (s *signIn) tenant() string {
	if strings.EqualFold(s.UserType, "guest") {
		return firstGUID(s.ResourceTenantID, s.HomeTenantID)
	}
	if s.UserID == "" { // an application signs in where it is used
		return firstGUID(s.ResourceTenantID, s.HomeTenantID)
	}
	return firstGUID(s.HomeTenantID, s.ResourceTenantID)
}

func (s *signIn) actor() activity.Actor {
	if id := guid(s.ServicePrincipalID); id != "" && guid(s.UserID) == "" {
		return activity.Actor{Kind: activity.ActorApplication, Principal: id, ObjectID: id}
	}
	a := activity.Actor{Kind: activity.ActorUser, Principal: activity.Principal(s.UserPrincipalName), ObjectID: guid(s.UserID)}
	a.Principal = first(a.Principal, a.ObjectID)
	switch {
	case a.Principal == "":
		a.Kind = activity.ActorUnknown
	case strings.EqualFold(s.UserType, "guest") || isGuest(a.Principal):
		a.Kind = activity.ActorGuest
	}
	return a
}

func (s *signIn) interactive() bool {
	if s.IsInteractive != nil {
		return *s.IsInteractive
	}
	for _, kind := range s.SignInEventTypes {
		if strings.EqualFold(kind, "interactiveUser") {
			return true
		}
	}
	return len(s.SignInEventTypes) == 0 && guid(s.UserID) != ""
}

// parameters are what rules look into, by Graph's names; empty ones are left out.
func (s *signIn) parameters() []activity.Parameter {
	all := [...]activity.Parameter{
		{Name: "clientAppUsed", Value: s.ClientAppUsed},
		{Name: "authenticationProtocol", Value: s.AuthenticationProtocol},
		{Name: "originalTransferMethod", Value: s.OriginalTransferMethod},
		{Name: "incomingTokenType", Value: s.IncomingTokenType},
		{Name: "authenticationRequirement", Value: s.AuthenticationRequired},
		{Name: "conditionalAccessStatus", Value: s.ConditionalAccessStatus},
		{Name: "riskLevelDuringSignIn", Value: s.RiskDuringSignIn},
		{Name: "riskState", Value: s.RiskState},
		{Name: "crossTenantAccessType", Value: s.CrossTenantAccessType},
		{Name: "trustType", Value: s.DeviceDetail.TrustType},
	}
	n := 0
	for _, p := range all {
		if p.Value != "" {
			all[n] = p
			n++
		}
	}
	return append([]activity.Parameter(nil), all[:n]...)
}
