package activity

// microsoftNetworks are the autonomous systems that Microsoft runs itself
// (owner names of the AS tables; detections.md, "What detection must not
// flag"). Sorted, for readers.
var microsoftNetworks = [...]uint32{3598, 8068, 8069, 8070, 8075, 12076, 35106, 200517}

// Microsoft reports whether the address lies in Microsoft's hands: one of its
// services, or a machine on Azure, which anybody may have rented. In a record
// that is no interactive sign-in such an address is no place of the person:
// the service acted for them.
func (n Network) Microsoft() bool {
	if n.Kind == NetworkMicrosoft {
		return true
	}
	for _, number := range microsoftNetworks {
		if n.Number == number {
			return true
		}
	}
	return false
}
