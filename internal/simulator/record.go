package simulator

import (
	"bytes"
	"encoding/json"
	"fmt"
	"time"

	"github.com/google/uuid"
)

// Log is one of Microsoft's logs.
type Log string

// The logs the simulator writes.
const (
	UnifiedAudit Log = "unifiedAudit" // Purview: one AuditData object a record
	SignIns      Log = "signIn"       // Entra: one Graph beta signIn object a record
)

// Record is one record of a log as Microsoft would export it.
type Record struct {
	Log  Log
	ID   string // the vendor's: unique within tenant and log
	Time time.Time
	Raw  json.RawMessage // one JSON object, no line break in it
}

// scribe writes down what happens in one tenant. Its dice are those of the
// person or service it follows.
type scribe struct {
	dice

	world   *World
	tenant  *Tenant
	records []Record
}

func (w *World) scribe(t *Tenant, purpose ...string) *scribe {
	return &scribe{dice: w.dice(append([]string{t.Name}, purpose...)...), world: w, tenant: t}
}

// presence is somebody at a client in a place: what acts.
type presence struct {
	account *Account
	client  client
	place   place
	session uuid.UUID
}

// header is what every unified audit record begins with, in the order Microsoft writes it.
type header struct {
	AppAccessContext *appAccessContext `json:",omitempty"`
	CreationTime     string            // UTC, no zone letter
	ID               uuid.UUID         `json:"Id"`
	Operation        string
	OrganizationID   uuid.UUID `json:"OrganizationId"`
	RecordType       int
	ResultStatus     string `json:",omitempty"`
	UserKey          string
	UserType         int
	Version          int
	Workload         string
	ClientIP         *string `json:",omitempty"`
	ObjectID         string  `json:"ObjectId,omitempty"`
	UserID           string  `json:"UserId"`
}

type appAccessContext struct {
	AADSessionID  string `json:"AADSessionId,omitempty"`
	CorrelationID string `json:"CorrelationId,omitempty"`
	IssuedAtTime  string `json:",omitempty"`
	UniqueTokenID string `json:"UniqueTokenId"`
}

type nameValue struct{ Name, Value string }

// header begins a record; the record type says which of Microsoft's schemas follows.
func (s *scribe) header(at time.Time, workload string, recordType int, operation string) header {
	return header{
		CreationTime: at.UTC().Format("2006-01-02T15:04:05"), ID: s.uuid(), Operation: operation,
		OrganizationID: s.tenant.ID, RecordType: recordType, Version: 1, Workload: workload,
	}
}

// tokenContext is the context of the token with which a person's client acts:
// a new one each hour, all in one session.
func (s *scribe) tokenContext(at time.Time, who presence) *appAccessContext {
	issued := at.UTC().Truncate(time.Hour)
	token := s.world.dice("token", who.session.String(), issued.Format(time.RFC3339)).token()
	return &appAccessContext{
		AADSessionID: who.session.String(), IssuedAtTime: issued.Format("2006-01-02T15:04:05"), UniqueTokenID: token,
	}
}

// write appends a record and returns its id.
func (s *scribe) write(log Log, at time.Time, id uuid.UUID, record any) string {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(record); err != nil {
		panic(fmt.Sprintf("simulator: encode %T: %v", record, err)) // own structs of strings and numbers: cannot fail
	}
	s.records = append(s.records, Record{
		Log: log, ID: id.String(), Time: at.UTC().Truncate(time.Second), Raw: bytes.TrimSuffix(b.Bytes(), []byte("\n")),
	})
	return id.String()
}
