package intel

import "github.com/cairn-itdr/cairn/internal/intel/table"

func loadedFiles(dir string) ([]*table.File, error) { return nil, nil }
