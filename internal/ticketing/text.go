package ticketing

import (
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/cairn-itdr/cairn/ent"
	"github.com/cairn-itdr/cairn/integrations/psa"
	"github.com/cairn-itdr/cairn/internal/literal"
)

// Texts of tickets hold what attackers wrote: names of rules, addresses,
// agents. Such text stands there literally and can be clicked nowhere.

// titleOf is the incident's title, cut to what the PSA takes. The number comes
// first, so that no cut loses it.
func titleOf(i *ent.Incident, d psa.Description) string {
	title := fmt.Sprintf("[%s] Incident #%d: %s", i.Severity, i.Number, literal.Text(i.Title))
	return cut(title, d.TitleLimit)
}

// description is a new ticket's first text: all that is known by now, or, where
// the company's people can't be kept from reading it, that there is something.
func (v *visit) description(d psa.Description) string {
	tail := fmt.Sprintf("Incident id: %s\n[cairn %s]", v.incident.ID, v.ticket.ID)
	if d.PublicDescription && !v.public() {
		text := fmt.Sprintf("Security incident #%d. What is known stands in an internal note.\n", v.incident.Number)
		return fit(text, tail, d.DescriptionLimit)
	}
	return fit(marked(v.wholeStory(), d.Markup), tail, d.DescriptionLimit)
}

// details is the note that holds what a description can't hide.
func (v *visit) details(d psa.Description, marker string) string {
	return fit(marked(v.wholeStory(), d.Markup), marker, d.NoteLimit)
}

// wholeStory is all that is known of the incident by now.
func (v *visit) wholeStory() string {
	i := v.incident
	var b strings.Builder
	line := func(name, value string) {
		if value != "" {
			fmt.Fprintf(&b, "%s: %s\n", name, literal.Text(value))
		}
	}
	line("Incident", fmt.Sprintf("#%d, %s, severity %s", i.Number, strings.ToLower(strings.ReplaceAll(string(i.Kind), "_", " ")), i.Severity))
	line("Tenant", v.tenantName())
	if i.Edges.Account != nil {
		line("Account", i.Edges.Account.Principal)
	}
	line("First act of the attacker", stamp(i.OccurredAt))
	line("Last act seen", stamp(i.LastActivityAt))
	line("Detected", stamp(i.DetectedAt))
	b.WriteString("\n" + literal.Text(i.Explanation) + "\n\n")
	if v.PublicURL != nil && !v.public() { // clients click what they see
		fmt.Fprintf(&b, "In Cairn: %s\n", v.PublicURL.JoinPath("explorer/"))
	}
	return b.String()
}

// noteOf tells an event of the incident.
func noteOf(e *ent.IncidentEvent, marker string, d psa.Description) string {
	head := strings.ToLower(strings.ReplaceAll(string(e.Kind), "_", " "))
	text := fmt.Sprintf("%s at %s, by %s\n%s\n", strings.ToUpper(head[:1])+head[1:], stamp(e.At), literal.Text(e.Principal), literal.Text(e.Text))
	return fit(marked(text, d.Markup), marker, d.NoteLimit)
}

// marked is a text that a PSA which may render Markdown shows as it is. What is
// harmless stays readable where it does not: emphasis is; links, images and HTML
// are not.
func marked(s string, markup psa.Markup) string {
	if markup != psa.MarkupMarkdown {
		return s
	}
	return hostile.Replace(s)
}

var hostile = strings.NewReplacer("](", `]\(`, "][", `]\[`, "]:", `]\:`, "![", `!\[`, "<", `\<`, "`", "\\`")

func stamp(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05 UTC") }

// fit cuts a text so that it and its tail, by which it is found again, are no
// longer than the limit.
func fit(text, tail string, limit int) string {
	const more = "\n(cut here: Cairn has the rest)\n"
	whole := text + tail
	for limit > 0 && utf8.RuneCountInString(whole) > limit && text != "" {
		excess := max(1, utf8.RuneCountInString(whole)-limit+len(more))
		text = cutRunes(text, max(0, utf8.RuneCountInString(text)-excess))
		whole = text + more + tail
	}
	return whole
}

// cut shortens a line to so many characters; 0 is no limit.
func cut(s string, limit int) string {
	if limit <= 0 || utf8.RuneCountInString(s) <= limit {
		return s
	}
	return cutRunes(s, limit-1) + "…"
}

func cutRunes(s string, n int) string {
	for i := range s {
		if n == 0 {
			return s[:i]
		}
		n--
	}
	return s
}
