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
	diagnostic{},
	auditSearch{},
	defenderHunting{},
}

// ShapeByName returns the shape with this name, nil where there is none.
func ShapeByName(name string) Shape {
	base, side, sided := strings.Cut(name, "@")
	for _, s := range shapes {
		if s.Name() != base {
			continue
		}
		if sided {
			return claimed{s, "@" + side}
		}
		return s
	}
	return nil
}

// claimed is a shape whose records, sign-ins across directories, were claimed
// by one of them (Activity.Claim).
type claimed struct {
	Shape

	side string
}

func (c claimed) Parse(raw []byte) (activity.Activity, error) {
	a, err := c.Shape.Parse(raw)
	switch {
	case err != nil:
	case c.side == activity.AtHome:
		a.Claim(a.HomeTenantID)
	case c.side == activity.AtResource:
		a.Claim(a.ResourceTenantID)
	}
	return a, err
}

// Parse recognises the shape of a record and parses it. The error is a
// *RejectError or a *SkipError. It is safe for concurrent use.
func Parse(raw []byte) (activity.Activity, error) {
	s := recogniser.shapeOf(raw)
	if s == nil {
		return activity.Activity{}, unknownShape(raw)
	}
	a, err := s.Parse(raw)
	if err != nil && !json.Valid(raw) {
		if better := Tidy(mended(raw)); json.Valid(better) {
			a, err = s.Parse(better)
		}
	}
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

// index finds a record's shape from the names of its first members, in any case.
type index struct {
	bits       map[string]uint64 // by name, as signatures spell it and in lower case
	signatures []signature
}

var recogniser = newIndex(shapes)

func newIndex(shapes []Shape) *index {
	x := &index{bits: map[string]uint64{}}
	used := 0
	for _, shape := range shapes {
		for _, names := range shape.Signatures() {
			sig := signature{shape: shape}
			for _, name := range names {
				lower := lowered(name)
				if x.bits[lower] == 0 {
					if used == 64 {
						panic(fmt.Sprintf("format: more than 64 names in signatures, at %s", strings.Join(names, ", ")))
					}
					x.bits[lower] = 1 << used
					used++
				}
				x.bits[name] = x.bits[lower]
				sig.names |= x.bits[lower]
			}
			x.signatures = append(x.signatures, sig)
		}
	}
	return x
}

// bit returns the bit of a name, 0 where no signature has it.
func (x *index) bit(name []byte) uint64 {
	if b, ok := x.bits[string(name)]; ok {
		return b
	}
	var buffer [64]byte
	lower, _ := fold(name, buffer[:])
	return x.bits[string(lower)]
}

// see adds a name to those seen, and returns the shape that is certain with it.
func (x *index) see(name []byte, seen *uint64) Shape {
	bit := x.bit(name)
	if bit == 0 || *seen&bit != 0 {
		return nil
	}
	*seen |= bit
	for i := range x.signatures {
		if s := &x.signatures[i]; s.names&bit != 0 && s.names&*seen == s.names {
			return s.shape
		}
	}
	return nil
}

// shapeOf reads only as many members as it takes.
func (x *index) shapeOf(raw []byte) (shape Shape) {
	var seen uint64
	eachMember(raw, func(name, _ []byte) bool {
		shape = x.see(name, &seen)
		return shape == nil
	})
	return shape
}

// defenderHunting is a row of Defender's advanced hunting tables. Those repeat
// what the audit log says, under other ids, and speak of devices. Rows of
// CloudAppEvents hold the audit record itself: it is taken out of them before
// they come here.
type defenderHunting struct{}

func (defenderHunting) Name() string { return "defender_hunting" }

func (defenderHunting) Signatures() [][]string {
	return [][]string{{"Timestamp", "ActionType"}, {"Timestamp", "ReportId"}, {"TimeGenerated", "ActionType"}}
}

func (d defenderHunting) Parse([]byte) (activity.Activity, error) {
	return activity.Activity{}, &SkipError{Shape: d.Name(), Reason: "Defender hunting rows repeat other logs and are not imported"}
}
