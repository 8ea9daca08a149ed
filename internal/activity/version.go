package activity

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
)

// Newer says whether a is to stand in place of b, an earlier stored version of
// the same record. The answer rests on what the two say and never on which of
// them came first, so that any order of arrival ends with the same version:
//
//  1. the same content written another way (white space, order of names) is not newer;
//  2. a sign-in's risk moves in one direction, from none over at risk to
//     judged: further along wins (Graph riskState);
//  3. more content wins, so the fuller of two exports does;
//  4. what is left is decided by the bytes.
func Newer(a, b *Activity) bool {
	ca, cb := canonical(a.Raw), canonical(b.Raw)
	if bytes.Equal(ca, cb) {
		return false
	}
	if ra, rb := riskRank(a.Raw), riskRank(b.Raw); ra != rb {
		return ra > rb
	}
	if len(ca) != len(cb) {
		return len(ca) > len(cb)
	}
	return bytes.Compare(ca, cb) > 0
}

// canonical writes a JSON record in one way: names sorted, no white space.
func canonical(raw []byte) []byte {
	var v any
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	if d.Decode(&v) != nil {
		return raw
	}
	out, err := json.Marshal(v)
	if err != nil {
		return raw
	}
	return out
}

// riskRank orders Graph's riskState values (signIn resource type, riskState),
// which diagnostic settings hold among the properties.
func riskRank(raw []byte) int {
	var r struct {
		RiskState  any `json:"riskState"`
		Properties struct {
			RiskState any `json:"riskState"`
		} `json:"properties"`
	}
	if err := json.Unmarshal(raw, &r); err != nil {
		if _, ok := errors.AsType[*json.UnmarshalTypeError](err); !ok { // what has another type is left out
			return 0
		}
	}
	state, ok := r.RiskState.(string)
	if !ok {
		state, _ = r.Properties.RiskState.(string)
	}
	switch strings.ToLower(state) {
	case "atrisk":
		return 1
	case "confirmedcompromised", "remediated", "dismissed", "confirmedsafe":
		return 2
	}
	return 0
}
