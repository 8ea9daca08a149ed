package format

import (
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
	TimeGenerated   when
	CreationTime    when
	RecordType      string
	Operation       string
	OfficeWorkload  string
	OrganizationID  string `json:"OrganizationId"`
	OrganizationID2 string `json:"OrganizationId_"`
	UserType        string
	UserKey         string
	UserID          string `json:"UserId"`
	UserID2         string `json:"UserId_"`
	ResultStatus    string
	OfficeID        string `json:"OfficeId"`
	SourceRecordID  string `json:"SourceRecordId"`
	ObjectID        string `json:"OfficeObjectId"`

	ClientIP         addresses
	ClientIP2        addresses `json:"ClientIP_"`
	ClientIPAddress  addresses `json:"Client_IPAddress"`
	ClientIPAddress2 addresses `json:"ClientIPAddress"`
	ActorIPAddress   addresses `json:"ActorIpAddress"`
	ClientInfoString string
	UserAgent        string
	AppID            string `json:"AppId"`
	ClientAppID      string `json:"ClientAppId"`
	ApplicationID    string `json:"ApplicationId"`
	SessionID        string `json:"SessionId"`
	CorrelationID    string `json:"CorrelationId"`
	MailboxOwnerUPN  string

	TargetUserOrGroupName string
	AppAccessContext      accessContext
	Parameters            pairs
	ExtendedProperties    pairs
	OperationProperties   pairs
	ModifiedProperties    []change
	Item                  mailItem
	AffectedItems         []mailItem
}

func (o officeActivity) Parse(raw []byte) (activity.Activity, error) {
	row, err := decode[officeRow](raw)
	if err != nil {
		return activity.Activity{}, err
	}
	r := auditRecord{
		CreationTime: when(first(string(row.TimeGenerated), string(row.CreationTime))), ID: first(row.OfficeID, row.SourceRecordID),
		Operation: row.Operation, Workload: row.OfficeWorkload, RecordType: row.RecordType,
		OrganizationID: firstGUID(row.OrganizationID, row.OrganizationID2),
		UserID:         first(row.UserID, row.UserID2), UserKey: row.UserKey, UserType: row.UserType,
		ResultStatus: row.ResultStatus, ObjectID: row.ObjectID,
		ClientIP:        addresses(first(string(row.ClientIP), string(row.ClientIP2))),
		ClientIPAddress: addresses(first(string(row.ClientIPAddress), string(row.ClientIPAddress2))), ActorIPAddress: row.ActorIPAddress,
		ClientInfoString: row.ClientInfoString, UserAgent: row.UserAgent,
		AppID: row.AppID, ClientAppID: row.ClientAppID, ApplicationID: row.ApplicationID,
		AppAccessContext: row.AppAccessContext,
		SessionID:        row.SessionID, CorrelationID: row.CorrelationID,
		MailboxOwnerUPN: row.MailboxOwnerUPN, TargetUserOrGroupName: row.TargetUserOrGroupName,
		Parameters: row.Parameters, ExtendedProperties: row.ExtendedProperties, OperationProperties: row.OperationProperties,
		Item: row.Item, AffectedItems: row.AffectedItems, ModifiedProperties: row.ModifiedProperties,
	}
	if r.ID == "" {
		return activity.Activity{}, reject("the row has no OfficeId and no SourceRecordId")
	}
	return r.activity(o.Name(), raw)
}
