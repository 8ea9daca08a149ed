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
		{"ActivityDateTime", "ActivityDisplayName"}, {"OperationName", "TargetResources"}, {"OperationName", "InitiatedBy"},
	}
}

// directoryAudit is an Entra directory audit record, whatever its door.
type directoryAudit struct {
	ID                  string                    `json:"id"`
	ActivityDateTime    string                    `json:"activityDateTime"`
	ActivityDisplayName string                    `json:"activityDisplayName"`
	Category            string                    `json:"category"`
	CorrelationID       string                    `json:"correlationId"`
	LoggedByService     string                    `json:"loggedByService"`
	Result              string                    `json:"result"`
	UserAgent           string                    `json:"userAgent"`
	InitiatedBy         embedded[initiator]       `json:"initiatedBy"`
	TargetResources     embedded[[]auditedObject] `json:"targetResources"`
	AdditionalDetails   pairs                     `json:"additionalDetails"`
}

type initiator struct {
	User *struct {
		ID                string `json:"id"`
		UserPrincipalName string `json:"userPrincipalName"`
		UserType          string `json:"userType"`
		IPAddress         string `json:"ipAddress"`
	} `json:"user"`
	App *struct {
		AppID              string `json:"appId"`
		DisplayName        string `json:"displayName"`
		ServicePrincipalID string `json:"servicePrincipalId"`
	} `json:"app"`
	Linkable struct { // beta: ties the change to the session
		SessionID string `json:"sessionId"`
		DeviceID  string `json:"deviceId"`
	} `json:"linkableIdentifiers"`
}

type auditedObject struct {
	ID                 string `json:"id"`
	DisplayName        string `json:"displayName"`
	Type               string `json:"type"`
	UserPrincipalName  string `json:"userPrincipalName"`
	ModifiedProperties []struct {
		DisplayName string `json:"displayName"`
		OldValue    text   `json:"oldValue"`
		NewValue    text   `json:"newValue"`
	} `json:"modifiedProperties"`
}

func (g graphDirectoryAudit) Parse(raw []byte) (activity.Activity, error) {
	var r directoryAudit
	if err := json.Unmarshal(raw, &r); err != nil {
		return activity.Activity{}, reject("%s", jsonReason(err))
	}
	return r.activity(g.Name(), "", raw)
}

func (m azureMonitorAudit) Parse(raw []byte) (activity.Activity, error) {
	// Names match whatever their case, so the row's own are only those that differ.
	var r struct {
		directoryAudit
		TimeGenerated string
		OperationName string
		AADTenantID   string `json:"AADTenantId"`
	}
	if err := json.Unmarshal(raw, &r); err != nil {
		return activity.Activity{}, reject("%s", jsonReason(err))
	}
	r.ActivityDateTime = first(r.ActivityDateTime, r.TimeGenerated)
	r.ActivityDisplayName = first(r.ActivityDisplayName, r.OperationName)
	return r.activity(m.Name(), r.AADTenantID, raw)
}

func (r *directoryAudit) activity(shape, tenantID string, raw []byte) (activity.Activity, error) {
	if r.ID == "" {
		return activity.Activity{}, reject("the record has no id")
	}
	occurredAt, ok := moment(r.ActivityDateTime)
	if !ok {
		return activity.Activity{}, badTime("activityDateTime", r.ActivityDateTime)
	}
	by := &r.InitiatedBy.value
	a := activity.Activity{
		Source: activity.SourceDirectoryAudit, VendorID: identifier(r.ID), Shape: shape,
		OccurredAt: occurredAt, MicrosoftTenantID: guid(tenantID),
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
	case by.User != nil && (by.User.UserPrincipalName != "" || by.User.ID != ""):
		a.Address = activity.ParseAddress(by.User.IPAddress)
		a.Actor = auditActor(first(by.User.UserPrincipalName, by.User.ID), "", by.User.UserType, a.MicrosoftTenantID)
		a.Actor.ObjectID = guid(by.User.ID)
	case by.App != nil:
		a.Application = activity.Application{ID: guid(by.App.AppID), Name: by.App.DisplayName}
		a.Actor = activity.Actor{
			Kind: activity.ActorApplication, ObjectID: guid(by.App.ServicePrincipalID),
			Principal: first(guid(by.App.ServicePrincipalID), guid(by.App.AppID), activity.Principal(by.App.DisplayName)),
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
	for _, t := range r.TargetResources.value {
		if a.Target == "" {
			a.Target = first(t.UserPrincipalName, t.DisplayName, t.ID)
		}
		for _, m := range t.ModifiedProperties {
			a.Modified = append(a.Modified, activity.Modification{Name: m.DisplayName, Old: string(m.OldValue), New: string(m.NewValue)})
		}
	}
	for _, t := range r.TargetResources.value {
		if t.UserPrincipalName != "" {
			a.Target = t.UserPrincipalName
			return
		}
	}
}
