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

// Write sends an answer.
func Write(w http.ResponseWriter, a Answer) {
	maps.Copy(w.Header(), a.Header)
	kind := "application/json; charset=utf-8"
	var raw []byte
	switch body := a.Body.(type) {
	case string:
		kind, raw = "text/html; charset=utf-8", []byte(body)
	case []byte:
		raw = body
	default:
		if a.Status == http.StatusNoContent {
			w.WriteHeader(a.Status)
			return
		}
		var err error
		if raw, err = json.Marshal(body); err != nil {
			panic(err) // a type of the simulator that can't be written
		}
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
