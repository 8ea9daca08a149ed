package format

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/cairn-itdr/cairn/internal/activity"
)

// Shape is what one record can be.
type Shape interface {
	// Name is stored with each activity, so that its raw record can be parsed
	// again: it never changes.
	Name() string
	// Signatures are sets of member names. A record is of this shape when it has
	// all of one set at its top level. No set may be part of another shape's
	// records; each holds at least two names.
	Signatures() [][]string
	// Parse makes the activity, without ID, OrganizationID, TenantID, AccountID,
	// Country and Network; Raw is the given slice. It returns a *RejectError or
	// a *SkipError, and is safe for concurrent use.
	Parse(raw []byte) (activity.Activity, error)
}

// shapes is the registry.
var shapes = []Shape{
	unifiedAudit{},
	graphSignIn{},
	graphDirectoryAudit{},
	azureMonitorAudit{},
	officeActivity{},
	defenderHunting{},
}

// ShapeByName returns the shape with this name, nil where there is none.
func ShapeByName(name string) Shape {
	for _, s := range shapes {
		if s.Name() == name {
			return s
		}
	}
	return nil
}

// Parse recognises the shape of a record and parses it. The error is a
// *RejectError or a *SkipError. It is safe for concurrent use.
func Parse(raw []byte) (activity.Activity, error) {
	s := recogniser.shapeOf(raw)
	if s == nil {
		return activity.Activity{}, unknownShape(raw)
	}
	a, err := s.Parse(raw)
	if err == nil && a.Operation == "" {
		err = reject("the record does not say what was done (no operation)")
	}
	return a, err
}

func unknownShape(raw []byte) error {
	var names []string
	eachMember(raw, func(name, _ []byte) bool {
		names = append(names, string(name))
		return len(names) < 64
	})
	if err := json.Unmarshal(raw, new(json.RawMessage)); err != nil {
		return reject("%s", jsonReason(err)) // what it is made of can't be told then
	}
	if len(names) == 0 {
		return reject("the record is no JSON object with members")
	}
	return reject("a record of no known kind, with the members %s", quoteAll(names))
}

// signature is one set of names, as bits.
type signature struct {
	names uint64
	shape Shape
}

// index finds a record's shape from the names of its first members.
type index struct {
	bits       map[string]uint64
	signatures []signature
}

var recogniser = newIndex(shapes)

func newIndex(shapes []Shape) *index {
	x := &index{bits: map[string]uint64{}}
	for _, shape := range shapes {
		for _, names := range shape.Signatures() {
			sig := signature{shape: shape}
			for _, name := range names {
				if x.bits[name] == 0 {
					if len(x.bits) == 64 {
						panic(fmt.Sprintf("format: more than 64 names in signatures, at %s", strings.Join(names, ", ")))
					}
					x.bits[name] = 1 << len(x.bits)
				}
				sig.names |= x.bits[name]
			}
			x.signatures = append(x.signatures, sig)
		}
	}
	return x
}

// shapeOf reads only as many members as it takes.
func (x *index) shapeOf(raw []byte) (shape Shape) {
	var seen uint64
	eachMember(raw, func(name, _ []byte) bool {
		bit := x.bits[string(name)]
		if bit == 0 || seen&bit != 0 {
			return true
		}
		seen |= bit
		for i := range x.signatures {
			if s := &x.signatures[i]; s.names&bit != 0 && s.names&seen == s.names {
				shape = s.shape
				return false
			}
		}
		return true
	})
	return shape
}

// defenderHunting is a row of Defender's advanced hunting tables. Those repeat
// what the audit log says, under other ids, and speak of devices.
type defenderHunting struct{}

func (defenderHunting) Name() string { return "defender_hunting" }

func (defenderHunting) Signatures() [][]string {
	return [][]string{{"Timestamp", "ActionType"}, {"Timestamp", "ReportId"}}
}

func (d defenderHunting) Parse([]byte) (activity.Activity, error) {
	return activity.Activity{}, &SkipError{Shape: d.Name(), Reason: "Defender hunting rows repeat other logs and are not imported"}
}
