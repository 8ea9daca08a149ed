package simulator

import (
	"strings"
	"time"

	"github.com/google/uuid"
)

// fileAct is a unified audit record of type 6: something done with a file.
type fileAct struct {
	header
	ApplicationID               string    `json:"ApplicationId,omitempty"`
	CorrelationID               uuid.UUID `json:"CorrelationId"`
	EventSource                 string
	ItemType                    string
	ListID                      uuid.UUID `json:"ListId"`
	ListItemUniqueID            uuid.UUID `json:"ListItemUniqueId"`
	Site                        uuid.UUID
	UserAgent                   string
	WebID                       uuid.UUID `json:"WebId"`
	FileSizeBytes               int       `json:",omitempty"`
	HighPriorityMediaProcessing *bool     `json:",omitempty"` // on views and downloads only
	SourceFileExtension         string
	SiteURL                     string `json:"SiteUrl"`
	SourceFileName              string
	SourceRelativeURL           string `json:"SourceRelativeUrl"`
}

// file writes an act on a file, in the person's OneDrive or on the team site.
// SharePoint writes names in lower case and gives no result.
func (s *scribe) file(at time.Time, who presence, operation string) {
	a := who.account
	label, _, _ := strings.Cut(s.tenant.OnMicrosoftName, ".")
	name := files[s.IntN(len(files))]
	_, extension, _ := strings.Cut(name, ".")
	workload, site, path := "SharePoint", "https://"+label+".sharepoint.com/sites/Team/", "Shared Documents"
	if s.chance(0.5) {
		personal := strings.NewReplacer("@", "_", ".", "_").Replace(lower(a.UserPrincipalName))
		workload, site, path = "OneDrive", "https://"+label+"-my.sharepoint.com/personal/"+personal+"/", "Documents"
	}
	h := s.header(at, workload, 6, operation)
	h.AppAccessContext = s.tokenContext(at, who)
	h.UserKey = "i:0h.f|membership|" + lower(a.PUID) + "@live.com"
	h.ClientIP, h.ObjectID, h.UserID = new(who.place.address.String()), site+path+"/"+name, lower(a.UserPrincipalName)
	d := s.world.dice("site", s.tenant.Name, site)
	f := fileAct{
		header: h, CorrelationID: s.uuid(), EventSource: "SharePoint", ItemType: "File",
		ListID: d.uuid(), ListItemUniqueID: s.world.dice("file", s.tenant.Name, site, name).uuid(), Site: d.uuid(),
		UserAgent: who.client.agent, WebID: d.uuid(), SourceFileExtension: extension, SiteURL: site,
		SourceFileName: name, SourceRelativeURL: path,
	}
	if operation != "FileModified" {
		no := false
		f.HighPriorityMediaProcessing = &no
	}
	if operation == "FileDownloaded" {
		f.FileSizeBytes = 9000 + s.IntN(900000)
	}
	s.write(UnifiedAudit, at, h.ID, f)
}

// chatAct is a unified audit record of type 25.
type chatAct struct {
	header
	ChatThreadID      string `json:"ChatThreadId"`
	CommunicationType string
	ExtraProperties   []nameValue
	MessageID         string `json:"MessageId"`
	ItemName          string
}

// chat writes that a message went out in Teams.
func (s *scribe) chat(at time.Time, who presence) {
	a := who.account
	h := s.header(at, "MicrosoftTeams", 25, "MessageSent")
	h.AppAccessContext = s.tokenContext(at, who)
	h.UserKey, h.UserID, h.ClientIP = a.ObjectID.String(), a.UserPrincipalName, new(who.place.address.String())
	other := s.tenant.Accounts[s.IntN(len(s.tenant.Accounts))]
	thread := "19:" + a.ObjectID.String() + "_" + other.ObjectID.String() + "@unq.gbl.spaces"
	s.write(UnifiedAudit, at, h.ID, chatAct{
		header: h, ChatThreadID: thread, CommunicationType: "OneOnOne",
		ExtraProperties: []nameValue{{"TimeZone", "UTC"}, {"OsName", lower(who.client.auditOS)}},
		MessageID:       at.UTC().Format("20060102150405"), ItemName: thread,
	})
}

func lower(s string) string { return strings.ToLower(s) }
