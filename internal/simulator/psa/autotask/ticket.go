package autotask

import (
	"fmt"
	"maps"
	"slices"
	"strconv"

	"github.com/cairn-itdr/cairn/internal/simulator/psa"
)

func (s *Server) createTicket(in psa.Record) (int, []string) {
	e := s.entity("Tickets")
	errs := s.validate(e, in, true)
	if len(errs) == 0 {
		errs = s.references(in, true)
	}
	if len(errs) > 0 {
		return 0, errs
	}
	id, now := s.nextID(), stamp(s.cfg.Now())
	row := psa.Record{"userDefinedFields": []any{}}
	for name, value := range in {
		if f := e.field(name); f != nil && !f.ReadOnly || name == "userDefinedFields" {
			row[name] = value
		}
	}
	row["id"], row["ticketNumber"] = float64(id), fmt.Sprintf("T%s.%04d", s.cfg.Now().UTC().Format("20060102"), id%10_000)
	row["createDate"], row["creatorResourceID"] = now, float64(apiUser)
	if _, ok := row["ticketCategory"]; !ok {
		row["ticketCategory"] = float64(3)
	}
	e.insert(row)
	s.settle(row, apiUser)
	s.touch(row, apiUser, "Create")
	return id, nil
}

// references checks what a ticket refers to, and what belongs together.
func (s *Server) references(in psa.Record, isNew bool) (errs []string) {
	if v, ok := in["companyID"]; ok && v != nil {
		c := s.entity("Companies").row(intOf(v))
		switch {
		case c == nil:
			errs = append(errs, "Value does not reference an existing entity for companyID .")
		case c["isActive"] != true && isNew && s.behaviour.InactiveCompanyRefused:
			errs = append(errs, "The value for companyID references an inactive entity.")
		}
	}
	if v, ok := in["billingCodeID"]; ok && v != nil && s.entity("BillingCodes").row(intOf(v)) == nil {
		errs = append(errs, "Value does not reference an existing entity for billingCodeID .")
	}
	_, queue := in["queueID"]
	resource, assigned := in["assignedResourceID"]
	if isNew && !queue && !assigned {
		errs = append(errs, "A queueID or an assignedResourceID is required.")
	}
	if _, role := in["assignedResourceRoleID"]; assigned && resource != nil && !role {
		errs = append(errs, "When assigning a Resource, you must assign both a assignedResourceID and assignedResourceRoleID.")
	}
	if sub := intOf(in["subIssueType"]); sub != 0 {
		f := s.entity("Tickets").field("subIssueType")
		i := slices.IndexFunc(f.Values, func(p pick) bool { return p.Value == strconv.Itoa(sub) })
		if i >= 0 && f.Values[i].Parent != strconv.Itoa(intOf(in["issueType"])) {
			errs = append(errs, "The subIssueType does not belong to the issueType.")
		}
	}
	if name := s.behaviour.RequiredUDF; name != "" && isNew && udf(in, name) == nil {
		errs = append(errs, "Missing required user defined field: "+name+".")
	}
	return errs
}

// patchTicket sets what was sent; null empties.
func (s *Server) patchTicket(e *entity, in psa.Record) (int, []string) {
	id := intOf(in["id"])
	row := e.row(id)
	if row == nil || e.name != "Tickets" {
		return 0, []string{"No matching records found for the id that was sent."}
	}
	errs := s.validate(e, in, false)
	if len(errs) == 0 {
		next := maps.Clone(row)
		maps.Copy(next, in)
		errs = s.references(next, false)
	}
	if len(errs) > 0 {
		return 0, errs
	}
	for name, value := range in {
		if f := e.field(name); f != nil && !f.ReadOnly && name != "id" {
			if value == nil {
				delete(row, name)
			} else {
				row[name] = value
			}
		}
	}
	s.settle(row, apiUser)
	s.touch(row, apiUser, "Update")
	return id, nil
}

// settle makes what follows from a status.
func (s *Server) settle(row psa.Record, by int) {
	_, was := row["completedDate"]
	switch is := intOf(row["status"]) == statusComplete; {
	case is && !was:
		row["completedDate"], row["completedByResourceID"] = stamp(s.cfg.Now()), float64(by)
	case !is && was:
		delete(row, "completedDate")
		delete(row, "completedByResourceID")
	}
}

// touch notes that a ticket changed, and calls out.
func (s *Server) touch(row psa.Record, by int, action string) {
	now := stamp(s.cfg.Now())
	row["lastActivityDate"], row["lastActivityResourceID"], row["lastTrackedModificationDateTime"] = now, float64(by), now
	s.callOut(row, by, action)
}
