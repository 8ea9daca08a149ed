package detect

import (
	"encoding/json"
	"fmt"
	"sort"
	"strings"

	"github.com/cairn-itdr/cairn/internal/activity"
)

// PrivilegedRole finds administrator roles given away.
type PrivilegedRole struct{}

// roleBurst roles given by one account within roleBurstSpan are loud by themselves (ROLE-ADD).
const (
	roleBurst     = 3
	roleBurstSpan = hour
)

// Describe says what the rule is.
func (PrivilegedRole) Describe() Description {
	return Description{
		ID: "privileged-role", Title: "Privileged role added",
		Behaviours: []string{"ROLE-ADD"}, Techniques: []string{"T1098.003"},
		Needs:  []activity.Source{activity.SourceUnifiedAudit, activity.SourceDirectoryAudit},
		Benign: "An eligible administrator activating their own role; Microsoft's services giving Directory Readers to each other.",
		Lowest: SeverityLow, Highest: SeverityCritical, Stage: StageHold,
	}
}

// roleRank says how much of the tenant a role opens.
type roleRank int

const (
	rankHelper  roleRank = iota + 1 // part of the users or of one service
	rankService                     // a whole service, or all users but administrators
	rankTenant                      // the tenant, or a way to it
)

// roles are the privileged roles by template id, with the display name in lower
// case (Microsoft Entra built-in roles, learn.microsoft.com).
var roles = map[string]struct {
	name string
	rank roleRank
}{
	"62e90394-69f5-4237-9190-012177145e10": {"global administrator", rankTenant},
	"e8611ab8-c189-46e8-94e1-60213ab1f814": {"privileged role administrator", rankTenant},
	"7be44c8a-adaf-4e2a-84d6-ab2649e08a13": {"privileged authentication administrator", rankTenant},
	"8ac3fc64-6eca-42ea-9e69-59f4c7b60eb2": {"hybrid identity administrator", rankTenant},
	"9b895d92-2cd3-44c7-9d02-a6ac2d5ea5c3": {"application administrator", rankTenant},
	"158c047a-c907-4556-b7ef-446551a6b5f7": {"cloud application administrator", rankTenant},
	"be2f45a1-457d-42af-a067-6ec1fa63bc45": {"external identity provider administrator", rankTenant},
	"8329153b-31d0-4727-b945-745eb3bc5f31": {"domain name administrator", rankTenant},
	"e00e864a-17c5-4a4b-9c06-f5b95a8d5bd8": {"partner tier2 support", rankTenant},
	"d29b2b05-8046-44ba-8758-1e26182fcf32": {"directory synchronization accounts", rankService},
	"9360feb5-f418-4baa-8175-e2a00bac4301": {"directory writers", rankService},
	"29232cdf-9323-42fd-ade2-1d097af3e4de": {"exchange administrator", rankService},
	"f28a1f50-f6e7-4571-818b-6a12f2af6b6c": {"sharepoint administrator", rankService},
	"194ae4cb-b126-40b2-bd5b-6091b380977d": {"security administrator", rankService},
	"fe930be7-5e62-47db-91af-98c3a49a38b1": {"user administrator", rankService},
	"c4e39bd9-1100-46d3-8c65-fb160da0071f": {"authentication administrator", rankService},
	"0526716b-113d-4c15-b2c8-68e3c22b9f80": {"authentication policy administrator", rankService},
	"b1be1c3e-b65d-4f19-8427-f6fa0d97feb9": {"conditional access administrator", rankService},
	"3a2c62db-5318-420d-8d74-23affee5d9d5": {"intune administrator", rankService},
	"69091246-20e8-4a56-aa4d-066075b2a7a8": {"teams administrator", rankService},
	"7698a772-787b-4ac8-901f-60d6b08affd2": {"cloud device administrator", rankService},
	"17315797-102d-40b4-93e0-432062caca18": {"compliance administrator", rankService},
	"729827e3-9c14-49f7-bb1b-9608f156bbb8": {"helpdesk administrator", rankHelper},
	"966707d0-3269-4727-9be2-8c3a10f19b9d": {"password administrator", rankHelper},
	"b0f54661-2d74-4c50-afa3-1ec803f12efe": {"billing administrator", rankHelper},
	"fdd7a751-b60b-444a-984c-02652fe8fa1c": {"groups administrator", rankHelper},
	"f023fd81-a637-4b56-95fd-791ac0226033": {"service support administrator", rankHelper},
	"f2ef992c-3afb-46b9-b7cf-a126ee74c451": {"global reader", rankHelper},
	"5d6b6bb7-de71-4623-b4af-96380a352509": {"security reader", rankHelper},
	"4ba39ca4-527c-499a-b93d-d9b492c50246": {"partner tier1 support", rankService},
}

// roleAliases are the names older records use.
var roleAliases = map[string]string{
	"company administrator": "global administrator", "tenantadmins": "global administrator",
	"exchange service administrator": "exchange administrator", "sharepoint service administrator": "sharepoint administrator",
	"user account administrator": "user administrator", "azure ad joined device local administrator": "cloud device administrator",
	"intune service administrator": "intune administrator", "teams service administrator": "teams administrator",
	"password administrator (helpdesk)": "helpdesk administrator", "cloud app administrator": "cloud application administrator",
}

// rankOf finds a role by display name or template id; 0 for what is no privileged role.
func rankOf(name, template string) (string, roleRank) {
	if r, ok := roles[strings.ToLower(template)]; ok {
		return r.name, r.rank
	}
	name = strings.ToLower(strings.TrimSpace(name))
	if alias, ok := roleAliases[name]; ok {
		name = alias
	}
	for _, r := range roles {
		if r.name == name {
			return r.name, r.rank
		}
	}
	return "", 0
}

// Operations that give a role, canonical.
const (
	opAddMember     = "Add member to role"
	opActivation    = "Add member to role completed (PIM activation)"
	opEligible      = "Add eligible member to role"
	opPIMPermanent  = "Add member to role in PIM completed (permanent)"
	opPIMTimebound  = "Add member to role in PIM completed (timebound)"
	opPIMEligible   = "Add eligible member to role in PIM completed (permanent)"
	opPIMEligibleTB = "Add eligible member to role in PIM completed (timebound)"
	opOutsidePIM    = "Add member to role outside of PIM (permanent)"
)

func (PrivilegedRole) operations() []string {
	return []string{opAddMember, opActivation, opEligible, opPIMPermanent, opPIMTimebound, opPIMEligible, opPIMEligibleTB, opOutsidePIM}
}

// unquoted reads a value of ModifiedProperties, which directory records write as JSON inside text.
func unquoted(s string) string {
	var text string
	if strings.HasPrefix(s, `"`) && json.Unmarshal([]byte(s), &text) == nil {
		return strings.TrimSpace(text)
	}
	var list []string
	if strings.HasPrefix(s, "[") && json.Unmarshal([]byte(s), &list) == nil {
		return strings.TrimSpace(strings.Join(list, ";"))
	}
	return strings.TrimSpace(s)
}

func modified(a *activity.Activity, name string) string {
	m, _ := a.Modification(name)
	return unquoted(m.New)
}

func (PrivilegedRole) note(a *activity.Activity) ([]Fact, weight) {
	name, rank := rankOf(modified(a, "Role.DisplayName"), modified(a, "Role.TemplateId"))
	if rank == 0 {
		name, rank = rankOf(modified(a, "Role.WellKnownObjectName"), "")
	}
	if rank == 0 {
		name, rank = rankOf(roleTarget(a.Raw), "")
	}
	if rank == 0 {
		return nil, weightless
	}
	facts := []Fact{{Name: "role", Value: name}, {Name: "to", Value: activity.Principal(quoteless(a.Target))}}
	if a.Operation == opActivation || strings.EqualFold(a.Target, a.Actor.Principal) {
		facts = append(facts, Fact{Name: "own", Value: "true"})
	}
	if a.Operation == opActivation {
		return append(facts, Fact{Name: "activation", Value: "true"}), weightLight
	}
	return facts, map[roleRank]weight{rankHelper: weightPoor, rankService: weightBad, rankTenant: weightWorst}[rank]
}

// roleTarget reads the role's name out of a directory record that lists the role among its targets (PIM).
func roleTarget(raw []byte) string {
	type target struct {
		Type        string
		DisplayName string
	}
	var record struct{ TargetResources json.RawMessage }
	if json.Unmarshal(raw, &record) != nil {
		return ""
	}
	data := []byte(record.TargetResources)
	var text string
	if json.Unmarshal(data, &text) == nil { // Log Analytics: JSON inside text
		data = []byte(text)
	}
	var targets []target
	if json.Unmarshal(data, &targets) != nil {
		return ""
	}
	for _, t := range targets {
		if strings.EqualFold(t.Type, "Role") {
			return t.DisplayName
		}
	}
	return ""
}

// rankByName returns the rank of a canonical role name.
func rankByName(name string) roleRank {
	_, rank := rankOf(name, "")
	return rank
}

func (rule PrivilegedRole) judgeAccount(v *accountView) ([]Finding, error) {
	id := rule.Describe().ID
	type grant struct {
		to  string
		day int
		own bool
	}
	groups := make(map[grant][]*Mark)
	var order []grant
	marks := v.marks(id)
	spans := spansOf(marks)
	for _, m := range marks {
		g := grant{m.Fact("to"), m.At.day(), m.Fact("activation") != ""}
		if groups[g] == nil {
			order = append(order, g)
		}
		groups[g] = append(groups[g], m)
	}
	var found []Finding
	for _, g := range order {
		f, err := rule.finding(v, groups[g], spans)
		if err != nil {
			return nil, err
		}
		if f.Severity == "" {
			continue
		}
		kind := "granted"
		if g.own {
			kind = "activated"
		}
		f.Key = fmt.Sprintf("%s|%s|%s|%d|%s", id, v.account, g.to, g.day, kind)
		found = append(found, f)
	}
	return found, nil
}

func (rule PrivilegedRole) finding(v *accountView, marks []*Mark, spans []roleSpan) (Finding, error) {
	first, last := marks[0], marks[len(marks)-1]
	f := Finding{
		Rule: rule.Describe().ID, Stage: StageHold, AccountID: v.account, Targets: []string{first.Fact("to")},
		OccurredAt: first.At.time(), LastAt: last.At.time(), Confidence: ConfidenceMedium,
	}
	best := roleRank(0)
	names := make(map[string]bool)
	entry := ""
	for _, m := range marks {
		f.evidence(m)
		names[m.Fact("role")] = true
		best = max(best, rankByName(m.Fact("role")))
		links, err := v.links(m)
		if err != nil {
			return f, err
		}
		f.Links = append(f.Links, links...)
		if entry == "" {
			if entry, err = v.entryNear(m); err != nil {
				return f, err
			}
		}
	}
	switch best {
	case rankTenant:
		f.Severity = SeverityHigh
	case rankService:
		f.Severity = SeverityMedium
	default:
		f.Severity = SeverityLow
	}
	own := first.Fact("activation") != ""
	if own {
		f.Severity, f.Confidence = SeverityLow, ConfidenceLow
		if entry == "" {
			return Finding{}, nil // an eligible person at work
		}
		f.Severity = SeverityMedium // raised below
	}
	burst := burstOf(spans, first.At, last.At)
	if burst >= roleBurst && !own {
		f.Severity, f.Confidence = f.Severity.raise(), ConfidenceHigh
	}
	if entry != "" {
		f.Severity, f.Confidence = f.Severity.raise(), ConfidenceHigh
	}
	if entry == "" && burst < roleBurst && first.Fact("own") == "" && v.history(first.At) > 0 {
		f.Confidence = ConfidenceLow
	}
	list := make([]string, 0, len(names))
	for n := range names {
		list = append(list, n)
	}
	sort.Strings(list)
	verb := "gave"
	if own {
		verb = "activated for"
	}
	f.Explanation = fmt.Sprintf("On %s the account %s %s the role %s%s.", when(first.At), verb, quoted(first.Fact("to")),
		strings.Join(list, ", "), v.from(first))
	if burst >= roleBurst {
		f.Explanation += fmt.Sprintf(" It gave %d privileged roles within an hour.", burst)
	}
	if entry != "" {
		f.Explanation += " It came " + entry + "."
	}
	return f, nil
}

// roleSpan is roleBurstSpan from one grant on.
type roleSpan struct {
	from, last moment // of its first and last grant
	given      int    // roles given in it
}

// spansOf counts the roles given within roleBurstSpan of each mark.
func spansOf(marks []*Mark) []roleSpan {
	type grant struct{ to, role string } // two logs tell of one grant
	given := make(map[grant]int)
	spans := make([]roleSpan, len(marks))
	next, last := 0, moment(0)
	for i, from := range marks {
		for ; next < len(marks) && marks[next].At-from.At <= roleBurstSpan; next++ {
			if m := marks[next]; m.Fact("activation") == "" {
				given[grant{m.Fact("to"), m.Fact("role")}]++
				last = m.At
			}
		}
		spans[i] = roleSpan{from: from.At, last: max(last, from.At), given: len(given)}
		if from.Fact("activation") == "" {
			leave(given, grant{from.Fact("to"), from.Fact("role")})
		}
	}
	return spans
}

// burstOf counts the roles given in the busiest span that touches the time from first to last.
func burstOf(spans []roleSpan, first, last moment) int {
	most := 0
	for _, s := range spans {
		if s.from <= last && s.last >= first {
			most = max(most, s.given)
		}
	}
	return most
}
