package ticketing

import (
	"slices"
	"strings"
	"time"

	"github.com/cairn-itdr/cairn/ent"
	"github.com/cairn-itdr/cairn/ent/incident"
	"github.com/cairn-itdr/cairn/ent/incidentevent"
	"github.com/cairn-itdr/cairn/ent/ticket"
	"github.com/cairn-itdr/cairn/ent/ticketstep"
	"github.com/cairn-itdr/cairn/integrations/psa"
)

// facts is all that is known when the next step is planned.
type facts struct {
	ticket   *ent.Ticket
	incident *ent.Incident
	notes    []noteText        // what the ticket is to hold, in order
	steps    []*ent.TicketStep // the journal, oldest first
	seen     seen
	want     wanted
	pace     Pace
	now      time.Time
}

// noteText is something that is to stand on the ticket as a note.
type noteText struct {
	sequence int // of the incident's event; 0 is what a public description left out
	kind     incidentevent.Kind
	marker   string // that it is found by
}

// wanted is what the connection's settings make of the incident.
type wanted struct {
	needless string // why no ticket is to be made, "" where one is
	waits    string // what a person has to do first, "" where nothing
	title    string
	priority string // ids of choices, "" where none is chosen
	closed   string
	reopened string
}

// seen is what this run has read of the PSA.
type seen struct {
	ticket   *psa.Ticket
	at       time.Time // when ticket was read
	gone     bool      // the PSA says that it is not there, and still shows another
	found    []psa.Ticket
	searched time.Time // when found was read; zero where it was not
	notes    []psa.Note
	read     time.Time // when notes were
}

// action says what a step does.
type action int

const (
	actRead   action = iota // read the ticket
	actSearch               // look for tickets with the reference
	actNotes                // read the ticket's notes
	actCreate
	actAdopt     // take a ticket that was found as this one's
	actObserve   // write down what is seen, and who did it
	actFollow    // go on with the ticket it was merged into
	actGone      // write down that it was deleted
	actNote      // add a note
	actNoted     // write down that a note is there
	actReplies   // write down what people have written
	actUpdate    // set what has to be
	actTold      // write down that there is nothing to set
	actDuplicate // close a ticket that was made twice
	actSettle    // write down that no ticket was made twice
	actCancel    // write down that none is needed
	actWait      // a person has to do something first
	actLater     // it is too early to tell
	actDone      // nothing is left to do
)

// step is what is to be done next.
type step struct {
	do     action
	ticket psa.Ticket // actAdopt, actObserve, actFollow, actDuplicate
	note   noteText   // actNote, actNoted
	found  psa.Note   // actNoted
	change psa.Change // actUpdate
	what   []string   // actUpdate: in words
	ours   bool       // actObserve: Cairn's own call did it, whose answer was lost
	until  time.Time  // actLater, actDone: when to look again; zero for never
	why    string     // actWait, actCancel
}

// over says that an incident asks for nothing any more: its tickets are closed.
func over(i *ent.Incident) bool {
	return i.Status == incident.StatusRemediated || i.Status == incident.StatusFalsePositive || i.Status == incident.StatusSuperseded
}

// needless says why an incident's ticket is not to be made after all, "" where
// it is: the incident has turned out to be none, or its tenant's go elsewhere.
func needless(i *ent.Incident, c *ent.PSAConnection) string {
	switch {
	case i.Status == incident.StatusFalsePositive || i.Status == incident.StatusSuperseded:
		return "The incident has turned out to be none before its ticket was made: there is none to make."
	case !leadsHere(c, i.TenantID):
		return "The tenant's incidents do not go to " + c.Name + " any more, and there was no ticket yet: none is made here."
	}
	return ""
}

// plan returns the one step that brings a ticket nearer to its incident.
func plan(f facts) step {
	switch {
	case f.ticket.State == ticket.StateDeleted:
		return step{do: actDone}
	case f.ticket.ExternalID == "":
		return planNew(f)
	}
	return planKept(f)
}

// planNew plans for a ticket of which no counterpart is known. It looks before
// it creates, always: the row may have been lost and made again.
func planNew(f facts) step {
	unclear := f.open(ticketstep.KindCreate)
	settled := f.settledAt(unclear)
	if f.seen.searched.IsZero() || f.seen.searched.Before(settled) && !f.now.Before(settled) {
		return step{do: actSearch}
	}
	if x, ok := best(f.seen.found); ok {
		return step{do: actAdopt, ticket: x}
	}
	if f.want.needless != "" {
		// One that is made late after all is still found.
		if last := f.verifiedAt(unclear); f.now.Before(last) {
			return step{do: actLater, until: last}
		}
		if f.ticket.State == ticket.StateCancelled {
			return step{do: actDone}
		}
		return step{do: actCancel, why: f.want.needless}
	}
	if f.want.waits != "" {
		return step{do: actWait, why: f.want.waits, until: f.later(settled)}
	}
	if f.now.Before(settled) {
		return step{do: actLater, until: settled}
	}
	return step{do: actCreate}
}

// best is the ticket to take of those that carry the reference: the oldest that
// is open, else the oldest.
func best(found []psa.Ticket) (psa.Ticket, bool) {
	for _, x := range found {
		if !x.Closed && x.MergedIn == "" {
			return x, true
		}
	}
	if len(found) > 0 {
		return found[0], true
	}
	return psa.Ticket{}, false
}

// planKept plans for a ticket that is there.
func planKept(f facts) step {
	if f.seen.gone {
		return step{do: actGone}
	}
	// A change whose answer was lost may come late: what is read before that
	// shows is not the last word.
	settled := f.settledAt(f.open(ticketstep.KindUpdate))
	if f.seen.ticket == nil || f.seen.at.Before(settled) && !f.now.Before(settled) {
		return step{do: actRead}
	}
	x := *f.seen.ticket
	if x.MergedIn != "" {
		return step{do: actFollow, ticket: x}
	}
	if differs(f.ticket, x) {
		return step{do: actObserve, ticket: x, ours: f.ourDoing(x)}
	}
	if s, ok := planDuplicates(f); ok {
		return s
	}
	if s, ok := planReplies(f, x); ok {
		return s
	}
	if s, ok := planNotes(f); ok {
		return s
	}
	if f.now.Before(settled) {
		return step{do: actLater, until: settled}
	}
	if s, ok := planUpdate(f, x); ok {
		return s
	}
	return step{do: actDone, until: f.later(f.verifiedAt(f.open(ticketstep.KindCreate)))}
}

// differs says whether the PSA tells other than the row.
func differs(t *ent.Ticket, x psa.Ticket) bool {
	return x.Closed != t.ExternalClosed || x.Settings[psa.SettingStatus].ID != t.ExternalStatusID ||
		x.CompanyID != "" && x.CompanyID != t.CompanyID ||
		x.Settings[psa.SettingBoard].ID != t.ExternalBoardID || x.Number != t.ExternalNumber
}

// ourDoing says whether what is seen is what a call of Cairn's asked for whose
// answer was lost.
func (f facts) ourDoing(x psa.Ticket) bool {
	for _, s := range f.open(ticketstep.KindUpdate) {
		if s.Closed == x.Closed && x.Closed != f.ticket.ExternalClosed {
			return true
		}
	}
	return x.Closed && !f.ticket.ExternalClosed && x.ClosedBy.Kind == psa.AuthorOurs
}

// planDuplicates looks for tickets that calls of unknown outcome made late, and
// for one that a list of changes has shown.
func planDuplicates(f facts) (step, bool) {
	unclear := f.open(ticketstep.KindCreate)
	due := f.verifiedAt(unclear)
	if !f.ticket.Doubled && (due.IsZero() || f.now.Before(due)) {
		return step{}, false
	}
	if f.seen.searched.IsZero() || f.seen.searched.Before(due) {
		return step{do: actSearch}, true
	}
	for _, x := range f.seen.found {
		if x.ID != f.ticket.ExternalID && !x.Closed && x.MergedIn == "" {
			return step{do: actDuplicate, ticket: x}, true
		}
	}
	return step{do: actSettle}, true
}

// planReplies reads what people have written, where the ticket has changed since
// that was read last, and not by Cairn alone.
func planReplies(f facts, x psa.Ticket) (step, bool) {
	asOf := f.ticket.NotesAsOf
	if x.ChangedAt.IsZero() || x.ChangedBy.Kind == psa.AuthorOurs || asOf != nil && !asStored(x.ChangedAt).After(*asOf) {
		return step{}, false
	}
	if f.seen.read.IsZero() {
		return step{do: actNotes}, true
	}
	return step{do: actReplies}, true
}

// asStored is a PSA's time as both databases keep it: some tell it more exactly.
func asStored(t time.Time) time.Time { return t.Truncate(time.Microsecond) }

// planNotes adds what has happened, in order: the next note waits until it is
// known whether the one before is there.
func planNotes(f facts) (step, bool) {
	for _, n := range f.notes {
		if f.noted(n.sequence) {
			continue
		}
		unclear := f.openNotes(n.sequence)
		if len(unclear) == 0 {
			return step{do: actNote, note: n}, true
		}
		settled := f.settledAt(unclear)
		if f.seen.read.IsZero() || f.seen.read.Before(settled) && !f.now.Before(settled) {
			return step{do: actNotes}, true
		}
		for _, there := range f.seen.notes {
			if strings.Contains(there.Text, n.marker) {
				return step{do: actNoted, note: n, found: there}, true
			}
		}
		if f.now.Before(settled) {
			return step{do: actLater, until: settled}, true
		}
		return step{do: actNote, note: n}, true
	}
	return step{}, false
}

// planUpdate sets title, priority and status where the incident has changed
// since it was told last. What people set in the PSA stays: Cairn speaks when
// the incident changes, and not because the ticket did. To a ticket of somebody
// else's, into which ours was merged, it adds notes and no more.
func planUpdate(f facts, x psa.Ticket) (step, bool) {
	t := f.ticket
	if t.Merged {
		return step{}, false
	}
	s := step{do: actUpdate, change: psa.Change{Settings: map[psa.Setting]string{}}}
	if f.want.title != t.PushedTitle && f.want.title != x.Title {
		s.change.Title = f.want.title
		s.what = append(s.what, "title")
	}
	severity := string(f.incident.Severity)
	if severity != t.PushedSeverity && f.want.priority != "" && x.Settings[psa.SettingPriority].ID != f.want.priority {
		s.change.Settings[psa.SettingPriority] = f.want.priority
		s.what = append(s.what, "priority for "+strings.ToLower(severity))
	}
	closed := over(f.incident)
	switch {
	case closed && !t.PushedClosed && !x.Closed && f.want.closed != "":
		s.change.Settings[psa.SettingStatus] = f.want.closed
		s.what = append(s.what, "status: closed")
	case !closed && x.Closed && (t.PushedClosed || f.news()) && f.want.reopened != "":
		s.change.Settings[psa.SettingStatus] = f.want.reopened
		s.what = append(s.what, "status: open again")
	}
	if len(s.what) > 0 {
		return s, true
	}
	// A reopening that has no status to set stays wanted.
	if f.want.title != t.PushedTitle || severity != t.PushedSeverity || closed != t.PushedClosed || len(f.open(ticketstep.KindUpdate)) > 0 {
		return step{do: actTold}, true
	}
	return step{}, false
}

// news says whether something has happened since the ticket was closed that
// opens it again.
func (f facts) news() bool {
	return slices.ContainsFunc(f.notes, func(n noteText) bool {
		return n.sequence > f.ticket.ClosedRevision &&
			(n.kind == incidentevent.KindFindingAdded || n.kind == incidentevent.KindReopened || n.kind == incidentevent.KindFindingRestored)
	})
}

// open returns the steps of a kind of which it is not known whether they were done.
func (f facts) open(kind ticketstep.Kind) []*ent.TicketStep {
	var out []*ent.TicketStep
	for _, s := range f.steps {
		if s.Kind == kind && (s.Outcome == ticketstep.OutcomeBegun || s.Outcome == ticketstep.OutcomeUnclear) {
			out = append(out, s)
		}
	}
	return out
}

func (f facts) openNotes(sequence int) []*ent.TicketStep {
	return slices.DeleteFunc(f.open(ticketstep.KindNote), func(s *ent.TicketStep) bool { return s.Sequence != sequence })
}

func (f facts) noted(sequence int) bool {
	return slices.ContainsFunc(f.steps, func(s *ent.TicketStep) bool {
		return s.Kind == ticketstep.KindNote && s.Sequence == sequence && (s.Outcome == ticketstep.OutcomeDone || s.Outcome == ticketstep.OutcomeSettled)
	})
}

// endOf is when a call was over. One whose end is not written was cut short, and
// is over when no call lasts any longer.
func (f facts) endOf(s *ent.TicketStep) time.Time {
	if s.EndedAt != nil {
		return *s.EndedAt
	}
	return s.BeganAt.Add(f.pace.Call)
}

// settledAt is when it shows whether calls of unknown outcome were done; zero
// where there are none.
func (f facts) settledAt(unclear []*ent.TicketStep) time.Time {
	return f.lastEnd(unclear, f.pace.Settle)
}

// verifiedAt is when it shows for the last time.
func (f facts) verifiedAt(unclear []*ent.TicketStep) time.Time {
	return f.lastEnd(unclear, f.pace.Verify)
}

func (f facts) lastEnd(steps []*ent.TicketStep, after time.Duration) time.Time {
	var last time.Time
	for _, s := range steps {
		if end := f.endOf(s).Add(after); end.After(last) {
			last = end
		}
	}
	return last
}

// later is t where it is still to come, else never.
func (f facts) later(t time.Time) time.Time {
	if f.now.Before(t) {
		return t
	}
	return time.Time{}
}
