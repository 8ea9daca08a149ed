package intel

import (
	"bytes"
	_ "embed" // for the tables
	"fmt"
	"sync"

	"github.com/cairn-itdr/cairn/internal/intel/table"
)

var (
	//go:embed data/country.table
	countryTable []byte
	//go:embed data/network.table
	networkTable []byte
	//go:embed NOTICE.md
	notice string
)

// Notice returns the credits that the licences of the shipped tables want
// shown, as Markdown; Sources has them one by one.
func Notice() string { return notice }

// shippedFiles reads the shipped tables.
func shippedFiles() ([]*table.File, error) {
	names := []string{"country", "network"}
	files, errs := make([]*table.File, len(names)), make([]error, len(names))
	var both sync.WaitGroup
	for i, data := range [][]byte{countryTable, networkTable} {
		both.Go(func() { files[i], errs[i] = table.Read(bytes.NewReader(data)) })
	}
	both.Wait()
	for i, err := range errs {
		if err != nil {
			return nil, fmt.Errorf("%s: %w", names[i], err)
		}
	}
	return files, nil
}
