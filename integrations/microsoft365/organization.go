package microsoft365

import (
	"context"
	"encoding/json"
	"net/url"
	"slices"
	"strings"
	"time"
)

// Organization is what a directory says of itself.
type Organization struct {
	ID          string `json:"id"`
	DisplayName string `json:"displayName"`
	// SyncEnabled says that accounts come from a directory on premises.
	SyncEnabled     bool      `json:"onPremisesSyncEnabled"`
	LastSync        time.Time `json:"onPremisesLastSyncDateTime"`
	CountryCode     string    `json:"countryLetterCode"`
	CreatedAt       time.Time `json:"createdDateTime"`
	VerifiedDomains []struct {
		Name      string `json:"name"`
		IsDefault bool   `json:"isDefault"`
		IsInitial bool   `json:"isInitial"`
	} `json:"verifiedDomains"`
	Raw json.RawMessage `json:"-"`
}

// Organization reads the directory's own record: the proof that a token is good
// there. Another directory's is ReasonTenant.
func (t *Tenant) Organization(ctx context.Context) (Organization, error) {
	q := request{doing: "read the organization", address: t.at("v1.0", "organization", nil)}
	all, err := records(t.list(ctx, q, ""), q.doing, func(o *Organization, raw json.RawMessage) { o.Raw = raw })
	if err != nil {
		return Organization{}, err
	}
	if len(all) != 1 {
		return Organization{}, fail(ReasonProtocol, q.doing, "a token is good in one organization, and Graph told of another number")
	}
	if !strings.EqualFold(all[0].ID, t.ID) {
		return Organization{}, fail(ReasonTenant, q.doing, "the token is another tenant's")
	}
	return all[0], nil
}

// Granted returns the application permissions that the tenant granted for an
// API (Endpoints' audiences), as the API's token names them. Fresh asks Entra
// again: after consent changed it takes it some minutes to notice.
func (t *Tenant) Granted(ctx context.Context, api Endpoint, fresh bool) ([]string, error) {
	if fresh {
		t.app.tokens.drop(t.ID)
	}
	token, err := t.token(ctx, api.Audience)
	if err != nil {
		return nil, err
	}
	return slices.Clone(token.roles), nil
}

// DropTokens forgets the tenant's tokens.
func (t *Tenant) DropTokens() { t.app.tokens.drop(t.ID) }

// Endpoints are those of the tenant's application.
func (t *Tenant) Endpoints() Endpoints { return t.app.endpoints }

// Plans is what a tenant has licensed, as far as it matters here.
type Plans struct {
	P1, P2       bool // Entra ID
	AuditPremium bool
	SKUs         []SKU
}

// SKU is a product the tenant subscribed to.
type SKU struct {
	ID         string `json:"skuId"`
	PartNumber string `json:"skuPartNumber"`
	AppliesTo  string `json:"appliesTo"`
	Status     string `json:"capabilityStatus"`
	Consumed   int    `json:"consumedUnits"`
	Prepaid    struct {
		Enabled   int `json:"enabled"`
		Suspended int `json:"suspended"`
		Warning   int `json:"warning"`
	} `json:"prepaidUnits"`
	Plans []struct {
		ID     string `json:"servicePlanId"`
		Name   string `json:"servicePlanName"`
		Status string `json:"provisioningStatus"`
	} `json:"servicePlans"`
	Raw json.RawMessage `json:"-"`
}

// The service plans that matter.
// Source: learn.microsoft.com/entra/identity/users/licensing-service-plan-reference.
const (
	planP1           = "41781fb2-bc02-4b7c-bd55-b576c07bb09d"
	planP2           = "eec0eb4f-6444-4f95-aba0-50c24d67f998"
	planAuditPremium = "2f442157-a11c-46b9-ae5b-6e39ff4e5849"
)

// Plans reads the tenant's subscriptions.
func (t *Tenant) Plans(ctx context.Context) (Plans, error) {
	q := request{doing: "read the tenant's licences", address: t.at("v1.0", "subscribedSkus", url.Values{
		"$select": {"skuId,skuPartNumber,appliesTo,capabilityStatus,consumedUnits,prepaidUnits,servicePlans"},
	})}
	skus, err := records(t.list(ctx, q, ""), q.doing, func(s *SKU, raw json.RawMessage) { s.Raw = raw })
	if err != nil {
		return Plans{}, err
	}
	plans := Plans{SKUs: skus}
	for _, sku := range skus {
		if sku.Status != "Enabled" && sku.Status != "Warning" {
			continue
		}
		for _, plan := range sku.Plans {
			if plan.Status == "Disabled" {
				continue
			}
			switch strings.ToLower(plan.ID) {
			case planP1:
				plans.P1 = true
			case planP2:
				plans.P1, plans.P2 = true, true
			case planAuditPremium:
				plans.AuditPremium = true
			}
		}
	}
	return plans, nil
}
