package autotask

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/cairn-itdr/cairn/internal/simulator/psa"
)

// entity is a table.
type entity struct {
	name     string
	parent   string // through which it is written
	writable bool
	fields   []field
	udfs     []field
	rows     []psa.Record // by id, rising
}

// field is what the API tells of a column.
type field struct {
	Name        string `json:"name"`
	DataType    string `json:"dataType"`
	Length      int    `json:"length"`
	Required    bool   `json:"isRequired"`
	ReadOnly    bool   `json:"isReadOnly"`
	Queryable   bool   `json:"isQueryable"`
	Reference   bool   `json:"isReference"`
	Picklist    bool   `json:"isPickList"`
	Values      []pick `json:"picklistValues"`
	ParentField string `json:"picklistParentValueField,omitempty"`
	Webhook     bool   `json:"isSupportedWebhookField"`
}

// pick is a value of a picklist. The value is a text, also where the column
// holds numbers.
type pick struct {
	Value   string `json:"value"`
	Label   string `json:"label"`
	Default bool   `json:"isDefaultValue"`
	Sort    int    `json:"sortOrder"`
	Parent  string `json:"parentValue"`
	Active  bool   `json:"isActive"`
	System  bool   `json:"isSystem"`
}

// People.
const (
	technician = 100
	apiUser    = 900
)

// Values that the code refers to.
const (
	statusNew      = 1
	statusComplete = 5
)

func picks(all ...pick) []pick {
	for i := range all {
		all[i].Sort, all[i].Active = i+1, !strings.HasPrefix(all[i].Label, "Old")
	}
	return all
}

func list(name string, required bool, all ...pick) field {
	return field{Name: name, DataType: "integer", Required: required, Picklist: true, Queryable: true, Webhook: true, Values: picks(all...)}
}

func text(name string, length int, required bool) field {
	return field{Name: name, DataType: "string", Length: length, Required: required, Queryable: true}
}

func number(name string, reference bool) field {
	return field{Name: name, DataType: "integer", Queryable: true, Reference: reference}
}

// read is a column that the system fills in.
func read(name, kind string) field {
	return field{Name: name, DataType: kind, Queryable: name != "creatorType" && name != "lastActivityPersonType", ReadOnly: true}
}

// furnish makes what an MSP of the demo has.
func (s *Server) furnish() {
	tables := []*entity{
		{name: "Tickets", writable: true, fields: []field{
			read("id", "long"), read("ticketNumber", "string"), text("title", 255, true), text("description", 8000, false), text("externalID", 50, false),
			{Name: "companyID", DataType: "integer", Required: true, Queryable: true, Reference: true},
			list("queueID", false, pick{Value: "8", Label: "Service Desk"}, pick{Value: "29", Label: "Security"}, pick{Value: "30", Label: "Old queue"}),
			list("status", true, pick{Value: "1", Label: "New", System: true, Default: true}, pick{Value: "8", Label: "In Progress"},
				pick{Value: "7", Label: "Waiting Customer"}, pick{Value: "5", Label: "Complete", System: true}),
			list("priority", true, pick{Value: "4", Label: "Critical"}, pick{Value: "1", Label: "High"}, pick{Value: "2", Label: "Medium"}, pick{Value: "3", Label: "Low"}),
			list("issueType", false, pick{Value: "10", Label: "Security"}, pick{Value: "11", Label: "Email"}),
			{
				Name: "subIssueType", DataType: "integer", Picklist: true, Queryable: true, ParentField: "issueType",
				Values: picks(pick{Value: "101", Label: "Account", Parent: "10"}, pick{Value: "102", Label: "Malware", Parent: "10"}, pick{Value: "111", Label: "Rules", Parent: "11"}),
			},
			list("ticketCategory", false, pick{Value: "3", Label: "Standard", Default: true}, pick{Value: "5", Label: "Cairn (API only)"}),
			list("source", false, pick{Value: "8", Label: "Monitoring Alert"}, pick{Value: "2", Label: "Phone"}),
			number("billingCodeID", true), number("assignedResourceID", true), number("assignedResourceRoleID", true), number("contactID", true),
			{Name: "dueDateTime", DataType: "datetime", Queryable: true},
			read("createDate", "datetime"), read("creatorResourceID", "integer"), read("completedDate", "datetime"), read("completedByResourceID", "integer"),
			read("lastActivityDate", "datetime"), read("lastActivityResourceID", "integer"), read("lastTrackedModificationDateTime", "datetime"),
			read("creatorType", "integer"), read("lastActivityPersonType", "integer"),
		}, udfs: []field{{Name: "Impacted Site", DataType: "string", Length: 100}}},
		{name: "TicketNotes", parent: "Tickets", fields: []field{
			read("id", "long"),
			{Name: "ticketID", DataType: "integer", Queryable: true, Reference: true},
			text("title", 250, false), text("description", 32000, true),
			list("noteType", true, pick{Value: "1", Label: "Task Summary"}, pick{Value: "3", Label: "Task Notes"}, pick{Value: "13", Label: "Workflow Rule Note - Task", System: true}),
			list("publish", true, pick{Value: "1", Label: "All Autotask Users"}, pick{Value: "2", Label: "Internal Project Team"}),
			read("createDateTime", "datetime"), read("creatorResourceID", "integer"), read("createdByContactID", "integer"), read("lastActivityDate", "datetime"),
		}},
		{name: "TimeEntries", fields: []field{
			read("id", "long"), number("ticketID", true), number("resourceID", true), text("summaryNotes", 8000, false), text("internalNotes", 8000, false),
			{Name: "hoursWorked", DataType: "decimal"},
			read("createDateTime", "datetime"), read("lastModifiedDateTime", "datetime"),
		}},
		{name: "Companies", fields: []field{
			read("id", "long"), text("companyName", 100, true), text("companyNumber", 50, false),
			{Name: "isActive", DataType: "boolean", Queryable: true},
			text("webAddress", 255, false),
		}},
		{name: "Resources", fields: []field{
			read("id", "long"), text("userName", 32, true), text("firstName", 50, false), text("lastName", 50, false), {Name: "isActive", DataType: "boolean", Queryable: true},
		}},
		{name: "BillingCodes", fields: []field{
			read("id", "long"), text("name", 200, true), number("useType", false), {Name: "isActive", DataType: "boolean", Queryable: true},
		}},
		{name: "DeletedTicketLogs", fields: []field{
			read("id", "long"), number("ticketID", false), text("ticketNumber", 50, false), text("ticketTitle", 255, false),
			read("deletedDateTime", "datetime"), number("deletedByResourceID", true),
		}},
		{name: "TicketWebhooks", writable: true, fields: []field{
			read("id", "long"), text("name", 50, true), text("webhookUrl", 500, true), text("deactivationUrl", 500, true),
			{Name: "isActive", DataType: "boolean", Queryable: true},
			{Name: "isReady", DataType: "boolean", Queryable: true, ReadOnly: true},
		}},
		{name: "TicketWebhookFields", parent: "TicketWebhooks", fields: []field{
			list("fieldID", true, pick{Value: "1", Label: "Status"}, pick{Value: "2", Label: "Queue"}, pick{Value: "3", Label: "Priority"},
				pick{Value: "4", Label: "Title"}, pick{Value: "5", Label: "External ID"}, pick{Value: "6", Label: "Description"}),
		}},
	}
	for _, e := range tables {
		s.entities[strings.ToLower(e.name)] = e
	}
	s.entity("Resources").rows = []psa.Record{
		{"id": float64(technician), "userName": psa.Technician, "firstName": "Terry", "lastName": "Technician", "isActive": true},
		{"id": float64(apiUser), "userName": s.cfg.UserName, "firstName": "Cairn", "lastName": "API", "isActive": true},
	}
	s.entity("BillingCodes").rows = []psa.Record{
		{"id": float64(300), "name": "Remote Support", "useType": float64(1), "isActive": true},
		{"id": float64(301), "name": "Vacation", "useType": float64(3), "isActive": true},
	}
	s.AddCompany(0, "Alpine Managed Services", "")
	s.AddCompany(2, "Unknown", "")
}

func (s *Server) entity(name string) *entity { return s.entities[strings.ToLower(name)] }

func (e *entity) index(id int) (int, bool) {
	return slices.BinarySearchFunc(e.rows, id, func(r psa.Record, id int) int { return idOf(r) - id })
}

func (e *entity) row(id int) psa.Record {
	if i, ok := e.index(id); ok {
		return e.rows[i]
	}
	return nil
}

func (e *entity) field(name string) *field {
	i := slices.IndexFunc(e.fields, func(f field) bool { return strings.EqualFold(f.Name, name) })
	if i < 0 {
		return nil
	}
	return &e.fields[i]
}

func idOf(r psa.Record) int { return intOf(r["id"]) }

func intOf(v any) int {
	f, _ := v.(float64)
	return int(f)
}

// AddCompany makes a company. 0 is the MSP's own.
func (s *Server) AddCompany(id int, name, web string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.entity("Companies").insert(psa.Record{
		"id": float64(id), "companyName": name, "companyNumber": fmt.Sprintf("C%d", id), "isActive": true, "webAddress": web,
	})
}

// SetCompanyActive says whether a company is one still.
func (s *Server) SetCompanyActive(id int, active bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if row := s.entity("Companies").row(id); row != nil {
		row["isActive"] = active
	}
}

func (e *entity) insert(row psa.Record) {
	i, _ := e.index(idOf(row))
	e.rows = slices.Insert(e.rows, i, row)
}

func (s *Server) nextID() int {
	s.lastID++
	return s.lastID
}

// stamp is how the API writes times.
func stamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }

// decode reads what is to be written. A null in it is answered without a reason.
func decode(body []byte) (psa.Record, string) {
	var in psa.Record
	if err := json.Unmarshal(body, &in); err != nil || in == nil {
		return nil, "The request body could not be read."
	}
	return in, ""
}

// validate checks what is to be written against the table.
func (s *Server) validate(e *entity, in psa.Record, isNew bool) (errs []string) {
	for name, value := range in {
		f := e.field(name)
		switch {
		case name == "id", name == "userDefinedFields":
			continue
		case f == nil:
			errs = append(errs, "Unknown field "+name+".")
			continue
		case value == nil && isNew:
			return []string{"Object reference not set to an instance of an object."}
		case value == nil, f.ReadOnly:
			continue
		}
		errs = append(errs, f.check(value)...)
	}
	for _, f := range e.fields {
		if _, ok := in[f.Name]; isNew && !ok && (f.Required || e.name == "Tickets" && f.Name == s.behaviour.RequiredField) {
			errs = append(errs, "Missing required field: "+f.Name+".")
		}
	}
	slices.Sort(errs)
	return errs
}

func (f field) check(value any) []string {
	if f.DataType == "string" {
		x, ok := value.(string)
		if !ok {
			return []string{"The value for field " + f.Name + " must be a string."}
		}
		if f.Length > 0 && utf8.RuneCountInString(x) > f.Length {
			return []string{fmt.Sprintf("The value for field %s exceeds the maximum length of %d.", f.Name, f.Length)}
		}
	}
	if !f.Picklist {
		return nil
	}
	i := slices.IndexFunc(f.Values, func(p pick) bool { return p.Value == strconv.Itoa(intOf(value)) })
	switch {
	case i < 0:
		return []string{fmt.Sprintf("Value %v is not a valid picklist value for field %s.", value, f.Name)}
	case !f.Values[i].Active:
		return []string{fmt.Sprintf("Value %v is inactive for field %s.", value, f.Name)}
	}
	return nil
}
