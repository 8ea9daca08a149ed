package format

import (
	"encoding/json"
	"strings"

	"github.com/cairn-itdr/cairn/internal/activity"
)

// diagnostic is a record that Entra's diagnostic settings write to a storage
// account or an event hub: the record of the log under properties, and around
// it the directory, the time and the category. It keeps the record's identity.
type diagnostic struct{}

func (diagnostic) Name() string { return "diagnostic_settings" }

func (diagnostic) Signatures() [][]string {
	return [][]string{{"category", "properties"}, {"operationName", "properties"}}
}

type diagnosticRecord struct {
	Time          when            `json:"time"`
	Category      string          `json:"category"`
	OperationName string          `json:"operationName"`
	TenantID      string          `json:"tenantId"`
	ResourceID    string          `json:"resourceId"`
	ResultType    string          `json:"resultType"`
	CallerAddress addresses       `json:"callerIpAddress"`
	CorrelationID string          `json:"correlationId"`
	Properties    json.RawMessage `json:"properties"`
}

func (d diagnostic) Parse(raw []byte) (activity.Activity, error) {
	r, err := decode[diagnosticRecord](raw)
	if err != nil {
		return activity.Activity{}, err
	}
	properties := []byte(r.Properties)
	if len(properties) > 0 && properties[0] == '"' {
		properties = innerJSON(unquoted(properties))
	}
	if len(properties) == 0 || properties[0] != '{' {
		return activity.Activity{}, reject("a diagnostic settings record of the category %q without properties", cut(r.Category, 40))
	}
	switch category := strings.ToLower(r.Category); {
	case strings.HasSuffix(category, "signinlogs"), category == "" && strings.EqualFold(r.OperationName, "Sign-in activity"):
		s, err := decode[signIn](properties)
		if err != nil {
			return activity.Activity{}, err
		}
		s.CreatedDateTime = when(first(string(s.CreatedDateTime), string(r.Time)))
		s.IPAddress = addresses(first(string(s.IPAddress), string(r.CallerAddress)))
		s.CorrelationID = first(s.CorrelationID, r.CorrelationID)
		s.ResultType = first(s.ResultType, r.ResultType)
		s.Category = r.Category
		s.AADTenantID = first(r.directory(), s.AADTenantID)
		return s.activity(d.Name(), raw)
	case category == "auditlogs":
		a, err := decode[directoryAudit](properties)
		if err != nil {
			return activity.Activity{}, err
		}
		a.ActivityDateTime = when(first(string(a.ActivityDateTime), string(r.Time)))
		a.ActivityDisplayName = first(a.ActivityDisplayName, a.OperationName, r.OperationName)
		a.CorrelationID = first(a.CorrelationID, r.CorrelationID)
		a.AADTenantID = first(r.directory(), a.AADTenantID)
		return a.activity(d.Name(), raw)
	}
	return activity.Activity{}, reject("a diagnostic settings record of the category %q, which is not read", cut(r.Category, 40))
}

// directory is the tenant whose log it is: the resource is "/tenants/…/providers/Microsoft.aadiam".
func (r *diagnosticRecord) directory() string {
	if id := guid(r.TenantID); id != "" {
		return id
	}
	if _, rest, ok := strings.Cut(strings.ToLower(r.ResourceID), "/tenants/"); ok {
		id, _, _ := strings.Cut(rest, "/")
		return guid(id)
	}
	return ""
}

// auditSearch is what Graph's search of the audit log says of a record beside
// the record itself. The record is taken where it is there; this is for answers
// whose auditData is empty, as some versions of the SDK write them.
type auditSearch struct{}

func (auditSearch) Name() string { return "graph_audit_search" }

func (auditSearch) Signatures() [][]string {
	return [][]string{{"auditLogRecordType", "operation"}, {"auditLogRecordType", "auditData"}}
}

type auditSearchRecord struct {
	ID                string    `json:"id"`
	CreatedDateTime   when      `json:"createdDateTime"`
	RecordType        string    `json:"auditLogRecordType"`
	Operation         string    `json:"operation"`
	OrganizationID    string    `json:"organizationId"`
	UserType          string    `json:"userType"`
	UserID            string    `json:"userId"`
	Service           string    `json:"service"`
	ObjectID          string    `json:"objectId"`
	UserPrincipalName string    `json:"userPrincipalName"`
	ClientIP          addresses `json:"clientIp"`
}

func (s auditSearch) Parse(raw []byte) (activity.Activity, error) {
	found, err := decode[auditSearchRecord](raw)
	if err != nil {
		return activity.Activity{}, err
	}
	r := auditRecord{
		ID: found.ID, CreationTime: found.CreatedDateTime, RecordType: found.RecordType, Operation: found.Operation,
		OrganizationID: found.OrganizationID, UserType: found.UserType, UserID: first(found.UserPrincipalName, found.UserID),
		Workload: found.Service, ObjectID: found.ObjectID, ClientIP: found.ClientIP,
	}
	return r.activity(s.Name(), raw)
}
