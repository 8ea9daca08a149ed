package psatest

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cairn-itdr/cairn/integrations/psa"
)

func (s *suite) ticket(t *testing.T) {
	in := s.newTicket(t)
	made, err := s.psa.CreateTicket(t.Context(), in)
	require.NoError(t, err)
	require.NotEmpty(t, made.ID)
	require.Equal(t, in.Reference, made.Reference)
	require.Equal(t, in.Title, made.Title)
	require.Equal(t, s.CompanyID, made.CompanyID)
	require.False(t, made.Closed)
	require.NotEmpty(t, made.URL)
	for setting, id := range in.Settings {
		if _, own := setting.FieldID(); !own && setting != psa.SettingDueInHours {
			require.Equal(t, id, made.Settings[setting].ID, setting)
		}
	}

	found, err := s.psa.FindTickets(t.Context(), in.Reference)
	require.NoError(t, err)
	require.Len(t, found, 1)
	require.Equal(t, made.ID, found[0].ID)
	none, err := s.psa.FindTickets(t.Context(), in.Reference+"x")
	require.NoError(t, err)
	require.Empty(t, none)

	changed, err := s.psa.UpdateTicket(t.Context(), made.ID, psa.Change{Title: "Another title"})
	require.NoError(t, err)
	require.Equal(t, "Another title", changed.Title)
	require.Equal(t, in.Reference, changed.Reference, "what a change does not name stays")
	same, err := s.psa.UpdateTicket(t.Context(), made.ID, psa.Change{})
	require.NoError(t, err, "nothing to change")
	require.Equal(t, "Another title", same.Title)
	s.closeAndReopen(t, made)

	there, err := s.psa.ReadTickets(t.Context(), []string{made.ID, "999999"})
	require.NoError(t, err)
	require.Len(t, there, 1, "what is missing is left out")
	require.Equal(t, "Another title", there[0].Title)
	one, err := s.psa.ReadTicket(t.Context(), made.ID)
	require.NoError(t, err)
	require.Equal(t, there[0].ID, one.ID)
	require.NotEqual(t, psa.AuthorStaff, one.ChangedBy.Kind, "our own change is no person's")
	require.NotEqual(t, psa.AuthorContact, one.ChangedBy.Kind)
	s.changes(t, made)

	other := in
	other.Reference = fresh()
	moved, err := s.psa.CreateTicket(t.Context(), other)
	require.NoError(t, err)
	renamed, err := s.psa.UpdateTicket(t.Context(), moved.ID, psa.Change{Reference: other.Reference + "-twin"})
	require.NoError(t, err)
	require.Equal(t, other.Reference+"-twin", renamed.Reference)
	found, err = s.psa.FindTickets(t.Context(), other.Reference)
	require.NoError(t, err)
	require.Empty(t, found)
}

// within is the choice a setting depends on, of those of a ticket.
func (s *suite) within(setting psa.Setting, of psa.Ticket) string {
	for _, d := range s.psa.Describe().Settings {
		if d.Setting == setting {
			return of.Settings[d.Within].ID
		}
	}
	return ""
}

func (s *suite) closeAndReopen(t *testing.T, made psa.Ticket) {
	t.Helper()
	statuses, err := s.psa.Choices(t.Context(), psa.SettingStatus, s.within(psa.SettingStatus, made))
	require.NoError(t, err)
	closing := slices.IndexFunc(statuses, func(c psa.Choice) bool { return c.Closed && !c.Inactive })
	opening := slices.IndexFunc(statuses, func(c psa.Choice) bool { return !c.Closed && !c.Inactive })
	require.GreaterOrEqual(t, closing, 0)
	require.GreaterOrEqual(t, opening, 0)
	set := func(i int) psa.Ticket {
		changed, err := s.psa.UpdateTicket(t.Context(), made.ID, psa.Change{Settings: map[psa.Setting]string{psa.SettingStatus: statuses[i].ID}})
		require.NoError(t, err)
		require.Equal(t, statuses[i].ID, changed.Settings[psa.SettingStatus].ID)
		return changed
	}
	require.True(t, set(closing).Closed)
	require.True(t, set(closing).Closed, "repeating is safe")
	require.False(t, set(opening).Closed)
}

func (s *suite) changes(t *testing.T, made psa.Ticket) {
	t.Helper()
	lister, ok := s.psa.(psa.ChangeLister)
	if !ok {
		return
	}
	has := func(board string, since time.Time) bool {
		all, err := lister.ChangedTickets(t.Context(), board, since)
		require.NoError(t, err)
		require.True(t, slices.IsSortedFunc(all, func(x, y psa.Ticket) int { return x.ChangedAt.Compare(y.ChangedAt) }), "oldest change first")
		return slices.ContainsFunc(all, func(x psa.Ticket) bool { return x.ID == made.ID })
	}
	board := made.Settings[psa.SettingBoard].ID
	require.True(t, has(board, made.ChangedAt.Add(-time.Hour)), "a changed ticket is listed")
	require.True(t, has("", made.ChangedAt.Add(-time.Hour)))
	require.False(t, has("", s.Now().Add(24*time.Hour)), "what did not change is not")
}

// absent asks for what is not there.
func (s *suite) absent(t *testing.T) {
	_, err := s.psa.ReadTicket(t.Context(), "999999")
	require.Contains(t, []psa.Reason{psa.ReasonNotFound, psa.ReasonPermission}, s.fails(t, err).Reason)
	_, err = s.psa.ReadTicket(t.Context(), "1 or 1=1")
	require.Equal(t, psa.ReasonInvalid, s.fails(t, err).Reason)
	_, err = s.psa.UpdateTicket(t.Context(), "999999", psa.Change{Title: "x"})
	e := s.fails(t, err)
	require.Contains(t, []psa.Reason{psa.ReasonNotFound, psa.ReasonPermission}, e.Reason)
	require.False(t, e.Retryable)
	_, err = s.psa.AddNote(t.Context(), "999999", s.newNote(t, "x"))
	e = s.fails(t, err)
	require.Contains(t, []psa.Reason{psa.ReasonNotFound, psa.ReasonPermission}, e.Reason)
	require.False(t, e.Retryable)
	in := s.newTicket(t)
	in.CompanyID = "999999"
	_, err = s.psa.CreateTicket(t.Context(), in)
	e = s.fails(t, err)
	require.Equal(t, psa.ReasonInvalid, e.Reason)
	require.False(t, e.MaybeDone)
	require.NotEmpty(t, e.Field, e.Message)
}

func (s *suite) notes(t *testing.T) {
	made := s.made(t)
	before, err := s.psa.Notes(t.Context(), made.ID)
	require.NoError(t, err)
	for i := range 3 {
		n, err := s.psa.AddNote(t.Context(), made.ID, s.newNote(t, fmt.Sprintf("note %d [marker/%d]", i, i)))
		require.NoError(t, err)
		require.NotEmpty(t, n.ID)
		require.True(t, n.Internal)
		require.Equal(t, psa.AuthorOurs, n.By.Kind)
	}
	all, err := s.psa.Notes(t.Context(), made.ID)
	require.NoError(t, err)
	all = all[len(before):]
	require.Len(t, all, 3)
	for i, n := range all {
		require.Contains(t, n.Text, fmt.Sprintf("[marker/%d]", i), "oldest first")
		require.True(t, n.Internal)
		require.False(t, n.CreatedAt.IsZero())
		require.Equal(t, psa.AuthorOurs, n.By.Kind)
	}
}

func (s *suite) publicNote(t *testing.T) {
	made := s.made(t)
	in := psa.NewNote{Text: "for all", Settings: s.noteSettings(t, s.settings(t), psa.VisiblePublic)}
	n, err := s.psa.AddNote(t.Context(), made.ID, in)
	require.NoError(t, err)
	require.False(t, n.Internal)
}

// people sees what technicians do, and that it is theirs.
func (s *suite) people(t *testing.T) {
	made := s.made(t)
	require.NoError(t, s.Person.Note(made.ID, "seen by a person"))
	if s.Person.Work != nil {
		require.NoError(t, s.Person.Work(made.ID, "worked on by a person"))
	}
	all, err := s.psa.Notes(t.Context(), made.ID)
	require.NoError(t, err)
	byText := map[string]psa.Note{}
	for _, n := range all {
		byText[n.Text] = n
	}
	require.Equal(t, psa.AuthorStaff, byText["seen by a person"].By.Kind)
	require.False(t, byText["seen by a person"].Internal)
	if s.Person.Work != nil {
		require.True(t, byText["worked on by a person"].WorkTime)
		require.Equal(t, psa.AuthorStaff, byText["worked on by a person"].By.Kind)
	}
	require.NoError(t, s.Person.Close(made.ID))
	closed, err := s.psa.ReadTicket(t.Context(), made.ID)
	require.NoError(t, err)
	require.True(t, closed.Closed)
	require.NotEqual(t, psa.AuthorOurs, closed.ClosedBy.Kind, "a person closed it")
}

func (s *suite) merge(t *testing.T) {
	if s.Person.Merge == nil {
		t.Skip("this PSA does not tell of merges")
	}
	child, parent := s.made(t), s.made(t)
	require.NoError(t, s.Person.Merge(child.ID, parent.ID))
	there, err := s.psa.ReadTicket(t.Context(), child.ID)
	require.NoError(t, err)
	require.Equal(t, parent.ID, there.MergedIn)
}

func (s *suite) deleted(t *testing.T) {
	made := s.made(t)
	require.NoError(t, s.Person.Delete(made.ID))
	_, err := s.psa.ReadTicket(t.Context(), made.ID)
	require.Equal(t, psa.ReasonNotFound, s.fails(t, err).Reason, "what was deleted is told from what is hidden")
	there, err := s.psa.ReadTickets(t.Context(), []string{made.ID})
	require.NoError(t, err)
	require.Empty(t, there)
}

func (s *suite) textLimits(t *testing.T) {
	d := s.psa.Describe()
	in := s.newTicket(t)
	in.Title = strings.Repeat("🦊", d.TitleLimit)
	in.Description = strings.Repeat("ä", d.DescriptionLimit)
	in.Reference += strings.Repeat("x", d.ReferenceLimit-len(in.Reference))
	made, err := s.psa.CreateTicket(t.Context(), in)
	require.NoError(t, err, "what is within the limits is taken")
	require.Equal(t, in.Title, made.Title)
	require.Equal(t, in.Reference, made.Reference)
	for name, change := range map[string]func(*psa.NewTicket){
		"title":       func(n *psa.NewTicket) { n.Title = strings.Repeat("x", d.TitleLimit+1) },
		"description": func(n *psa.NewTicket) { n.Description = strings.Repeat("x", d.DescriptionLimit+1) },
		"reference":   func(n *psa.NewTicket) { n.Reference += strings.Repeat("x", d.ReferenceLimit) },
	} {
		over := s.newTicket(t)
		change(&over)
		_, err = s.psa.CreateTicket(t.Context(), over)
		e := s.fails(t, err)
		require.Equal(t, psa.ReasonInvalid, e.Reason, name)
		require.False(t, e.Retryable, name)
		require.Zero(t, s.Count(over.Reference), name)
	}
	_, err = s.psa.AddNote(t.Context(), made.ID, s.newNote(t, strings.Repeat("x", d.NoteLimit)))
	require.NoError(t, err)
	_, err = s.psa.AddNote(t.Context(), made.ID, s.newNote(t, strings.Repeat("x", d.NoteLimit+1)))
	require.Equal(t, psa.ReasonInvalid, s.fails(t, err).Reason)
}

func (s *suite) hostileText(t *testing.T) {
	for _, text := range []string{
		`"quoted" \back\slash`, "<script>alert(1)</script> &amp;", "\u202eright to left", "line\nnext\ttab", "🦊 🦊", "=cmd|' /C calc'!A0",
		"a\x00NUL and \x1b[31mred", "$USERNAME {{7*7}} [url](https://x.invalid)",
	} {
		in := s.newTicket(t)
		in.Title, in.Description = strings.NewReplacer("\n", " ", "\t", " ").Replace(text), text
		made, err := s.psa.CreateTicket(t.Context(), in)
		require.NoError(t, err, text)
		shown := strings.NewReplacer("\x00", "", "\x1b", "").Replace
		require.Equal(t, shown(in.Title), made.Title)
		n, err := s.psa.AddNote(t.Context(), made.ID, s.newNote(t, text))
		require.NoError(t, err)
		require.Equal(t, shown(text), n.Text)
		all, err := s.psa.Notes(t.Context(), made.ID)
		require.NoError(t, err)
		require.Equal(t, shown(text), all[len(all)-1].Text)
	}
}

func (s *suite) paging(t *testing.T) {
	made := s.made(t)
	before, err := s.psa.Notes(t.Context(), made.ID)
	require.NoError(t, err)
	in := s.newNote(t, "x")
	for range s.Many {
		_, err := s.psa.AddNote(t.Context(), made.ID, in)
		require.NoError(t, err)
	}
	all, err := s.psa.Notes(t.Context(), made.ID)
	require.NoError(t, err)
	require.Len(t, all, len(before)+s.Many)
	seen := map[string]bool{}
	for _, n := range all {
		seen[n.ID] = true
	}
	require.Len(t, seen, len(all), "none twice")
}
