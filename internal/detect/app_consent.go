package detect

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/cairn-itdr/cairn/internal/activity"
)

// AppConsent finds consent to applications that reach far or are known as rogue.
type AppConsent struct{}

// Describe says what the rule is.
func (AppConsent) Describe() Description {
	return Description{
		ID: "app-consent", Title: "Consent to a risky or rogue application",
		Behaviours: []string{"CONSENT", "ROGUE-APP"}, Techniques: []string{"T1528"},
		Needs:  []activity.Source{activity.SourceUnifiedAudit, activity.SourceDirectoryAudit},
		Benign: "Applications that only want a sign-in (openid, profile, User.Read) are silent, and so are wide permissions without offline access unless they are for everybody. Refused consent is no compromise.",
		Lowest: SeverityMedium, Highest: SeverityCritical, Stage: StageHold,
	}
}

// Operations about consent, canonical.
const (
	opConsent    = "Consent to application"
	opGrant      = "Add delegated permission grant"
	opAssignment = "Add app role assignment grant to user"
	opPrincipal  = "Add service principal"
)

func (AppConsent) operations() []string {
	return []string{opConsent, opGrant, opAssignment, opPrincipal}
}

// wideScopes are permissions that open mail, files, the directory or chats (CONSENT), lower case.
var wideScopes = map[string]bool{
	"full_access_as_app": true, "full_access_as_user": true, "ews.accessasuser.all": true, "imap.accessasuser.all": true,
	"pop.accessasuser.all": true, "smtp.send": true, "eas.accessasuser.all": true, "user_impersonation": true,
	"user.readwrite.all": true, "group.readwrite.all": true, "rolemanagement.readwrite.directory": true,
	"approleassignment.readwrite.all": true, "application.readwrite.all": true, "directory.accessasuser.all": true,
	"contacts.readwrite": true, "notes.readwrite.all": true, "chat.readwrite": true, "chatmessage.send": true,
	"userauthenticationmethod.readwrite.all": true,
}

// widePrefixes are families of which every member is wide but the "Basic" ones.
var widePrefixes = []string{"mail.", "mailboxsettings.readwrite", "mailboxfolder.", "files.read.all", "files.readwrite", "sites.", "directory."}

func wide(scope string) bool {
	s := strings.ToLower(scope)
	if i := strings.LastIndexByte(s, '/'); i >= 0 { // https://outlook.office.com/IMAP.AccessAsUser.All
		s = s[i+1:]
	}
	if wideScopes[s] {
		return true
	}
	if strings.Contains(s, "basic") {
		return false
	}
	return slices.ContainsFunc(widePrefixes, func(p string) bool { return strings.HasPrefix(s, p) })
}

var (
	scopePattern   = regexp.MustCompile(`Scope:\s*([^\],]*)`)
	consentPattern = regexp.MustCompile(`ConsentType:\s*(\w+)`)
	clientPattern  = regexp.MustCompile(`ClientId:\s*([0-9a-fA-F-]{36})`)
	guidPattern    = regexp.MustCompile(`^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`)
)

// scopes returns the permissions granted in the record, each once, in the order named.
func scopes(a *activity.Activity) (all []string, everybody bool) {
	values := []string{modified(a, "DelegatedPermissionGrant.Scope")}
	consent := modified(a, "ConsentAction.Permissions")
	if _, granted, ok := strings.Cut(consent, "=>"); ok { // "before => after"
		consent = granted
	}
	for _, m := range scopePattern.FindAllStringSubmatch(consent, 64) {
		values = append(values, m[1])
	}
	for _, v := range values {
		for s := range strings.FieldsSeq(v) {
			if !slices.Contains(all, s) && len(all) < 64 {
				all = append(all, s)
			}
		}
	}
	for _, m := range consentPattern.FindAllStringSubmatch(consent, 64) {
		everybody = everybody || m[1] == "AllPrincipals"
	}
	everybody = everybody || strings.EqualFold(modified(a, "DelegatedPermissionGrant.ConsentType"), "AllPrincipals") ||
		isTrue(modified(a, "ConsentContext.OnBehalfOfAll"))
	return all, everybody
}

// consentApp finds the application: its id, and the id of its service principal.
func consentApp(a *activity.Activity) (app, principal string) {
	if a.Operation == opGrant { // its target is the resource, not the application
		return guidIn(modified(a, "ServicePrincipal.AppId")), guidIn(modified(a, "ServicePrincipal.ObjectID"))
	}
	app = guidIn(modified(a, "TargetId.ServicePrincipalNames"), a.Target, modified(a, "AppId"), modified(a, "AppAddress"))
	if m := clientPattern.FindStringSubmatch(modified(a, "ConsentAction.Permissions")); m != nil {
		principal = guidIn(m[1])
	}
	return app, principal
}

// noGUID stands where the directory has no id yet.
const noGUID = "00000000-0000-0000-0000-000000000000"

// guidIn returns the first GUID among texts that may join several values by ";".
func guidIn(texts ...string) string {
	for _, t := range texts {
		for part := range strings.SplitSeq(strings.ToLower(t), ";") {
			if part = strings.TrimSpace(part); guidPattern.MatchString(part) && part != noGUID {
				return part
			}
		}
	}
	return ""
}

// targetName reads the name of what was acted on out of a unified audit
// record, which lists it among the target's spellings with type 1.
func targetName(a *activity.Activity) string {
	var record struct {
		Target []struct {
			ID   string
			Type int
		}
	}
	if a.Source != activity.SourceUnifiedAudit || json.Unmarshal(a.Raw, &record) != nil {
		return ""
	}
	for _, t := range record.Target {
		if t.Type == 1 {
			return t.ID
		}
	}
	return ""
}

func (AppConsent) note(a *activity.Activity) ([]Fact, weight) {
	app, principal := consentApp(a)
	known, rogue := rogueApps[app]
	granted, everybody := scopes(a)
	var far []string
	offline := false
	for _, s := range granted {
		if wide(s) {
			far = append(far, s)
		}
		offline = offline || strings.EqualFold(s, "offline_access")
	}
	// The other records of an act are kept for the id they add, if what they
	// are about can matter: an assignment comes with every consent.
	if len(far) == 0 && !rogue && a.Operation != opAssignment || a.Operation == opPrincipal && !rogue {
		return nil, weightless
	}
	facts := []Fact{{Name: "app", Value: app}, {Name: "principal", Value: principal}, {Name: "act", Value: a.CorrelationID}}
	if name := targetName(a); name != "" && a.Operation != opGrant {
		facts = append(facts, Fact{Name: "name", Value: quoteless(name)})
	} else if a.Target != "" && a.Operation != opGrant && !guidPattern.MatchString(strings.ToLower(a.Target)) {
		facts = append(facts, Fact{Name: "name", Value: quoteless(a.Target)})
	}
	weight := weightLight
	switch {
	case known.malicious:
		weight = weightWorst
	case rogue, len(far) > 0 && (offline || everybody):
		weight = weightBad
	case len(far) > 0:
		weight = weightPoor
	}
	if len(far) > 0 {
		facts = append(facts, Fact{Name: "scopes", Value: joined(far)})
	}
	if offline {
		facts = append(facts, Fact{Name: "offline", Value: "true"})
	}
	if everybody {
		facts = append(facts, Fact{Name: "everybody", Value: "true"})
	}
	return facts, weight
}

// consent is what several marks say of one application on one day.
type consent struct {
	app, principal string
	marks          []*Mark
}

// consents joins the marks of one act, and the acts of a day on one application.
func consents(marks []*Mark) []*consent {
	// Records of one act share the correlation id; where there is none, the second.
	acts := make(map[string]*consent)
	var all []*consent
	for _, m := range marks {
		key := m.Fact("act")
		if key == "" {
			key = fmt.Sprint(m.At / (hour / 3600))
		}
		c := acts[key]
		if c == nil {
			c = &consent{}
			acts[key] = c
			all = append(all, c)
		}
		c.add(m)
	}
	for i := 0; i < len(all); i++ {
		j := i + 1
		for j < len(all) && !all[i].same(all[j]) {
			j++
		}
		if j == len(all) {
			continue
		}
		app, principal := all[i].app, all[i].principal
		for _, m := range all[j].marks {
			all[i].add(m)
		}
		all = slices.Delete(all, j, j+1)
		if app == all[i].app && principal == all[i].principal {
			i-- // there may be more of them
		} else {
			i = -1 // what was joined knows an id that may join it to one before
		}
	}
	return all
}

// same says that two acts are of one day and one application.
func (c *consent) same(o *consent) bool {
	return c.marks[0].At.day() == o.marks[0].At.day() &&
		(c.app != "" && c.app == o.app || c.principal != "" && c.principal == o.principal)
}

func (c *consent) add(m *Mark) {
	c.marks = append(c.marks, m)
	if c.app == "" {
		c.app = m.Fact("app")
	}
	if c.principal == "" {
		c.principal = m.Fact("principal")
	}
}

func (c *consent) fact(name string) string {
	for _, m := range c.marks {
		if s := m.Fact(name); s != "" {
			return s
		}
	}
	return ""
}

func (rule AppConsent) judgeAccount(v *accountView) ([]Finding, error) {
	var found []Finding
	for _, c := range consents(v.marks(rule.Describe().ID)) {
		f, ok, err := rule.finding(v, c)
		if err != nil {
			return nil, err
		}
		if ok {
			found = append(found, f)
		}
	}
	return found, nil
}

// weigh says how bad the consent is, "" for not at all.
func (c *consent) weigh(far, entry bool) (Severity, Confidence) {
	rogue, known := rogueApps[c.app]
	severity := SeverityMedium
	switch {
	case known && rogue.malicious:
		return SeverityCritical, ConfidenceHigh
	case known && entry:
		return SeverityHigh, ConfidenceHigh
	case far && c.fact("everybody") != "":
		severity = SeverityHigh
	case far && (c.fact("offline") != "" || entry || known):
	default:
		return "", ""
	}
	if entry {
		return severity.raise(), ConfidenceHigh
	}
	return severity, ConfidenceMedium
}

func (rule AppConsent) finding(v *accountView, c *consent) (Finding, bool, error) {
	id := rule.Describe().ID
	first := c.marks[0]
	var far []string
	entry := ""
	f := Finding{
		Rule: id, Stage: StageHold, AccountID: v.account,
		OccurredAt: first.At.time(), LastAt: c.marks[len(c.marks)-1].At.time(),
	}
	for _, m := range c.marks {
		f.evidence(m)
		links, err := v.links(m)
		if err != nil {
			return f, false, err
		}
		f.Links = append(f.Links, links...)
		if entry == "" {
			if entry, err = v.entryNear(m); err != nil {
				return f, false, err
			}
		}
		for s := range strings.FieldsSeq(m.Fact("scopes")) {
			if !slices.Contains(far, s) {
				far = append(far, s)
			}
		}
	}
	rogue, known := rogueApps[c.app]
	if f.Severity, f.Confidence = c.weigh(len(far) > 0, entry != ""); f.Severity == "" {
		return f, false, nil
	}
	if entry == "" && !rogue.malicious && v.history(first.At) > 0 {
		f.Confidence = ConfidenceLow // what the application does, or the session, may say more
	}
	subject := c.app
	if subject == "" {
		subject = c.principal
	}
	if subject == "" {
		subject = first.ID.String()
	}
	f.Key = fmt.Sprintf("%s|%s|%s|%d", id, v.account, subject, first.At.day())
	name := subject
	if n := c.fact("name"); n != "" {
		name = n
	}
	if known {
		name = rogue.name
	}
	f.Targets = []string{name}
	if c.app != "" && c.app != name {
		f.Targets = append(f.Targets, c.app)
	}
	whom := "for the account"
	if c.fact("everybody") != "" {
		whom = "for everybody in the tenant"
	}
	f.Explanation = fmt.Sprintf("On %s consent was given to the application %s %s%s", when(first.At), quoted(name), whom, v.from(first))
	if len(far) > 0 {
		f.Explanation += ", with " + quoteless(strings.Join(far, ", "))
		if c.fact("offline") != "" {
			f.Explanation += " also while nobody is signed in"
		}
	}
	f.Explanation += "."
	if known {
		f.Explanation += fmt.Sprintf(" Intruders like %s: %s.", rogue.name, rogue.why)
	}
	if entry != "" {
		f.Explanation += " It came " + entry + "."
	}
	return f, true, nil
}
