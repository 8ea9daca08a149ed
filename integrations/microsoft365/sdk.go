package microsoft365

import (
	"net/http"

	"github.com/microsoft/kiota-abstractions-go/authentication"
	kiotahttp "github.com/microsoft/kiota-http-go"
	kiotajson "github.com/microsoft/kiota-serialization-json-go"
	"github.com/microsoftgraph/msgraph-sdk-go/devices"
	"github.com/microsoftgraph/msgraph-sdk-go/oauth2permissiongrants"
	"github.com/microsoftgraph/msgraph-sdk-go/serviceprincipals"
	"github.com/microsoftgraph/msgraph-sdk-go/users"
)

// sdk is the Graph SDK for one tenant: its builders over our way of making
// calls. Its own middleware (retries, redirects) is left out: budgets must see
// every call.
type sdk struct {
	adapter *kiotahttp.NetHttpRequestAdapter
	base    map[string]string
}

func (t *Tenant) sdk() (*sdk, error) {
	json := kiotajson.NewJsonParseNodeFactory()
	adapter, err := kiotahttp.NewNetHttpRequestAdapterWithParseNodeFactoryAndSerializationWriterFactoryAndHttpClient(
		&authentication.AnonymousAuthenticationProvider{}, json, kiotajson.NewJsonSerializationWriterFactory(), t.client())
	if err != nil {
		return nil, err
	}
	adapter.SetBaseUrl(t.app.endpoints.Graph.Address + "/v1.0")
	return &sdk{adapter, map[string]string{"baseurl": adapter.GetBaseUrl()}}, nil
}

// client makes calls as the application in the tenant.
func (t *Tenant) client() *http.Client {
	return &http.Client{Transport: carrier{t}, CheckRedirect: t.app.client.CheckRedirect, Timeout: t.app.client.Timeout}
}

func (s *sdk) users() *users.UsersRequestBuilder {
	return users.NewUsersRequestBuilderInternal(s.base, s.adapter)
}

func (s *sdk) user(id string) *users.UserItemRequestBuilder { return s.users().ByUserId(id) }

func (s *sdk) device(objectID string) *devices.DeviceItemRequestBuilder {
	return devices.NewDevicesRequestBuilderInternal(s.base, s.adapter).ByDeviceId(objectID)
}

func (s *sdk) grant(id string) *oauth2permissiongrants.OAuth2PermissionGrantItemRequestBuilder {
	return oauth2permissiongrants.NewOauth2PermissionGrantsRequestBuilderInternal(s.base, s.adapter).ByOAuth2PermissionGrantId(id)
}

func (s *sdk) servicePrincipal(id string) *serviceprincipals.ServicePrincipalItemRequestBuilder {
	return serviceprincipals.NewServicePrincipalsRequestBuilderInternal(s.base, s.adapter).ByServicePrincipalId(id)
}
