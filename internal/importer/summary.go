package importer

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/cairn-itdr/cairn/ent"
	"github.com/cairn-itdr/cairn/internal/activity"
	"github.com/cairn-itdr/cairn/internal/intake"
	"github.com/cairn-itdr/cairn/internal/tenant"
)

// maxRejections is how many rejected records a summary describes; all are counted.
const maxRejections = 1000

// Summary says what an import did. Its JSON form is for programs.
type Summary struct {
	TenantID          string         `json:"tenantId,omitempty"` // empty: nothing was taken, and the tenant not made
	Tenant            string         `json:"tenant"`
	MicrosoftTenantID string         `json:"microsoftTenantId,omitempty"`
	Bound             bool           `json:"bound"`             // to that directory, by this import
	Unbound           string         `json:"unbound,omitempty"` // why the tenant was bound to no directory
	Read              int            `json:"read"`
	New               int            `json:"new"`
	Known             int            `json:"known"`
	Changed           int            `json:"changed"`
	Skipped           map[string]int `json:"skipped"` // recognised and not wanted, by reason
	Rejected          int            `json:"rejected"`
	Foreign           int            `json:"foreign"` // of the rejected: of another Microsoft tenant
	Rejections        []Rejection    `json:"rejections"`
	Refused           []Refusal      `json:"refused"` // whole files, or the rest of one
	From              *time.Time     `json:"from,omitempty"`
	To                *time.Time     `json:"to,omitempty"`
	Findings          map[string]int `json:"findings"` // new ones, by rule
	Superseded        int            `json:"superseded"`
	Opened            []string       `json:"incidentsOpened"`
	Joined            []string       `json:"incidentsJoined"`
}

// Rejection is a record that was not taken.
type Rejection struct {
	File   string `json:"file"`
	Line   int    `json:"line"`
	Reason string `json:"reason"`
}

// Refusal is a file that was not taken, or not to its end.
type Refusal struct {
	File   string `json:"file"`
	Reason string `json:"reason"`
}

func newSummary(t *ent.Tenant) Summary {
	return Summary{
		Tenant: t.Name, Skipped: map[string]int{}, Rejections: []Rejection{}, Refused: []Refusal{},
		Findings: map[string]int{}, Opened: []string{}, Joined: []string{},
	}
}

// settle says where the records went: into a tenant that is stored by now, or
// nowhere.
func (s *Summary) settle(t *ent.Tenant) {
	if !tenant.Stored(t) {
		s.Unbound = ""
		return
	}
	s.TenantID, s.Tenant = t.ID, t.Name
	if t.MicrosoftTenantID != nil {
		s.MicrosoftTenantID = *t.MicrosoftTenantID
	}
}

func (s *Summary) refuse(file, reason string) {
	s.Refused = append(s.Refused, Refusal{File: file, Reason: reason})
}

func (s *Summary) reject(file string, rejected []rejection) {
	slices.SortStableFunc(rejected, func(x, y rejection) int { return x.line - y.line })
	s.Rejected += len(rejected)
	for _, r := range rejected {
		if r.foreign {
			s.Foreign++
		}
		if len(s.Rejections) < maxRejections {
			s.Rejections = append(s.Rejections, Rejection{File: file, Line: r.line, Reason: r.reason})
		}
	}
}

func (s *Summary) add(batch []*activity.Activity, r intake.Result) {
	s.New += r.New
	s.Changed += r.Changed
	s.Known += r.Known
	for _, a := range batch {
		at := a.OccurredAt
		if s.From == nil || at.Before(*s.From) {
			s.From = &at
		}
		if s.To == nil || at.After(*s.To) {
			s.To = &at
		}
	}
	for rule, n := range r.Incidents.NewFindings {
		s.Findings[rule] += n
	}
	s.Superseded += r.Incidents.Superseded
	for _, id := range r.Incidents.Opened {
		s.Opened = appendNew(s.Opened, id)
	}
	for _, id := range r.Incidents.Joined {
		if !slices.Contains(s.Opened, id) {
			s.Joined = appendNew(s.Joined, id)
		}
	}
}

func appendNew(list []string, s string) []string {
	if slices.Contains(list, s) {
		return list
	}
	return append(list, s)
}

// shownRejections is how many rejections the text form lists.
const shownRejections = 20

// WriteText writes the summary for a person.
func (s *Summary) WriteText(w io.Writer) error {
	var b strings.Builder
	b.WriteString("Tenant " + oneLine(s.Tenant))
	if s.TenantID == "" {
		b.WriteString(" was not made: there was no record to take")
	} else {
		fmt.Fprintf(&b, " (%s)", s.TenantID)
	}
	switch {
	case s.Bound:
		fmt.Fprintf(&b, ", now bound to the Microsoft tenant %s", s.MicrosoftTenantID)
	case s.MicrosoftTenantID != "":
		fmt.Fprintf(&b, ", Microsoft tenant %s", s.MicrosoftTenantID)
	case s.Unbound != "":
		fmt.Fprintf(&b, ", bound to no Microsoft tenant: %s", oneLine(s.Unbound))
	}
	fmt.Fprintf(&b, "\n\n%8d read\n%8d new\n%8d already known\n%8d changed\n", s.Read, s.New, s.Known, s.Changed)
	for _, reason := range slices.Sorted(maps.Keys(s.Skipped)) {
		fmt.Fprintf(&b, "%8d skipped: %s\n", s.Skipped[reason], oneLine(reason))
	}
	fmt.Fprintf(&b, "%8d rejected\n", s.Rejected)
	for i, r := range s.Rejections {
		if i == shownRejections {
			fmt.Fprintf(&b, "         … and %d more (--json lists up to %d)\n", s.Rejected-shownRejections, maxRejections)
			break
		}
		fmt.Fprintf(&b, "         %s:%d: %s\n", oneLine(r.File), r.Line, oneLine(r.Reason))
	}
	if s.Foreign > 0 {
		fmt.Fprintf(&b, "         --accept-foreign takes records of other Microsoft tenants, here %d, as this tenant's own\n", s.Foreign)
	}
	if s.From != nil {
		fmt.Fprintf(&b, "\nFrom %s to %s\n", s.From.Format(time.RFC3339), s.To.Format(time.RFC3339))
	}
	if len(s.Findings) > 0 {
		b.WriteString("\nFindings\n")
		for _, rule := range slices.Sorted(maps.Keys(s.Findings)) {
			fmt.Fprintf(&b, "%8d %s\n", s.Findings[rule], rule)
		}
	}
	if s.Superseded > 0 {
		fmt.Fprintf(&b, "%8d earlier findings superseded\n", s.Superseded)
	}
	fmt.Fprintf(&b, "\nIncidents: %d opened, %d joined\n", len(s.Opened), len(s.Joined))
	for _, r := range s.Refused {
		fmt.Fprintf(&b, "\nREFUSED %s: %s\n", oneLine(r.File), oneLine(r.Reason))
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// oneLine keeps text from outside, a file's name above all, from being taken
// for a line of ours: where it holds what is no character to look at, that is
// written as in Go source (\n, \x1b, \u202e).
func oneLine(s string) string {
	graphic := func(r rune) bool { return unicode.IsGraphic(r) && r != unicode.ReplacementChar }
	if !strings.ContainsFunc(s, func(r rune) bool { return !graphic(r) }) {
		return s
	}
	quoted := strconv.QuoteToGraphic(s)
	return strings.ReplaceAll(quoted[1:len(quoted)-1], `\"`, `"`)
}
