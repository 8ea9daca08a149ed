package microsoft365

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"net/url"
	"time"
)

// credential proves to Entra that the caller is the application. It is kept by
// its address, so that whoever prints an App prints no secret.
type credential struct {
	secret      string
	key         *rsa.PrivateKey
	certificate *x509.Certificate
}

// readCredential takes a secret or a PEM text with a certificate and its RSA
// key. Its errors quote nothing of either.
func readCredential(secret string, text []byte) (*credential, error) {
	if (secret == "") == (len(text) == 0) {
		return nil, errNoCredential
	}
	if secret != "" {
		return &credential{secret: secret}, nil
	}
	var c credential
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		switch block.Type {
		case "CERTIFICATE":
			if c.certificate != nil {
				continue // the chain above it
			}
			certificate, err := x509.ParseCertificate(block.Bytes)
			if err != nil {
				return nil, errors.New("the certificate cannot be read")
			}
			c.certificate = certificate
		case "PRIVATE KEY", "RSA PRIVATE KEY":
			key, err := readKey(block)
			if err != nil {
				return nil, err
			}
			c.key = key
		default:
		}
	}
	if c.certificate == nil || c.key == nil {
		return nil, errors.New("the PEM text must hold a certificate and its private key")
	}
	public, ok := c.certificate.PublicKey.(*rsa.PublicKey)
	if !ok || !public.Equal(c.key.Public()) {
		return nil, errors.New("the private key is not the certificate's")
	}
	return &c, nil
}

func readKey(block *pem.Block) (*rsa.PrivateKey, error) {
	if block.Type == "RSA PRIVATE KEY" {
		key, err := x509.ParsePKCS1PrivateKey(block.Bytes)
		if err != nil {
			return nil, errors.New("the private key cannot be read")
		}
		return key, nil
	}
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, errors.New("the private key cannot be read; it must not be protected by a password")
	}
	key, ok := parsed.(*rsa.PrivateKey)
	if !ok {
		return nil, errors.New("the private key is not an RSA key, which Entra wants")
	}
	return key, nil
}

// sign adds to a token request what proves the application. Audience is the
// address the request goes to.
// Source: learn.microsoft.com/entra/identity-platform/certificate-credentials.
func (c *credential) sign(form url.Values, clientID, audience string, now time.Time) error {
	form.Set("client_id", clientID)
	if c.secret != "" {
		form.Set("client_secret", c.secret)
		return nil
	}
	thumbprint := sha256.Sum256(c.certificate.Raw)
	id := make([]byte, 16)
	if _, err := rand.Read(id); err != nil {
		return fmt.Errorf("make an id for the assertion: %w", err)
	}
	part := func(v any) string {
		raw, err := json.Marshal(v)
		if err != nil {
			panic(err) // a map of strings and numbers
		}
		return base64.RawURLEncoding.EncodeToString(raw)
	}
	text := part(map[string]string{
		"alg": "PS256", "typ": "JWT", "x5t#S256": base64.RawURLEncoding.EncodeToString(thumbprint[:]),
	}) + "." + part(map[string]any{
		"iss": clientID, "sub": clientID, "aud": audience, "jti": base64.RawURLEncoding.EncodeToString(id),
		// Clocks may differ by ten minutes.
		"nbf": now.Add(-10 * time.Minute).Unix(), "iat": now.Add(-10 * time.Minute).Unix(), "exp": now.Add(10 * time.Minute).Unix(),
	})
	sum := sha256.Sum256([]byte(text))
	signature, err := rsa.SignPSS(rand.Reader, c.key, crypto.SHA256, sum[:], &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash})
	if err != nil {
		return fmt.Errorf("sign the assertion: %w", err)
	}
	form.Set("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer")
	form.Set("client_assertion", text+"."+base64.RawURLEncoding.EncodeToString(signature))
	return nil
}
