package format

import (
	"maps"
	"slices"
)

// Shapes gives tests the registry.
func Shapes() []Shape { return shapes }

// WholeColumns gives tests the columns that hold whole records.
func WholeColumns() []string { return wholeColumns }

// Roles gives tests the names that carry records, hold lists of them, and lead
// to such lists, each spelled once.
func Roles() (carriers, holders, passages []string) {
	for _, name := range slices.Sorted(maps.Keys(roles)) {
		if lower := lowered(name); lower == name && spelledOtherwise(name) {
			continue
		}
		switch r := roles[name]; {
		case r&carries != 0:
			carriers = append(carriers, name)
		case r&(holdsRecords|mayHoldRecords) != 0:
			holders = append(holders, name)
		}
		if roles[name]&leadsOn != 0 {
			passages = append(passages, name)
		}
	}
	return carriers, holders, passages
}

func spelledOtherwise(lower string) bool {
	for name := range roles {
		if name != lower && lowered(name) == lower {
			return true
		}
	}
	return false
}
