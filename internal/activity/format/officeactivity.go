package format

import (
	"encoding/json"

	"github.com/cairn-itdr/cairn/internal/activity"
)

// officeActivity is a row of Sentinel's OfficeActivity table: a unified audit
// record with renamed columns, everything as text. It keeps the record's
// identity, so the row and the record are one activity.
type officeActivity struct{}

func (officeActivity) Name() string { return "office_activity" }

func (officeActivity) Signatures() [][]string {
	return [][]string{{"OfficeWorkload", "TimeGenerated"}, {"OfficeWorkload", "Operation"}, {"OfficeId", "Operation"}}
}

// officeRow is what is read of a row. Where a plain column is missing, the one
// with a trailing underscore may hold its value.
type officeRow struct {
	TimeGenerated   string
	RecordType      text
	Operation       string
	OfficeWorkload  string
	OrganizationID  string `json:"OrganizationId"`
	OrganizationID2 string `json:"OrganizationId_"`
	UserType        text
	UserKey         string
	UserID          string `json:"UserId"`
	UserID2         string `json:"UserId_"`
	ResultStatus    text
	OfficeID        string `json:"OfficeId"`
	SourceRecordID  string `json:"SourceRecordId"`
	ObjectID        string `json:"OfficeObjectId"`

	ClientIP         string
	ClientIPAddress  string `json:"Client_IPAddress"`
	ActorIPAddress   string `json:"ActorIpAddress"`
	ClientInfoString string
	UserAgent        string
	AppID            string `json:"AppId"`
	ClientAppID      string `json:"ClientAppId"`
	ApplicationID    string `json:"ApplicationId"`
	SessionID        string `json:"SessionId"`
	CorrelationID    string `json:"CorrelationId"`
	MailboxOwnerUPN  string

	TargetUserOrGroupName string
	AppAccessContext      embedded[struct {
		AADSessionID  string `json:"AADSessionId"`
		UniqueTokenID string `json:"UniqueTokenId"`
		ClientAppID   string `json:"ClientAppId"`
		ClientAppName string
		APIID         string `json:"APIId"`
		CorrelationID string `json:"CorrelationId"`
		UserObjectID  string `json:"UserObjectId"`
		ClientIP      string `json:"ClientIpAddress"`
	}]
	Parameters          pairs
	ExtendedProperties  pairs
	OperationProperties pairs
	ModifiedProperties  embedded[[]modification]
	Item                embedded[struct{ Subject string }]
	AffectedItems       embedded[[]struct{ Subject string }]
}

func (o officeActivity) Parse(raw []byte) (activity.Activity, error) {
	var row officeRow
	if err := json.Unmarshal(raw, &row); err != nil {
		return activity.Activity{}, reject("%s", jsonReason(err))
	}
	r := auditRecord{
		CreationTime: row.TimeGenerated, ID: first(row.OfficeID, row.SourceRecordID),
		Operation: row.Operation, Workload: row.OfficeWorkload, RecordType: row.RecordType,
		OrganizationID: firstGUID(row.OrganizationID, row.OrganizationID2),
		UserID:         first(row.UserID, row.UserID2), UserKey: row.UserKey, UserType: row.UserType,
		ResultStatus: string(row.ResultStatus), ObjectID: row.ObjectID,
		ClientIP: row.ClientIP, ClientIPAddress: row.ClientIPAddress, ActorIPAddress: row.ActorIPAddress,
		ClientInfoString: row.ClientInfoString, UserAgent: row.UserAgent,
		AppID: row.AppID, ClientAppID: row.ClientAppID, ApplicationID: row.ApplicationID,
		AppAccessContext: row.AppAccessContext.value,
		SessionID:        row.SessionID, CorrelationID: row.CorrelationID,
		MailboxOwnerUPN: row.MailboxOwnerUPN, TargetUserOrGroupName: row.TargetUserOrGroupName,
		Parameters: row.Parameters, ExtendedProperties: row.ExtendedProperties, OperationProperties: row.OperationProperties,
		Item: row.Item.value, AffectedItems: row.AffectedItems.value,
	}
	for _, m := range row.ModifiedProperties.value {
		r.ModifiedProperties = append(r.ModifiedProperties, change{string(m.Name), string(m.NewValue), string(m.OldValue)})
	}
	if r.ID == "" {
		return activity.Activity{}, reject("the row has no OfficeId and no SourceRecordId")
	}
	return r.activity(o.Name(), raw)
}
