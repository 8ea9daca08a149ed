package access

import (
	_ "embed"
	"encoding/csv"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/casbin/casbin/v2"
	"github.com/casbin/casbin/v2/model"
)

//go:embed model.conf
var modelText string

//go:embed policy.csv
var policyText string

// reach is on which rows a permission holds: what a policy line says of a
// principal once its flags are known.
type reach struct {
	allowed      bool
	assigned     bool // assigned tenants alone
	organization bool // rows that belong to no tenant
	sensitive    bool
	paused       bool
	unpublished  bool
}

// everything is what Cairn itself reaches.
var everything = reach{allowed: true, organization: true, sensitive: true, paused: true, unpublished: true}

// policy answers from the embedded table. Its answers depend on role, flags and
// permission alone, of which there are few: each is asked of Casbin once.
type policy struct {
	enforcer *casbin.Enforcer
	mu       sync.Mutex // an enforcer is not safe for use by many
	known    sync.Map   // question → reach
}

type question struct {
	role       Role
	flags      string
	permission Permission
}

// embedded is the policy Cairn runs with.
var embedded = sync.OnceValue(func() *policy {
	p, err := newPolicy(policyText)
	if err != nil {
		panic("access: the embedded policy: " + err.Error()) // it can't be built wrong: the tests read it
	}
	return p
})

// newPolicy reads a policy of the form of policy.csv.
func newPolicy(text string) (*policy, error) {
	m, err := model.NewModelFromString(modelText)
	if err != nil {
		return nil, fmt.Errorf("read the model: %w", err)
	}
	e, err := casbin.NewEnforcer(m)
	if err != nil {
		return nil, fmt.Errorf("make the enforcer: %w", err)
	}
	e.AddFunction("has", func(args ...any) (any, error) {
		flags, _ := args[0].(string)
		flag, _ := args[1].(string)
		return slices.Contains(strings.Fields(flags), flag), nil
	})
	lines, err := policyLines(text)
	if err != nil {
		return nil, err
	}
	if _, err := e.AddPolicies(lines); err != nil {
		return nil, fmt.Errorf("read the policy: %w", err)
	}
	return &policy{enforcer: e}, nil
}

// The columns of a policy line (model.conf).
const (
	columnRole = iota
	columnPermission
	columnNeeds
	columnUnless
	columnTenants
	columnSensitive
	columnPaused
	columnUnpublished
	columns
)

// policyLines reads the table and refuses what no line may say: a typing error
// must not close or open anything silently.
func policyLines(text string) ([][]string, error) {
	r := csv.NewReader(strings.NewReader(text))
	r.Comment, r.TrimLeadingSpace = '#', true
	r.FieldsPerRecord = columns + 1
	all, err := r.ReadAll()
	if err != nil {
		return nil, fmt.Errorf("read the policy: %w", err)
	}
	var lines [][]string
	seen := map[string]bool{}
	for _, record := range all {
		line := make([]string, columns)
		for i, v := range record[1:] {
			line[i] = strings.TrimSpace(v)
		}
		if err := checkLine(line); err != nil {
			return nil, err
		}
		key := line[columnRole] + " " + line[columnPermission]
		if seen[key] {
			return nil, fmt.Errorf("policy: %s has two lines", key)
		}
		seen[key] = true
		lines = append(lines, line)
	}
	return lines, nil
}

func checkLine(line []string) error {
	isFlag := func(s string) bool { return slices.Contains(Flags(), Flag(s)) }
	one := func(s string, of ...string) bool { return slices.Contains(of, s) }
	checks := []bool{
		columnRole:       slices.Contains(Roles(), Role(line[columnRole])),
		columnPermission: slices.Contains(Permissions(), Permission(line[columnPermission])),
		columnNeeds:      one(line[columnNeeds], "-") || isFlag(line[columnNeeds]),
		columnUnless:     one(line[columnUnless], "-") || isFlag(line[columnUnless]),
		columnTenants:    one(line[columnTenants], "all", "assigned", "none"),
		columnSensitive:  one(line[columnSensitive], "yes", "no", "-") || isFlag(line[columnSensitive]),
		columnPaused:     one(line[columnPaused], "yes", "no", "-") || isFlag(line[columnPaused]),
		columnUnpublished: one(line[columnUnpublished], "yes", "no", "-") ||
			isFlag(strings.TrimPrefix(line[columnUnpublished], "unless ")),
	}
	for i, ok := range checks {
		if !ok {
			return fmt.Errorf("policy: line %s: %q can't stand in column %d", strings.Join(line, ", "), line[i], i+1)
		}
	}
	return nil
}

// reach says whether and on which rows the principal has the permission.
func (p *policy) reach(who Principal, permission Permission) reach {
	if who.Kind == PrincipalSystem {
		return everything
	}
	readOnlyKey := who.Kind == PrincipalAPIKey && who.Has(FlagReadOnly)
	if readOnlyKey && permission.Writes() || who.AssignedOnly && permission.aboutOrganization() {
		return reach{}
	}
	r := p.ofRole(who, permission)
	if who.AssignedOnly {
		r.assigned, r.organization = true, false
	}
	return r
}

func (p *policy) ofRole(who Principal, permission Permission) reach {
	var flags []string
	for _, f := range Flags() {
		if who.Has(f) {
			flags = append(flags, string(f))
		}
	}
	q := question{who.Role, strings.Join(flags, " "), permission}
	if r, ok := p.known.Load(q); ok {
		return r.(reach) //nolint:forcetypeassert // it holds nothing else
	}
	r := p.ask(q)
	p.known.Store(q, r)
	return r
}

func (p *policy) ask(q question) reach {
	p.mu.Lock()
	defer p.mu.Unlock()
	allowed, line, err := p.enforcer.EnforceEx(string(q.role), q.flags, string(q.permission))
	if err != nil || !allowed || len(line) != columns { // a request has three texts: nothing can fail
		return reach{}
	}
	has := func(flag string) bool { return slices.Contains(strings.Fields(q.flags), flag) }
	opens := func(cell string) bool {
		if hides, ok := strings.CutPrefix(cell, "unless "); ok {
			return !has(hides)
		}
		return cell == "yes" || has(cell)
	}
	return reach{
		allowed: true, assigned: line[columnTenants] == "assigned", organization: line[columnTenants] != "assigned",
		sensitive: opens(line[columnSensitive]), paused: opens(line[columnPaused]), unpublished: opens(line[columnUnpublished]),
	}
}

// May says whether the scope's principal has the permission somewhere. On which
// rows, Rows says.
func (s Scope) May(p Permission) bool { return embedded().reach(s.Principal, p).allowed }

// Permissions are those the scope's principal has somewhere.
func (s Scope) Permissions() []Permission {
	return slices.DeleteFunc(Permissions(), func(p Permission) bool { return !s.May(p) })
}
