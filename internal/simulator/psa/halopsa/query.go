package halopsa

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/cairn-itdr/cairn/internal/simulator/psa"
)

const (
	standardRows = 50
	maxRows      = 1000
)

// paged answers a list with a wrapper. Pages are only heard with pageinate and a
// page_no; else count rows come, or as many as the agent's pages have.
func paged(r *request, name string, all []psa.Record) (int, any) {
	number := func(name string, standard int) int {
		n, err := strconv.Atoi(r.query.Get(name))
		if err != nil || n < 1 {
			return standard
		}
		return n
	}
	order(all, r.query.Get("order"), r.query.Get("orderdesc") == "true")
	count := len(all)
	if r.query.Get("pageinate") == "true" && r.query.Get("page_no") != "" {
		page, size := number("page_no", 1), min(number("page_size", standardRows), maxRows)
		from := min((page-1)*size, count)
		return http.StatusOK, list(name, count, page, size, append([]psa.Record{}, all[from:min(from+size, count)]...))
	}
	return http.StatusOK, list(name, count, 1, 0, append([]psa.Record{}, all[:min(number("count", standardRows), count)]...))
}

func order(all []psa.Record, by string, down bool) {
	if by == "" {
		return
	}
	slices.SortStableFunc(all, func(a, b psa.Record) int {
		c := 0
		switch x := a[by].(type) {
		case float64:
			y, _ := b[by].(float64)
			c = int(x - y)
		case string:
			y, _ := b[by].(string)
			c = strings.Compare(strings.ToLower(x), strings.ToLower(y))
		}
		if down {
			return -c
		}
		return c
	})
}

// filters are the names the list of tickets hears; others it passes over.
var filters = map[string]func(t *ticket, value string) bool{
	"client_id":      func(t *ticket, v string) bool { return strconv.Itoa(t.ClientID) == v },
	"status_id":      func(t *ticket, v string) bool { return strconv.Itoa(t.StatusID) == v },
	"requesttype_id": func(t *ticket, v string) bool { return strconv.Itoa(t.TypeID) == v },
	"agent_id":       func(t *ticket, v string) bool { return strconv.Itoa(t.AgentID) == v },
	"open_only":      func(t *ticket, v string) bool { return v != "true" || !t.Closed },
	"closed_only":    func(t *ticket, v string) bool { return v != "true" || t.Closed },
	"ticketids":      func(t *ticket, v string) bool { return slices.Contains(strings.Split(v, ","), strconv.Itoa(t.ID)) },
	"search":         func(t *ticket, v string) bool { return holds(t.Summary, v) || strconv.Itoa(t.ID) == v },
	"search_summary": func(t *ticket, v string) bool { return holds(t.Summary, v) },
	"search_details": func(t *ticket, v string) bool { return holds(t.Details, v) },
	"lastupdatefromdate": func(t *ticket, v string) bool {
		at, ok := when(v)
		return !ok || !t.updated.Before(at)
	},
	"lastupdatetodate": func(t *ticket, v string) bool {
		at, ok := when(v)
		return !ok || !t.updated.After(at)
	},
}

func holds(text, part string) bool {
	return strings.Contains(strings.ToLower(text), strings.ToLower(part))
}

func when(text string) (time.Time, bool) {
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05.999999999", "2006-01-02"} {
		if t, err := time.Parse(layout, text); err == nil {
			return t, true
		}
	}
	return time.Time{}, false
}

func (s *Server) listTickets(r *request) (int, any) {
	var out []psa.Record
	for _, id := range s.order {
		t := s.tickets[id]
		if t.Deleted != (r.query.Get("deleted") == "true") {
			continue
		}
		fits := true
		for name, values := range r.query {
			if fit, ok := filters[name]; ok && values[0] != "" && (name != "ticketids" || !s.behaviour.IgnoresTicketIDs) {
				fits = fits && fit(t, values[0])
			}
		}
		if !fits {
			continue
		}
		row := psa.AsRecord(t)
		for _, long := range []string{"details", "details_html", "customfields"} { // lists don't tell
			delete(row, long)
		}
		out = append(out, row)
	}
	return paged(r, "tickets", out)
}
