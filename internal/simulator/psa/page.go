package psa

import (
	_ "embed"
	"encoding/json"
	"html/template"
	"net/http"
	"slices"
	"strconv"
)

//go:embed page.html
var pageText string

var page = template.Must(template.New("page").Parse(pageText))

// Technician is who people's edits on the page are made by.
const Technician = "technician"

// Ticket is a ticket as a person reads it.
type Ticket struct {
	ID                                      int
	Number                                  string // as people say it
	Title, Board, Status, Company, Priority string
	CompanyID                               int
	Reference                               string
	Closed, Merged                          bool
	Entered, Updated                        string
	Notes                                   []Note
}

// Note is a note as a person reads it.
type Note struct {
	Text, By, At string
	Internal     bool
}

// People is what people do in a PSA's own pages. Who is the one who does it.
type People interface {
	Tickets() []Ticket
	Close(id int, who string) error
	SetStatus(id, status int, who string) error
	Note(id int, text, who string) error
	Merge(child, parent int, who string) error
	Delete(id int, who string) error
}

// Steer adds to mux what the vendor has not: a page of the tickets at "/" and at
// the addresses given, on which one acts as a technician, and the switches
// below /_simulator. Switches are pointers-to-be: what a PUT of JSON there does.
func Steer(mux *http.ServeMux, name string, people People, faults *Faults, switches map[string]func(decode func(any) error) error, pages ...string) {
	show := func(w http.ResponseWriter, r *http.Request) { showTickets(w, r, name, people) }
	mux.HandleFunc("GET /{$}", show)
	for _, p := range pages {
		mux.HandleFunc("GET "+p, show)
	}
	mux.HandleFunc("POST /_simulator/tickets/{id}/{act}", func(w http.ResponseWriter, r *http.Request) { act(w, r, people) })
	mux.HandleFunc("GET /_simulator/tickets", func(w http.ResponseWriter, _ *http.Request) {
		Write(w, Answer{Status: http.StatusOK, Body: people.Tickets()})
	})
	put := func(path string, change func(decode func(any) error) error) {
		mux.HandleFunc("PUT /_simulator/"+path, func(w http.ResponseWriter, r *http.Request) {
			err := change(func(v any) error { return json.NewDecoder(http.MaxBytesReader(w, r.Body, maxBody)).Decode(v) })
			if err != nil {
				http.Error(w, err.Error(), http.StatusBadRequest)
				return
			}
			w.WriteHeader(http.StatusNoContent)
		})
	}
	put("faults", func(decode func(any) error) error {
		var all []Fault
		if err := decode(&all); err != nil {
			return err
		}
		faults.Set(all...)
		return nil
	})
	for path, change := range switches {
		put(path, change)
	}
}

func showTickets(w http.ResponseWriter, r *http.Request, name string, people People) {
	all := people.Tickets()
	slices.Reverse(all)
	for _, values := range r.URL.Query() {
		if id, err := strconv.Atoi(values[0]); err == nil { // a link to one
			all = slices.DeleteFunc(all, func(t Ticket) bool { return t.ID != id })
		}
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'")
	_ = page.Execute(w, struct {
		Name    string
		Tickets []Ticket
	}{name, all})
}

func act(w http.ResponseWriter, r *http.Request, people People) {
	if site := r.Header.Get("Sec-Fetch-Site"); site != "" && site != "same-origin" && site != "none" {
		http.Error(w, "This page acts for itself only.", http.StatusForbidden)
		return
	}
	number := func(text string, do func(int) error) error {
		n, err := strconv.Atoi(text)
		if err != nil {
			return err
		}
		return do(n)
	}
	err := number(r.PathValue("id"), func(id int) error {
		switch r.PathValue("act") {
		case "close":
			return people.Close(id, Technician)
		case "delete":
			return people.Delete(id, Technician)
		case "note":
			return people.Note(id, r.FormValue("text"), Technician)
		case "status":
			return number(r.FormValue("status"), func(status int) error { return people.SetStatus(id, status, Technician) })
		case "merge":
			return number(r.FormValue("into"), func(parent int) error { return people.Merge(id, parent, Technician) })
		}
		return http.ErrNotSupported
	})
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	http.Redirect(w, r, "/", http.StatusSeeOther)
}
