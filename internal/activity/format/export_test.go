package format

// Shapes gives tests the registry.
func Shapes() []Shape { return shapes }
