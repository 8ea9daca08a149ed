package notification

// At has do called between any two steps of the service, by name.
func (s *Service) At(do func(where string)) { s.at = do }
