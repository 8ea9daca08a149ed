package model

import (
	"github.com/cairn-itdr/cairn/internal/activity"
)

// Activity is an activity as the API shows it: what the record does not say
// is null.
type Activity struct{ *activity.Activity }

// known returns nil for the zero value, which in a record means "unknown".
func known[T comparable](v T) *T {
	var zero T
	if v == zero {
		return nil
	}
	return &v
}

// Workload is the service that recorded it.
func (a *Activity) Workload() *string { return known(a.Activity.Workload) }

// RecordType is Microsoft's type of the record.
func (a *Activity) RecordType() *string { return known(a.Activity.RecordType) }

// ErrorCode is Entra's error number.
func (a *Activity) ErrorCode() *int { return known(a.Activity.ErrorCode) }

// Actor is who acted.
func (a *Activity) Actor() *ActivityActor { return &ActivityActor{&a.Activity.Actor} }

// IPAddress is the address it came from.
func (a *Activity) IPAddress() *string {
	if !a.Address.IsValid() {
		return nil
	}
	s := a.Address.String()
	return &s
}

// Country is the country of the address.
func (a *Activity) Country() *string { return known(a.Activity.Country) }

// Network is the network of the address.
func (a *Activity) Network() *ActivityNetwork { return &ActivityNetwork{&a.Activity.Network} }

// UserAgent is the user agent.
func (a *Activity) UserAgent() *string { return known(a.Activity.UserAgent) }

// SessionID is the sign-in session.
func (a *Activity) SessionID() *string { return known(a.Activity.SessionID) }

// TokenID is the unique token identifier.
func (a *Activity) TokenID() *string { return known(a.Activity.TokenID) }

// CorrelationID is Microsoft's correlation id.
func (a *Activity) CorrelationID() *string { return known(a.Activity.CorrelationID) }

// Device is what is known of the device.
func (a *Activity) Device() *ActivityDevice { return &ActivityDevice{&a.Activity.Device} }

// Application is the client application.
func (a *Activity) Application() *ActivityApplication {
	return &ActivityApplication{&a.Activity.Application}
}

// Resource is the resource application.
func (a *Activity) Resource() *string { return known(a.Activity.Resource) }

// Target is what was acted on.
func (a *Activity) Target() *string { return known(a.Activity.Target) }

// Subject is the subject of the message concerned.
func (a *Activity) Subject() *string { return known(a.Activity.Subject) }

// Sender is its sender.
func (a *Activity) Sender() *string { return known(a.Activity.Sender) }

// Modifications are the properties changed.
func (a *Activity) Modifications() []activity.Modification { return a.Modified }

// Raw is Microsoft's record.
func (a *Activity) Raw() JSON { return JSON(a.Activity.Raw) }

// ActivityActor is who acted.
type ActivityActor struct{ *activity.Actor }

// Principal is the actor's name or id.
func (a *ActivityActor) Principal() *string { return known(a.Actor.Principal) }

// ObjectID is the actor's Entra object id.
func (a *ActivityActor) ObjectID() *string { return known(a.Actor.ObjectID) }

// ActivityNetwork is the network of an address.
type ActivityNetwork struct{ *activity.Network }

// Number is the number of the autonomous system.
func (n *ActivityNetwork) Number() *uint32 { return known(n.Network.Number) }

// Owner is who runs it.
func (n *ActivityNetwork) Owner() *string { return known(n.Network.Owner) }

// Kind is what kind of network it is; a record without address has no network.
func (n *ActivityNetwork) Kind() activity.NetworkKind {
	if n.Network.Kind == "" {
		return activity.NetworkUnknown
	}
	return n.Network.Kind
}

// ActivityApplication is a client application.
type ActivityApplication struct{ *activity.Application }

// ID of the application.
func (a *ActivityApplication) ID() *string { return known(a.Application.ID) }

// Name of the application.
func (a *ActivityApplication) Name() *string { return known(a.Application.Name) }

// ActivityDevice is a device.
type ActivityDevice struct{ *activity.Device }

// ID of the device.
func (d *ActivityDevice) ID() *string { return known(d.Device.ID) }

// Name of the device.
func (d *ActivityDevice) Name() *string { return known(d.Device.Name) }

// OS is its operating system.
func (d *ActivityDevice) OS() *string { return known(d.Device.OS) }

// Browser is the browser.
func (d *ActivityDevice) Browser() *string { return known(d.Device.Browser) }
