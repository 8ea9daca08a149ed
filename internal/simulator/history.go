package simulator

import (
	"cmp"
	"iter"
	"slices"
	"time"
)

// farthest is how far local days lie from UTC's at the most.
const farthest = 14 * time.Hour

// History is the benign life of all tenants from one moment (inclusive) to
// another (exclusive), in time order. The same moment gives the same records
// whatever the bounds, so a history may be told in pieces. Memory stays at
// about two days of records.
func (w *World) History(from, to time.Time) iter.Seq2[*Tenant, Record] {
	return func(yield func(*Tenant, Record) bool) {
		type entry struct {
			tenant *Tenant
			record Record
		}
		var pending []entry
		first := from.UTC().Add(-farthest).Truncate(24 * time.Hour)
		for date := first; date.Before(to.Add(farthest)); date = date.Add(24 * time.Hour) {
			for _, t := range w.Tenants {
				for _, r := range w.day(t, date) {
					pending = append(pending, entry{t, r})
				}
			}
			slices.SortStableFunc(pending, func(a, b entry) int { return a.record.Time.Compare(b.record.Time) })
			// What lies before the earliest moment of any tenant's next day is complete.
			complete := date.Add(24*time.Hour - farthest)
			n, _ := slices.BinarySearchFunc(pending, complete, func(e entry, at time.Time) int { return e.record.Time.Compare(at) })
			for _, e := range pending[:n] {
				if !e.record.Time.Before(from) && e.record.Time.Before(to) && !yield(e.tenant, e.record) {
					return
				}
			}
			pending = slices.Delete(pending, 0, n)
		}
		for _, e := range pending {
			if !e.record.Time.Before(from) && e.record.Time.Before(to) && !yield(e.tenant, e.record) {
				return
			}
		}
	}
}

// day writes one local calendar day of a tenant. All of it lies within that
// day, so that no record belongs to two.
func (w *World) day(t *Tenant, date time.Time) []Record {
	midnight := date.Add(-t.offset)
	var records []Record
	for _, a := range t.Accounts {
		s := w.scribe(t, "day", a.UserPrincipalName, date.Format(time.DateOnly))
		switch {
		case a.scans:
			s.scan(a, midnight)
		case a.Automation:
			s.nightlyScript(a, midnight)
		default:
			s.person(a, date)
		}
		records = append(records, s.records...)
	}
	s := w.scribe(t, "service", date.Format(time.DateOnly))
	s.housekeeping(midnight)
	records = append(records, s.records...)
	last := midnight.Add(24 * time.Hour)
	records = slices.DeleteFunc(records, func(r Record) bool { return r.Time.Before(midnight) || !r.Time.Before(last) })
	slices.SortStableFunc(records, func(a, b Record) int { return cmp.Compare(a.Time.Unix(), b.Time.Unix()) })
	return records
}

// housekeeping is what Microsoft's services do in every tenant every day.
func (s *scribe) housekeeping(midnight time.Time) {
	t := s.tenant
	at := midnight.Add(s.world.dice("housekeeping", t.Name).upTo(5 * time.Hour)).Add(s.upTo(10 * time.Minute))
	next := func() time.Time { at = at.Add(time.Second + s.upTo(3*time.Second)); return at }
	for _, plan := range []string{"ExchangeOnline", "ExchangeOnlineEnterprise", "ExchangeOnlineDeskless"} {
		id := t.hosted("/" + plan + "-" + s.world.dice("plan", t.Name, plan).uuid().String())
		s.serviceCmdlet(next(), "Set-MailboxPlan", id, nameValue{"QueryBaseDNRestrictionEnabled", "False"}, nameValue{"Identity", id})
	}
	discovery := t.hosted("/DiscoverySearchMailbox{D919BA05-46A6-415f-80AD-7E09334BB852}")
	s.serviceCmdlet(next(), "Set-Mailbox", discovery, nameValue{"Identity", discovery})
	s.serviceCmdlet(next(), "Add-MailboxPermission", discovery, nameValue{"Identity", discovery},
		nameValue{"User", t.hosted("/Discovery Management")}, nameValue{"AccessRights", "FullAccess"})
	s.serviceCmdlet(next(), "Set-TransportConfig", t.OnMicrosoftName+`\Transport Settings`,
		nameValue{"Identity", t.OnMicrosoftName}, nameValue{"HygieneSuite", "Premium"})
	s.serviceCmdlet(next(), "Set-AdminAuditLogConfig", t.OnMicrosoftName+`\Admin Audit Log Settings`,
		nameValue{"IgnoreDehydratedFlag", "True"}, nameValue{"Identity", t.hosted("")}, nameValue{"AdminAuditLogEnabled", "True"})
	s.serviceCmdlet(next(), "Set-TenantObjectVersion", t.hosted(""), nameValue{"Identity", t.hosted("")})
	if s.chance(0.1) {
		app := application{s.uuid().String(), "Microsoft Planner Client Service"}
		s.directoryService(next(), "Microsoft Azure AD Internal - Jit Provisioning", directoryAct{
			operation: "Add service principal.", category: "ServicePrincipal", object: app.id,
			target: append(entity("ServicePrincipal", s.uuid()), typedID{app.name, 1}, typedID{app.id, 2}, typedID{app.id, 4}),
			changes: []modified{
				{Name: "AccountEnabled", NewValue: "[\r\n  true\r\n]", OldValue: "[]"},
				{Name: "DisplayName", NewValue: listed(app.name), OldValue: "[]"},
				{Name: "Included Updated Properties", NewValue: "AccountEnabled, DisplayName"},
				{Name: "TargetId.ServicePrincipalNames", NewValue: app.id},
			},
		})
	}
}

// nightlyScript is an administrator's report job: always the same hour,
// address and agent.
func (s *scribe) nightlyScript(a *Account, midnight time.Time) {
	at := midnight.Add(2*time.Hour + 10*time.Minute + s.upTo(2*time.Minute))
	who := presence{account: a, client: a.laptop, place: a.home, session: s.uuid()}
	s.signIn(signIn{at: at, who: who, app: powerShell, resource: exchange, renewal: true})
	for _, p := range s.tenant.Accounts[:min(5, len(s.tenant.Accounts))] {
		at = at.Add(2 * time.Second)
		s.cmdlet(at, who, powerShell, "Set-Mailbox", p.alias(),
			nameValue{"Identity", p.ObjectID.String()}, nameValue{"AuditEnabled", "True"})
	}
}
