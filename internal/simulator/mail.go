package simulator

import (
	"fmt"
	"net/netip"
	"strings"
	"time"

	"github.com/google/uuid"
)

// exchangeAdmin is a unified audit record of type 1: a cmdlet somebody ran.
type exchangeAdmin struct {
	header
	AppID             string `json:"AppId"`
	AppPoolName       string `json:",omitempty"`
	ClientAppID       string `json:"ClientAppId"`
	ExternalAccess    bool
	OrganizationName  string
	OriginatingServer string
	Parameters        []nameValue
	RequestID         *uuid.UUID `json:"RequestId,omitempty"`
	SessionID         *uuid.UUID `json:"SessionId,omitempty"`
}

// cmdlet writes a cmdlet a person ran, in Outlook on the web or by script. The
// address carries a port, as Exchange's administrative log has it.
func (s *scribe) cmdlet(at time.Time, who presence, app application, operation, object string, parameters ...nameValue) string {
	h := s.header(at, "Exchange", 1, operation)
	h.AppAccessContext = s.tokenContext(at, who)
	h.ResultStatus, h.UserKey, h.UserType, h.ObjectID, h.UserID = "True", who.account.PUID, 2, object, who.account.UserPrincipalName
	port := uint16(1024 + s.IntN(60000))
	h.ClientIP = new(netip.AddrPortFrom(who.place.address, port).String())
	pool := "MSExchangeOWAAppPool"
	if app == powerShell {
		pool = "MSExchangeAdminApiNetCore"
	}
	request, session := s.uuid(), who.session
	return s.write(UnifiedAudit, at, h.ID, exchangeAdmin{
		header: h, AppID: app.id, AppPoolName: pool, OrganizationName: s.tenant.OnMicrosoftName, OriginatingServer: s.tenant.server,
		Parameters: parameters, RequestID: &request, SessionID: &session,
	})
}

// housekeeper is the name under which Exchange tends a tenant.
const housekeeper = `NT AUTHORITY\SYSTEM (Microsoft.Exchange.ServiceHost)`

// serviceCmdlet writes a cmdlet that Exchange ran by itself.
func (s *scribe) serviceCmdlet(at time.Time, operation, object string, parameters ...nameValue) {
	h := s.header(at, "Exchange", 1, operation)
	h.ResultStatus, h.UserKey, h.UserType, h.ObjectID, h.UserID = "True", housekeeper, 3, object, housekeeper
	s.write(UnifiedAudit, at, h.ID, exchangeAdmin{
		header: h, ExternalAccess: true, OrganizationName: s.tenant.OnMicrosoftName, OriginatingServer: s.tenant.server,
		Parameters: append([]nameValue{{"DomainController", ""}}, parameters...),
	})
}

// hosted is the path of an object in Exchange's own directory.
func (t *Tenant) hosted(object string) string {
	return t.forest + "/Microsoft Exchange Hosted Organizations/" + t.OnMicrosoftName + object
}

// alias is the name Exchange gives a mailbox.
func (a *Account) alias() string {
	name, _, _ := strings.Cut(a.UserPrincipalName, "@")
	return name
}

// mailboxAct is a unified audit record of type 2, 3 or 50.
type mailboxAct struct {
	header
	AppID                 string `json:"AppId,omitempty"`
	ClientAppID           string `json:"ClientAppId,omitempty"`
	ClientIPAddress       string
	ClientInfoString      string
	ClientProcessName     string `json:",omitempty"`
	ClientVersion         string `json:",omitempty"`
	ExternalAccess        bool
	InternalLogonType     int
	LogonType             int
	LogonUserSID          string    `json:"LogonUserSid"`
	MailboxGUID           uuid.UUID `json:"MailboxGuid"`
	MailboxOwnerSID       string    `json:"MailboxOwnerSid"`
	MailboxOwnerUPN       string
	OperationProperties   []nameValue `json:",omitempty"`
	OrganizationName      string
	OriginatingServer     string     // with a line break at its end, as logged
	SessionID             *uuid.UUID `json:"SessionId,omitempty"`
	Item                  *item      `json:",omitempty"`
	Folders               []folder   `json:",omitempty"`
	OperationCount        int        `json:",omitempty"`
	AffectedItems         []item     `json:",omitempty"`
	CrossMailboxOperation *bool      `json:",omitempty"`
	Folder                *itemRef   `json:",omitempty"`
}

type itemRef struct {
	ID   string `json:"Id"`
	Path string
}

type item struct {
	ID                string `json:"Id"`
	InternetMessageID string `json:"InternetMessageId,omitempty"`
	ParentFolder      itemRef
	SizeInBytes       int    `json:",omitempty"`
	Subject           string `json:",omitempty"`
}

type folder struct {
	FolderItems []folderItem
	ID          string `json:"Id"`
	Path        string
}

type folderItem struct {
	InternetMessageID string `json:"InternetMessageId"`
	SizeInBytes       int
}

func (s *scribe) mailbox(at time.Time, who presence, recordType int, operation string) mailboxAct {
	a := who.account
	h := s.header(at, "Exchange", recordType, operation)
	h.AppAccessContext = s.tokenContext(at, who)
	address := who.place.address.String()
	h.ResultStatus, h.UserKey, h.UserID, h.ClientIP = "Succeeded", a.PUID, a.UserPrincipalName, &address
	session := who.session
	m := mailboxAct{
		header: h, AppID: exchange.id, ClientIPAddress: address, ClientInfoString: "Client=OWA;Action=ViaProxy",
		LogonUserSID: a.sid, MailboxGUID: a.mailbox, MailboxOwnerSID: a.sid, MailboxOwnerUPN: a.UserPrincipalName,
		OrganizationName: s.tenant.OnMicrosoftName, OriginatingServer: s.tenant.server + "\r\n", SessionID: &session,
	}
	switch {
	case who.client.phone:
		m.ClientAppID, m.ClientInfoString = outlookApp.id, "Client=OutlookService;Outlook-iOS/2.0;"
		if strings.HasPrefix(who.client.os, "Android") {
			m.ClientInfoString = "Client=OutlookService;Outlook-Android/2.0;"
		}
	case who.client.outlook != "":
		m.AppID, m.ClientInfoString = office.id, "Client=MSExchangeRPC"
		m.ClientProcessName, m.ClientVersion = who.client.outlook, "16.0.17628.20144"
	}
	return m
}

func (s *scribe) folder(a *Account, path string) itemRef {
	d := s.world.dice("folder", a.PUID, path)
	return itemRef{ID: fmt.Sprintf("LgAAAAD%s%s%sAAAAAAEMAAAB", d.token(), d.token(), d.token()[:6]), Path: path}
}

func (s *scribe) messageID() string {
	server, _, _ := strings.Cut(s.tenant.server, " ")
	return fmt.Sprintf("<%s%08X%08X%08X@%s.prod.outlook.com>", server, s.Uint32(), s.Uint32(), s.Uint32(), server)
}

func (s *scribe) message(a *Account, path, subject string) item {
	return item{
		ID: "RgAAAAD" + s.token() + s.token() + "AAAJ", InternetMessageID: s.messageID(), ParentFolder: s.folder(a, path),
		SizeInBytes: 2000 + s.IntN(400000), Subject: subject,
	}
}

// readMail writes that messages were opened; many go into one record. Records
// of this type give the address in ClientIPAddress only.
func (s *scribe) readMail(at time.Time, who presence, messages int) string {
	m := s.mailbox(at, who, 50, "MailItemsAccessed")
	m.ClientIP, m.ClientProcessName, m.ClientVersion = nil, "", ""
	m.OperationProperties = []nameValue{{"MailAccessType", "Bind"}, {"IsThrottled", "False"}}
	inbox := s.folder(who.account, `\Inbox`)
	f := folder{ID: inbox.ID, Path: inbox.Path}
	for range messages {
		f.FolderItems = append(f.FolderItems, folderItem{s.messageID(), 2000 + s.IntN(400000)})
	}
	m.Folders, m.OperationCount = []folder{f}, messages
	return s.write(UnifiedAudit, at, m.ID, m)
}

// syncMail writes that a mail program fetched a folder.
func (s *scribe) syncMail(at time.Time, who presence) {
	m := s.mailbox(at, who, 2, "MailItemsAccessed")
	m.OperationProperties = []nameValue{{"MailAccessType", "Sync"}, {"IsThrottled", "False"}}
	inbox := s.folder(who.account, `\Inbox`)
	m.Item = &item{ID: inbox.ID, ParentFolder: inbox}
	s.write(UnifiedAudit, at, m.ID, m)
}

// sendMail writes that a message left.
func (s *scribe) sendMail(at time.Time, who presence, subject string) {
	m := s.mailbox(at, who, 2, "Send")
	sent := s.message(who.account, `\Drafts`, subject)
	m.Item = &sent
	s.write(UnifiedAudit, at, m.ID, m)
}

// deleteMail writes that a message was thrown away.
func (s *scribe) deleteMail(at time.Time, who presence, operation, subject string) {
	m := s.mailbox(at, who, 3, operation)
	no, inbox := false, s.folder(who.account, `\Inbox`)
	m.AffectedItems, m.CrossMailboxOperation, m.Folder = []item{s.message(who.account, `\Inbox`, subject)}, &no, &inbox
	s.write(UnifiedAudit, at, m.ID, m)
}

// ownFolder writes what Outlook on the web does for its owner from within
// Exchange: the address is the loopback one.
func (s *scribe) ownFolder(at time.Time, who presence) {
	m := s.mailbox(at, who, 2, "ModifyFolderPermissions")
	m.AppAccessContext, m.ClientIP, m.ClientIPAddress, m.ClientInfoString = nil, new("::1"), "::1", "Client=OWA;Action=ViaProxy"
	m.AppID, m.ClientAppID, m.ClientProcessName, m.ClientVersion = exchange.id, "", "", ""
	calendar := s.folder(who.account, `\Calendar\Public holidays`)
	m.Item = &item{ID: calendar.ID, ParentFolder: calendar}
	s.write(UnifiedAudit, at, m.ID, m)
}
