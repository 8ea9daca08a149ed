package access

import "strings"

// Policy lets tests ask a policy other than the embedded one.
type Policy struct{ policy *policy }

// Embedded is the policy Cairn runs with.
func Embedded() *Policy { return &Policy{embedded()} }

// PolicyLines are the lines of the embedded table.
func PolicyLines() ([][]string, error) { return policyLines(policyText) }

// NewPolicy makes a policy of lines.
func NewPolicy(lines [][]string) (*Policy, error) {
	var b strings.Builder
	for _, l := range lines {
		b.WriteString("p, " + strings.Join(l, ", ") + "\n")
	}
	p, err := newPolicy(b.String())
	return &Policy{p}, err
}

// Allowed says whether the principal has the permission somewhere.
func (p *Policy) Allowed(who Principal, permission Permission) bool {
	return p.policy.reach(who, permission).allowed
}

// Reaches says whether it has it on a tenant's rows.
func (p *Policy) Reaches(who Principal, permission Permission, assigned, sensitive, paused bool) bool {
	r := p.policy.reach(who, permission)
	return r.allowed && (!r.assigned || assigned) && (!sensitive || r.sensitive) && (!paused || r.paused)
}

// Unpublished says whether it has it on unpublished incidents.
func (p *Policy) Unpublished(who Principal, permission Permission) bool {
	return p.policy.reach(who, permission).unpublished
}

// Join writes flags one after another.
func Join(flags []Flag) string {
	var b strings.Builder
	for _, f := range flags {
		b.WriteString(string(f) + " ")
	}
	return b.String()
}
