package detect

import (
	"bytes"
	"encoding/json"
	"strings"

	"github.com/cairn-itdr/cairn/internal/activity"
)

// Acts that change the tenant for everybody.

var federation = act{
	Description: Description{
		ID: "federation-changed", Title: "Federation or domains changed", Stage: StageHold,
		Behaviours: []string{"FED", "SSO-ODD"}, Techniques: []string{"T1484.002", "T1606.002"},
		Benign: "The first set-up of federation, a new domain: the usual administrator. Told nevertheless: whoever owns federation signs in as anybody.",
	},
	ops: []string{
		"Set domain authentication", "Set federation settings on domain", "Set-MsolDomainFederationSettings", "Add-FederatedDomain",
		"Add unverified domain", "Verify domain", "New-AcceptedDomain",
	},
	read: func(a *activity.Activity) (string, string, weight) {
		if strings.Contains(a.Operation, "ederat") || a.Operation == "Set domain authentication" {
			return "federation was changed", objectName(a.Target), weightWorst
		}
		return "a domain was added", objectName(a.Target), weightPoor
	},
}

var accessPolicy = act{
	Description: Description{
		ID: "access-policy-changed", Title: "Access policy changed", Stage: StageHold,
		Behaviours: []string{"CA-CHANGE"}, Techniques: []string{"T1556.009"},
		Benign: "A planned roll-out by the usual administrator.",
	},
	ops: []string{
		"Update conditional access policy", "Delete conditional access policy", "Add conditional access policy", "Update policy", "Delete policy",
		"Update authorization policy", "Update security defaults", "Add named location", "Update named location",
		"Authentication Methods Policy Update", "Update external authentication method",
	},
	read: func(a *activity.Activity) (string, string, weight) {
		w := weightPoor
		if strings.HasPrefix(a.Operation, "Delete") || a.Operation == "Update authorization policy" {
			w = weightBad
		}
		for i := range a.Modified {
			m := &a.Modified[i]
			if len(m.New) <= planLimit && strings.Contains(strings.ToLower(m.New), `"state":"disabled"`) && !strings.Contains(strings.ToLower(m.Old), `"state":"disabled"`) {
				w = weightBad
			}
		}
		return "an access policy was changed (" + a.Operation + ")", objectName(a.Target), w
	},
}

var appCredential = act{
	Description: Description{
		ID: "app-credential", Title: "Secret or owner added to an application", Stage: StageHold,
		Behaviours: []string{"APP-CRED"}, Techniques: []string{"T1098.001"},
		Benign: "A secret renewed by the usual person at the usual place.",
	},
	ops: []string{
		"Update application – Certificates and secrets management", "Update application - Certificates and secrets management",
		"Add service principal credentials", "Add service principal credential", "Add owner to application", "Add owner to service principal",
		"Add federated identity credential", "Update service principal credentials",
	},
	read: always("a secret or an owner was added to an application", weightBad),
}

var appRole = act{
	Description: Description{
		ID: "app-role", Title: "Application given a wide permission of its own", Stage: StageHold,
		Behaviours: []string{"APP-ROLE"}, Techniques: []string{"T1098.003"},
		Benign: "A vendor's product set up by the usual administrator.",
	},
	ops: []string{"Add app role assignment to service principal"},
	read: func(a *activity.Activity) (string, string, weight) {
		if role := modified(a, "AppRole.Value"); wide(role) {
			return "an application was given " + role, objectName(a.Target), weightBad
		}
		return "", "", weightless
	},
}

// rawText reads one text of a record by its name, at the top level.
func rawText(raw []byte, name string) string {
	if !bytes.Contains(raw, []byte(`"`+name+`"`)) {
		return ""
	}
	var record map[string]json.RawMessage
	var s string
	if json.Unmarshal(raw, &record) != nil || json.Unmarshal(record[name], &s) != nil {
		return ""
	}
	return s
}
