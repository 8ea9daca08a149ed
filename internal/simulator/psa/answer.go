package psa

import (
	"encoding/json"
	"io"
	"maps"
	"net/http"
)

// maxBody is as much as a request may hold.
const maxBody = 8 << 20

// Read returns a request's body, false where it is too large.
func Read(w http.ResponseWriter, r *http.Request) ([]byte, bool) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	return body, err == nil
}

// Fixed is an answer as it stands now: what is written while others change the
// records it tells of must be fixed under the lock that keeps them.
func (a Answer) Fixed() Answer {
	switch a.Body.(type) {
	case string, []byte:
		return a
	}
	if a.Status == http.StatusNoContent {
		a.Body = []byte(nil)
		return a
	}
	raw, err := json.Marshal(a.Body)
	if err != nil {
		panic(err) // a type of the simulator that can't be written
	}
	a.Body = raw
	return a
}

// Write sends an answer.
func Write(w http.ResponseWriter, a Answer) {
	maps.Copy(w.Header(), a.Header)
	kind := "application/json; charset=utf-8"
	var raw []byte
	switch body := a.Fixed().Body.(type) {
	case string:
		kind, raw = "text/html; charset=utf-8", []byte(body)
	case []byte:
		raw = body
	}
	if a.Status == http.StatusNoContent {
		w.WriteHeader(a.Status)
		return
	}
	if w.Header().Get("Content-Type") == "" {
		w.Header().Set("Content-Type", kind)
	}
	w.WriteHeader(a.Status)
	if _, err := w.Write(raw); err != nil {
		panic(http.ErrAbortHandler) // the caller is gone
	}
}

// Record is a record as lists and filters see it: its JSON.
type Record = map[string]any

// AsRecord makes one.
func AsRecord(v any) Record {
	raw, err := json.Marshal(v)
	if err != nil {
		panic(err) // a type of the simulator that can't be written
	}
	var out Record
	if err := json.Unmarshal(raw, &out); err != nil {
		panic(err)
	}
	return out
}
