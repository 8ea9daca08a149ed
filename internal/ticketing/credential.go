package ticketing

import (
	"encoding/json"
	"fmt"
	"maps"

	"github.com/cairn-itdr/cairn/ent"
	"github.com/cairn-itdr/cairn/internal/secret"
)

const (
	credentialColumn = "credentials"
	callbackColumn   = "callback_secret"
)

// row is where a secret of a connection belongs.
func row(c *ent.PSAConnection, column string) secret.Row {
	return secret.Row{OrganizationID: c.OrganizationID, Table: connections, ID: c.ID, Column: column}
}

func (s *Service) seal(c *ent.PSAConnection, column string, plain []byte) ([]byte, error) {
	return s.Secrets.Seal(row(c, column), plain)
}

// open opens a secret of a connection; nil where there is none.
func (s *Service) open(c *ent.PSAConnection, column string, sealed []byte) ([]byte, error) {
	if len(sealed) == 0 {
		return nil, nil
	}
	plain, err := s.Secrets.Open(row(c, column), sealed)
	if err != nil {
		return nil, fmt.Errorf("PSA connection %q: %w", c.Name, err)
	}
	return plain, nil
}

// fieldsOf returns what a connection was made with, secrets among it.
func (s *Service) fieldsOf(c *ent.PSAConnection) (map[string]string, error) {
	plain, err := s.open(c, credentialColumn, c.Credentials)
	if err != nil {
		return nil, err
	}
	fields := map[string]string{}
	if err := json.Unmarshal(plain, &fields); err != nil {
		return nil, fmt.Errorf("read the credentials of PSA connection %q: %w", c.Name, err)
	}
	maps.Copy(fields, c.Fields)
	return fields, nil
}

// sealFields seals what of the fields must not be shown.
func (s *Service) sealFields(c *ent.PSAConnection, fields map[string]string) ([]byte, error) {
	vendor, _ := s.vendor(c.Kind)
	secrets := map[string]string{}
	for _, f := range vendor.Fields {
		if f.Secret {
			secrets[f.Name] = fields[f.Name]
		}
	}
	plain, err := json.Marshal(secrets)
	if err != nil {
		return nil, fmt.Errorf("seal credentials: %w", err)
	}
	return s.seal(c, credentialColumn, plain)
}
