package ticketing

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cairn-itdr/cairn/ent"
	"github.com/cairn-itdr/cairn/ent/incident"
	"github.com/cairn-itdr/cairn/ent/incidentevent"
	"github.com/cairn-itdr/cairn/ent/ticket"
	"github.com/cairn-itdr/cairn/ent/ticketstep"
	"github.com/cairn-itdr/cairn/integrations/psa"
	"github.com/cairn-itdr/cairn/internal/detect"
)

var now = time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)

// ago is a moment before now.
func ago(d time.Duration) time.Time { return now.Add(-d) }

// kept are the facts of a ticket that is in step; change makes it another.
func kept(change ...func(f *facts)) facts {
	x := psa.Ticket{
		ID: "5", CompanyID: "77", Title: "title", ChangedBy: psa.Author{Kind: psa.AuthorOurs}, ChangedAt: ago(time.Hour),
		Settings: map[psa.Setting]psa.Choice{psa.SettingStatus: {ID: "new"}, psa.SettingBoard: {ID: "2"}, psa.SettingPriority: {ID: "6"}},
	}
	f := facts{
		ticket: &ent.Ticket{
			ID: "ticket_1", State: ticket.StateSynced, ExternalID: "5", ExternalStatusID: "new", ExternalBoardID: "2", CompanyID: "77",
			OpenedRevision: 1, SyncedRevision: 1, PushedTitle: "title", PushedSeverity: "HIGH",
		},
		incident: &ent.Incident{Status: incident.StatusOpen, Severity: detect.SeverityHigh, Revision: 1},
		seen:     seen{ticket: &x, at: now}, pace: StandardPace, now: now,
		want: wanted{title: "title", priority: "6", closed: "closed", reopened: "new"},
	}
	for _, c := range change {
		c(&f)
	}
	return f
}

// fresh are the facts of a ticket that is not made yet, and was looked for.
func fresh(change ...func(f *facts)) facts {
	return kept(append([]func(f *facts){func(f *facts) {
		f.ticket = &ent.Ticket{ID: "ticket_1", State: ticket.StatePending}
		f.seen = seen{searched: now}
	}}, change...)...)
}

func made(kind ticketstep.Kind, outcome ticketstep.Outcome, ended time.Duration, change ...func(s *ent.TicketStep)) func(f *facts) {
	return func(f *facts) {
		end := ago(ended)
		s := &ent.TicketStep{Kind: kind, Outcome: outcome, BeganAt: ago(ended + time.Second), EndedAt: &end, Severity: "HIGH", Title: "title"}
		for _, c := range change {
			c(s)
		}
		f.steps = append(f.steps, s)
	}
}

// cut has a step's end not be written.
func cutShort(s *ent.TicketStep) { s.EndedAt = nil }

func of(sequence int) func(s *ent.TicketStep) {
	return func(s *ent.TicketStep) { s.Sequence = sequence }
}

func closing(s *ent.TicketStep) { s.Closed = true }

func notes(sequences ...int) func(f *facts) {
	return func(f *facts) {
		for _, n := range sequences {
			f.notes = append(f.notes, noteText{sequence: n, kind: incidentevent.KindFindingAdded, marker: string(rune('a' + n))})
			f.incident.Revision = max(f.incident.Revision, n)
		}
	}
}

func status(s incident.Status) func(f *facts) { return func(f *facts) { f.incident.Status = s } }

// closedBy has somebody have closed the ticket, as its row knows.
func closedBy(known bool) func(f *facts) {
	return func(f *facts) {
		f.seen.ticket.Closed, f.ticket.ExternalClosed = true, known
		f.seen.ticket.Settings[psa.SettingStatus] = psa.Choice{ID: "closed"}
		if known {
			f.ticket.ExternalStatusID, f.ticket.ClosedRevision = "closed", f.ticket.SyncedRevision
		}
	}
}

func unread(f *facts) { f.seen = seen{} }

func foundOne(x psa.Ticket) func(f *facts) {
	return func(f *facts) { f.seen.found = append(f.seen.found, x) }
}

const (
	ten = 10 * time.Second // Settle
	two = 2 * time.Minute  // Verify
)

func TestPlan(t *testing.T) {
	t.Parallel()
	const (
		create = ticketstep.KindCreate
		note   = ticketstep.KindNote
		update = ticketstep.KindUpdate

		unclear = ticketstep.OutcomeUnclear
		begun   = ticketstep.OutcomeBegun
		done    = ticketstep.OutcomeDone
	)
	const none = "The incident has turned out to be none before its ticket was made: there is none to make."
	for name, c := range map[string]struct {
		facts facts
		do    action
		until time.Duration // from now; 0 where none
		id    string        // of the ticket the step is about
		note  int
		why   string
	}{
		// Not made yet.
		"looks before it creates":               {facts: fresh(unread), do: actSearch},
		"creates":                               {facts: fresh(), do: actCreate},
		"adopts what is there":                  {facts: fresh(foundOne(psa.Ticket{ID: "9"})), do: actAdopt, id: "9"},
		"adopts the oldest that is open":        {facts: fresh(foundOne(psa.Ticket{ID: "8", Closed: true}), foundOne(psa.Ticket{ID: "9"}), foundOne(psa.Ticket{ID: "10"})), do: actAdopt, id: "9"},
		"waits for a person":                    {facts: fresh(func(f *facts) { f.want.waits = "map it" }), do: actWait, why: "map it"},
		"waits for a person, and looks after":   {facts: fresh(func(f *facts) { f.want.waits = "map it" }, made(create, unclear, 4*time.Second)), do: actWait, why: "map it", until: 6 * time.Second},
		"an unclear call may come yet":          {facts: fresh(made(create, unclear, 4*time.Second)), do: actLater, until: 6 * time.Second},
		"one cut short counts from its longest": {facts: fresh(made(create, begun, 4*time.Second, cutShort)), do: actLater, until: 35 * time.Second},
		"looks again when it shows":             {facts: fresh(made(create, unclear, ten), func(f *facts) { f.seen.searched = ago(time.Second) }), do: actSearch},
		"creates again when it did not come":    {facts: fresh(made(create, unclear, ten)), do: actCreate},
		"one refused is not waited for":         {facts: fresh(made(create, ticketstep.OutcomeNotDone, 0)), do: actCreate},
		"superseded needs none":                 {facts: fresh(status(incident.StatusSuperseded)), do: actCancel, why: none},
		"false alarms need none":                {facts: fresh(status(incident.StatusFalsePositive)), do: actCancel, why: none},
		"remediated ones get one":               {facts: fresh(status(incident.StatusRemediated)), do: actCreate},
		"superseded, and one may come yet":      {facts: fresh(status(incident.StatusSuperseded), made(create, unclear, ten)), do: actLater, until: two - ten},
		"superseded, and it has come":           {facts: fresh(status(incident.StatusSuperseded), foundOne(psa.Ticket{ID: "9"})), do: actAdopt, id: "9"},
		"cancelled is done":                     {facts: fresh(status(incident.StatusSuperseded), func(f *facts) { f.ticket.State = ticket.StateCancelled }), do: actDone},

		// There.
		"in step":            {facts: kept(), do: actDone},
		"deleted is done":    {facts: kept(func(f *facts) { f.ticket.State = ticket.StateDeleted; f.seen = seen{gone: true} }), do: actDone},
		"reads first":        {facts: kept(unread), do: actRead},
		"gone":               {facts: kept(func(f *facts) { f.seen = seen{gone: true} }), do: actGone},
		"merged":             {facts: kept(func(f *facts) { f.seen.ticket.MergedIn = "7" }), do: actFollow, id: "5"},
		"another status":     {facts: kept(func(f *facts) { f.seen.ticket.Settings[psa.SettingStatus] = psa.Choice{ID: "waiting"} }), do: actObserve, id: "5"},
		"another company":    {facts: kept(func(f *facts) { f.seen.ticket.CompanyID = "78" }), do: actObserve, id: "5"},
		"another board":      {facts: kept(func(f *facts) { f.seen.ticket.Settings[psa.SettingBoard] = psa.Choice{ID: "3"} }), do: actObserve, id: "5"},
		"closed by somebody": {facts: kept(closedBy(false)), do: actObserve, id: "5"},
		"closed, and known":  {facts: kept(closedBy(true)), do: actDone},
		"somebody wrote":     {facts: kept(func(f *facts) { f.seen.ticket.ChangedBy.Kind = psa.AuthorStaff }), do: actNotes},
		"and it is kept":     {facts: kept(func(f *facts) { f.seen.ticket.ChangedBy.Kind = psa.AuthorStaff; f.seen.read = now }), do: actReplies},
		"and that was read": {facts: kept(func(f *facts) {
			f.seen.ticket.ChangedBy.Kind = psa.AuthorStaff
			at := ago(time.Hour)
			f.ticket.NotesAsOf = &at
		}), do: actDone},
		"a change may come late": {facts: kept(made(update, unclear, 4*time.Second)), do: actLater, until: 6 * time.Second},
		"and then it is read":    {facts: kept(made(update, unclear, ten), func(f *facts) { f.seen.at = ago(time.Second) }), do: actRead},
		"and then it is settled": {facts: kept(made(update, unclear, ten)), do: actTold},

		// Duplicates.
		"looks for the last time later": {facts: kept(made(create, unclear, ten)), do: actDone, until: two - ten},
		"looks for the last time":       {facts: kept(made(create, unclear, two)), do: actSearch},
		"closes the other":              {facts: kept(made(create, unclear, two), func(f *facts) { f.seen.searched = now }, foundOne(psa.Ticket{ID: "5"}), foundOne(psa.Ticket{ID: "6"})), do: actDuplicate, id: "6"},
		"there is no other":             {facts: kept(made(create, unclear, two), func(f *facts) { f.seen.searched = now }, foundOne(psa.Ticket{ID: "5"}), foundOne(psa.Ticket{ID: "6", Closed: true})), do: actSettle},
		"a poll saw another":            {facts: kept(func(f *facts) { f.ticket.Doubled = true }), do: actSearch},

		// Notes.
		"notes in order":             {facts: kept(notes(2, 3)), do: actNote, note: 2},
		"the next note":              {facts: kept(notes(2, 3), made(note, done, 0, of(2))), do: actNote, note: 3},
		"all noted":                  {facts: kept(notes(2, 3), made(note, done, 0, of(2)), made(note, done, 0, of(3))), do: actDone},
		"is the note there?":         {facts: kept(notes(2), made(note, unclear, ten, of(2))), do: actNotes},
		"it is":                      {facts: kept(notes(2), made(note, unclear, 0, of(2)), func(f *facts) { f.seen.read = now; f.seen.notes = []psa.Note{{Text: "because c"}} }), do: actNoted, note: 2},
		"it may come yet":            {facts: kept(notes(2, 3), made(note, unclear, 4*time.Second, of(2)), func(f *facts) { f.seen.read = now }), do: actLater, until: 6 * time.Second},
		"it was read too early":      {facts: kept(notes(2), made(note, unclear, ten, of(2)), func(f *facts) { f.seen.read = ago(time.Second) }), do: actNotes},
		"it did not come":            {facts: kept(notes(2), made(note, unclear, ten, of(2)), func(f *facts) { f.seen.read = now }), do: actNote, note: 2},
		"one killed while noting":    {facts: kept(notes(2), made(note, begun, 40*time.Second, of(2), cutShort), func(f *facts) { f.seen.read = now }), do: actNote, note: 2},
		"notes to somebody's ticket": {facts: kept(notes(2), func(f *facts) { f.ticket.Merged = true }), do: actNote, note: 2},
		"and nothing else":           {facts: kept(status(incident.StatusRemediated), func(f *facts) { f.ticket.Merged = true; f.want.title = "other" }), do: actDone},

		// Changes.
		"another title":              {facts: kept(func(f *facts) { f.want.title = "other" }), do: actUpdate, why: "title"},
		"somebody's title stays":     {facts: kept(func(f *facts) { f.seen.ticket.Title = "theirs" }), do: actDone},
		"another severity":           {facts: kept(func(f *facts) { f.incident.Severity = detect.SeverityCritical; f.want.priority = "4" }), do: actUpdate, why: "priority for critical"},
		"that has no priority":       {facts: kept(func(f *facts) { f.incident.Severity = detect.SeverityCritical; f.want.priority = "" }), do: actTold},
		"closes":                     {facts: kept(status(incident.StatusRemediated)), do: actUpdate, why: "status: closed"},
		"closes once":                {facts: kept(status(incident.StatusRemediated), func(f *facts) { f.ticket.PushedClosed = true }), do: actDone},
		"closed by its people":       {facts: kept(status(incident.StatusRemediated), closedBy(true)), do: actTold},
		"news opens again":           {facts: kept(closedBy(true), notes(2), made(note, done, 0, of(2))), do: actUpdate, why: "status: open again"},
		"old news does not":          {facts: kept(notes(2), made(note, done, 0, of(2)), func(f *facts) { f.ticket.SyncedRevision = 2 }, closedBy(true)), do: actDone},
		"what Cairn closed it opens": {facts: kept(closedBy(true), func(f *facts) { f.ticket.PushedClosed = true }), do: actUpdate, why: "status: open again"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c.facts.want.needless = needless(c.facts.incident, &ent.PSAConnection{})
			got := plan(c.facts)
			require.Equal(t, c.do, got.do)
			require.Equal(t, c.id, got.ticket.ID)
			require.Equal(t, c.note, got.note.sequence)
			if c.until == 0 {
				require.True(t, got.until.IsZero(), "%s", got.until)
			} else {
				require.Equal(t, c.until, got.until.Sub(now))
			}
			switch {
			case c.why != "" && got.do == actUpdate:
				require.Equal(t, []string{c.why}, got.what)
			default:
				require.Equal(t, c.why, got.why)
			}
		})
	}
}

// Ensure Cairn's own closing, whose answer was lost, is nobody else's.
func TestPlanKnowsItsOwnDoing(t *testing.T) {
	t.Parallel()
	ours := plan(kept(status(incident.StatusRemediated), closedBy(false), made(ticketstep.KindUpdate, ticketstep.OutcomeUnclear, ten, closing)))
	require.Equal(t, actObserve, ours.do)
	require.True(t, ours.ours)
	theirs := plan(kept(status(incident.StatusRemediated), closedBy(false)))
	require.Equal(t, actObserve, theirs.do)
	require.False(t, theirs.ours)
}
