package format

import (
	"encoding/json"

	"github.com/cairn-itdr/cairn/internal/activity"
)

// graphDirectoryAudit is the directoryAudit resource of Microsoft Graph.
type graphDirectoryAudit struct{}

func (graphDirectoryAudit) Name() string { return "graph_directory_audit" }

func (graphDirectoryAudit) Signatures() [][]string {
	return [][]string{
		{"activityDateTime", "activityDisplayName"}, {"activityDateTime", "initiatedBy"}, {"activityDisplayName", "initiatedBy"},
	}
}

// azureMonitorAudit is a row of the AuditLogs table of Azure Monitor and
// Sentinel: the same record, flattened, its objects often as JSON in strings.
type azureMonitorAudit struct{}

func (azureMonitorAudit) Name() string { return "azure_monitor_audit" }

func (azureMonitorAudit) Signatures() [][]string {
	return [][]string{
		{"OperationName", "TargetResources"}, {"OperationName", "InitiatedBy"}, {"AADTenantId", "ActivityDateTime"}, {"AADTenantId", "ActivityDisplayName"},
	}
}

// directoryAudit is an Entra directory audit record, whatever its door.
type directoryAudit struct {
	ID                  string          `json:"id"`
	ActivityDateTime    when            `json:"activityDateTime"`
	ActivityDisplayName string          `json:"activityDisplayName"`
	Category            string          `json:"category"`
	CorrelationID       string          `json:"correlationId"`
	LoggedByService     string          `json:"loggedByService"`
	Result              string          `json:"result"`
	UserAgent           string          `json:"userAgent"`
	InitiatedBy         initiator       `json:"initiatedBy"`
	TargetResources     []auditedObject `json:"targetResources"`
	AdditionalDetails   pairs           `json:"additionalDetails"`

	// What rows of a workspace have beside.
	TimeGenerated when
	OperationName string
	AADTenantID   string `json:"AADTenantId"`
}

type initiator struct {
	User struct {
		ID                string    `json:"id"`
		UserPrincipalName string    `json:"userPrincipalName" alone:"true"`
		UserType          string    `json:"userType"`
		IPAddress         addresses `json:"ipAddress"`
	} `json:"user"`
	App struct {
		AppID              string `json:"appId"`
		DisplayName        string `json:"displayName" alone:"true"`
		ServicePrincipalID string `json:"servicePrincipalId"`
		Name               string `json:"servicePrincipalName"`
	} `json:"app"`
	Linkable struct { // beta: ties the change to the session
		SessionID string `json:"sessionId"`
		DeviceID  string `json:"deviceId"`
	} `json:"linkableIdentifiers"`
}

type auditedObject struct {
	ID                 string `json:"id"`
	DisplayName        string `json:"displayName" alone:"true"`
	Type               string `json:"type"`
	UserPrincipalName  string `json:"userPrincipalName"`
	ModifiedProperties []struct {
		DisplayName string          `json:"displayName"`
		OldValue    json.RawMessage `json:"oldValue"`
		NewValue    json.RawMessage `json:"newValue"`
	} `json:"modifiedProperties"`
}

func (g graphDirectoryAudit) Parse(raw []byte) (activity.Activity, error) {
	return parseDirectoryAudit(g.Name(), raw)
}

func (m azureMonitorAudit) Parse(raw []byte) (activity.Activity, error) {
	return parseDirectoryAudit(m.Name(), raw)
}

func parseDirectoryAudit(shape string, raw []byte) (activity.Activity, error) {
	r, err := decode[directoryAudit](raw)
	if err != nil {
		return activity.Activity{}, err
	}
	r.ActivityDateTime = when(first(string(r.ActivityDateTime), string(r.TimeGenerated)))
	r.ActivityDisplayName = first(r.ActivityDisplayName, r.OperationName)
	return r.activity(shape, raw)
}

func (r *directoryAudit) activity(shape string, raw []byte) (activity.Activity, error) {
	if r.ID == "" {
		return activity.Activity{}, reject("the record has no id")
	}
	occurredAt, ok := moment(string(r.ActivityDateTime))
	if !ok {
		return activity.Activity{}, badTime("activityDateTime", string(r.ActivityDateTime))
	}
	by := &r.InitiatedBy
	a := activity.Activity{
		Source: activity.SourceDirectoryAudit, VendorID: identifier(r.ID), Shape: shape,
		OccurredAt: occurredAt, MicrosoftTenantID: guid(r.AADTenantID),
		Workload: "AzureActiveDirectory", RecordType: r.Category,
		Operation: activity.CanonicalOperation(r.ActivityDisplayName), Result: status(r.Result),
		UserAgent:     first(r.AdditionalDetails.get("User-Agent"), r.UserAgent),
		SessionID:     identifier(by.Linkable.SessionID),
		CorrelationID: identifier(r.CorrelationID),
		Device:        activity.Device{ID: identifier(by.Linkable.DeviceID)},
		Parameters:    r.AdditionalDetails,
		Raw:           raw,
	}
	a.Actor = activity.Actor{Kind: activity.ActorUnknown}
	switch {
	case by.User.UserPrincipalName != "" || by.User.ID != "":
		a.Address = activity.ParseAddress(string(by.User.IPAddress))
		a.Actor = auditActor(first(by.User.UserPrincipalName, by.User.ID), "", by.User.UserType, a.MicrosoftTenantID)
		a.Actor.ObjectID = guid(by.User.ID)
	case by.App.AppID != "" || by.App.DisplayName != "" || by.App.ServicePrincipalID != "" || by.App.Name != "":
		a.Application = activity.Application{ID: guid(by.App.AppID), Name: first(by.App.DisplayName, by.App.Name)}
		a.Actor = activity.Actor{
			Kind: activity.ActorApplication, ObjectID: guid(by.App.ServicePrincipalID),
			Principal: first(guid(by.App.ServicePrincipalID), guid(by.App.AppID), activity.Principal(first(by.App.DisplayName, by.App.Name))),
		}
		// What is no application of the directory has no id in it.
		if a.Actor.ObjectID == "" && a.Application.ID == "" {
			a.Actor.Kind = activity.ActorService
		}
	}
	r.targets(&a)
	return a, nil
}

// targets names what was acted on (the first user, else the first object) and
// gathers what changed on all of it.
func (r *directoryAudit) targets(a *activity.Activity) {
	for _, t := range r.TargetResources {
		if a.Target == "" {
			a.Target = first(t.UserPrincipalName, t.DisplayName, t.ID)
		}
		for _, m := range t.ModifiedProperties {
			a.Modified = append(a.Modified, activity.Modification{Name: m.DisplayName, Old: flatten(m.OldValue), New: flatten(m.NewValue)})
		}
	}
	for _, t := range r.TargetResources {
		if t.UserPrincipalName != "" {
			a.Target = t.UserPrincipalName
			return
		}
	}
}
