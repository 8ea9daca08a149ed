package model

import (
	"context"

	"github.com/cairn-itdr/cairn/internal/activity"
)

// Activity is an activity as the API shows it: what the record does not say is
// null. What stands in columns is at hand; what the record alone says is
// fetched when a field asks for it, and not before.
type Activity struct {
	*activity.Activity // what stands in columns

	Record Record
}

// Record is the vendor's record of an activity, read when it is asked for.
type Record interface {
	Raw(ctx context.Context) ([]byte, error)
	Whole(ctx context.Context) (*activity.Activity, error)
}

// said returns something the record alone says.
func said[T any](ctx context.Context, a *Activity, of func(*activity.Activity) T) (v T, err error) {
	whole, err := a.Record.Whole(ctx)
	if err != nil {
		return v, err
	}
	return of(whole), nil
}

// known returns nil for the zero value, which in a record means "unknown".
func known[T comparable](v T) *T {
	var zero T
	if v == zero {
		return nil
	}
	return &v
}

// What stands in columns:

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

// SessionID is the sign-in session.
func (a *Activity) SessionID() *string { return known(a.Activity.SessionID) }

// Application is the client application.
func (a *Activity) Application() *ActivityApplication { return &ActivityApplication{a} }

// Subject is the subject of the message concerned.
func (a *Activity) Subject() *string { return known(a.Activity.Subject) }

// Sender is its sender.
func (a *Activity) Sender() *string { return known(a.Activity.Sender) }

// What the record alone says:

// Workload is the service that recorded it.
func (a *Activity) Workload(ctx context.Context) (*string, error) {
	return said(ctx, a, func(w *activity.Activity) *string { return known(w.Workload) })
}

// RecordType is Microsoft's type of the record.
func (a *Activity) RecordType(ctx context.Context) (*string, error) {
	return said(ctx, a, func(w *activity.Activity) *string { return known(w.RecordType) })
}

// ErrorCode is Entra's error number.
func (a *Activity) ErrorCode(ctx context.Context) (*int, error) {
	return said(ctx, a, func(w *activity.Activity) *int { return known(w.ErrorCode) })
}

// Actor is who acted.
func (a *Activity) Actor(ctx context.Context) (*ActivityActor, error) {
	return said(ctx, a, func(w *activity.Activity) *ActivityActor { return &ActivityActor{&w.Actor} })
}

// UserAgent is the user agent.
func (a *Activity) UserAgent(ctx context.Context) (*string, error) {
	return said(ctx, a, func(w *activity.Activity) *string { return known(w.UserAgent) })
}

// TokenID is the unique token identifier.
func (a *Activity) TokenID(ctx context.Context) (*string, error) {
	return said(ctx, a, func(w *activity.Activity) *string { return known(w.TokenID) })
}

// CorrelationID is Microsoft's correlation id.
func (a *Activity) CorrelationID(ctx context.Context) (*string, error) {
	return said(ctx, a, func(w *activity.Activity) *string { return known(w.CorrelationID) })
}

// Device is what is known of the device.
func (a *Activity) Device(ctx context.Context) (*ActivityDevice, error) {
	return said(ctx, a, func(w *activity.Activity) *ActivityDevice { return &ActivityDevice{&w.Device} })
}

// Resource is the resource application.
func (a *Activity) Resource(ctx context.Context) (*string, error) {
	return said(ctx, a, func(w *activity.Activity) *string { return known(w.Resource) })
}

// SignIn says whether it is an attempt to sign in.
func (a *Activity) SignIn(ctx context.Context) (bool, error) {
	return said(ctx, a, func(w *activity.Activity) bool { return w.SignIn })
}

// Interactive says whether a person took part.
func (a *Activity) Interactive(ctx context.Context) (bool, error) {
	return said(ctx, a, func(w *activity.Activity) bool { return w.Interactive })
}

// Target is what was acted on.
func (a *Activity) Target(ctx context.Context) (*string, error) {
	return said(ctx, a, func(w *activity.Activity) *string { return known(w.Target) })
}

// Parameters are the arguments of a cmdlet.
func (a *Activity) Parameters(ctx context.Context) ([]activity.Parameter, error) {
	return said(ctx, a, func(w *activity.Activity) []activity.Parameter { return w.Parameters })
}

// Modifications are the properties changed.
func (a *Activity) Modifications(ctx context.Context) ([]activity.Modification, error) {
	return said(ctx, a, func(w *activity.Activity) []activity.Modification { return w.Modified })
}

// Raw is Microsoft's record.
func (a *Activity) Raw(ctx context.Context) (JSON, error) {
	raw, err := a.Record.Raw(ctx)
	return JSON(raw), err
}

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

// ActivityApplication is the client application of an activity.
type ActivityApplication struct{ of *Activity }

// ID of the application.
func (a *ActivityApplication) ID() *string { return known(a.of.Activity.Application.ID) }

// Name of the application.
func (a *ActivityApplication) Name(ctx context.Context) (*string, error) {
	return said(ctx, a.of, func(w *activity.Activity) *string { return known(w.Application.Name) })
}

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
