package format

import (
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
		{"appId", "ipAddress", "userPrincipalName"},
		{"appDisplayName", "clientAppUsed"},
	}
}

type signIn struct {
	ID                string `json:"id"`
	CreatedDateTime   when   `json:"createdDateTime"`
	UserPrincipalName string `json:"userPrincipalName"`
	UserID            string `json:"userId"`
	UserType          string `json:"userType"`
	HomeTenantID      string `json:"homeTenantId"`
	ResourceTenantID  string `json:"resourceTenantId"`

	ServicePrincipalID string `json:"servicePrincipalId"`

	AppID                   string    `json:"appId"`
	AppDisplayName          string    `json:"appDisplayName"`
	ResourceID              string    `json:"resourceId"`
	ClientAppUsed           string    `json:"clientAppUsed"`
	UserAgent               string    `json:"userAgent"`
	IPAddress               addresses `json:"ipAddress"`
	CorrelationID           string    `json:"correlationId"`
	SessionID               string    `json:"sessionId"`
	UniqueTokenIdentifier   string    `json:"uniqueTokenIdentifier"`
	IsInteractive           *bool     `json:"isInteractive"`
	SignInEventTypes        []string  `json:"signInEventTypes"`
	AuthenticationProtocol  string    `json:"authenticationProtocol"`
	OriginalTransferMethod  string    `json:"originalTransferMethod"`
	IncomingTokenType       string    `json:"incomingTokenType"`
	AuthenticationRequired  string    `json:"authenticationRequirement"`
	ConditionalAccessStatus string    `json:"conditionalAccessStatus"`
	RiskDuringSignIn        string    `json:"riskLevelDuringSignIn"`
	RiskState               string    `json:"riskState"`
	CrossTenantAccessType   string    `json:"crossTenantAccessType"`

	Status struct {
		ErrorCode string `json:"errorCode" alone:"true"`
	} `json:"status"`
	DeviceDetail struct {
		DeviceID        string `json:"deviceId"`
		DisplayName     string `json:"displayName"`
		OperatingSystem string `json:"operatingSystem"`
		Browser         string `json:"browser"`
		IsCompliant     *bool  `json:"isCompliant"`
		IsManaged       *bool  `json:"isManaged"`
		TrustType       string `json:"trustType"`
	} `json:"deviceDetail"`

	// What rows of a workspace (SigninLogs and its like) have beside or instead.
	TimeGenerated    when
	ResourceIdentity string
	ResultType       string
	Category         string
	Table            string `json:"Type"`
	AADTenantID      string `json:"AADTenantId"`
}

func (g graphSignIn) Parse(raw []byte) (activity.Activity, error) {
	s, err := decode[signIn](raw)
	if err != nil {
		return activity.Activity{}, err
	}
	return s.activity(g.Name(), raw)
}

func (s *signIn) activity(shape string, raw []byte) (activity.Activity, error) {
	if s.ID == "" {
		return activity.Activity{}, reject("the record has no id")
	}
	created := first(string(s.CreatedDateTime), string(s.TimeGenerated))
	occurredAt, ok := moment(created)
	if !ok {
		return activity.Activity{}, badTime("createdDateTime", created)
	}
	a := activity.Activity{
		Source: activity.SourceSignIn, VendorID: identifier(s.ID), Shape: shape,
		OccurredAt: occurredAt, MicrosoftTenantID: s.tenant(), HomeTenantID: guid(s.HomeTenantID), ResourceTenantID: guid(s.ResourceTenantID),
		Workload: "AzureActiveDirectory", RecordType: "signIn", Operation: "Sign-in",
		Result: activity.ResultUnknown, Actor: s.actor(),
		Address: activity.ParseAddress(string(s.IPAddress)), UserAgent: s.UserAgent,
		SessionID: identifier(s.SessionID), TokenID: s.UniqueTokenIdentifier, CorrelationID: identifier(s.CorrelationID),
		Device: activity.Device{
			ID: identifier(s.DeviceDetail.DeviceID), Name: s.DeviceDetail.DisplayName, OS: s.DeviceDetail.OperatingSystem,
			Browser: s.DeviceDetail.Browser, Managed: yes(s.DeviceDetail.IsManaged), Compliant: yes(s.DeviceDetail.IsCompliant),
		},
		Application: activity.Application{ID: guid(s.AppID), Name: s.AppDisplayName},
		Resource:    firstGUID(s.ResourceID, s.ResourceIdentity),
		Interactive: s.interactive(), SignIn: true,
		Parameters: s.parameters(), Raw: raw,
	}
	if number, ok := number(first(s.Status.ErrorCode, s.ResultType)); ok {
		a.ErrorCode, a.Result = number, activity.SignInError(number).Result
	}
	a.Claim(a.MicrosoftTenantID)
	return a, nil
}

// tenant is the directory in whose log the record stands. A visit is logged at
// home and at the host: where the record names the log's owner that is it, and
// else the kind of user tells. Whoever knows the tenant asks Activity.Claim.
func (s *signIn) tenant() string {
	if owner := guid(s.AADTenantID); owner != "" {
		return owner
	}
	if strings.EqualFold(s.UserType, "guest") || s.UserID == "" { // an application signs in where it is used
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
	log := strings.ToLower(first(s.Category, s.Table))
	return len(s.SignInEventTypes) == 0 && guid(s.UserID) != "" && !strings.Contains(log, "noninteractive")
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
