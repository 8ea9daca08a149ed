package detect

import (
	"strings"

	"github.com/cairn-itdr/cairn/internal/activity"
)

// Acts about who somebody is: second factors, devices, passwords, accounts.

var securityInfo = act{
	Description: Description{
		ID: "security-info", Title: "Second factor added", Stage: StageHold,
		Behaviours: []string{"MFA-ADD"}, Techniques: []string{"T1556.006"},
		Benign: "A new telephone, a roll-out: from the usual place, or in a hotel with a known client.",
	},
	ops: []string{"User registered security info", "User changed default security info", "User registered all required security info", "Update user"},
	read: func(a *activity.Activity) (string, string, weight) {
		if a.Operation == "Update user" {
			for i := range a.Modified {
				if n := a.Modified[i].Name; n == "StrongAuthenticationMethod" || n == "StrongAuthenticationPhoneAppDetail" || n == "StrongAuthenticationUserDetails" {
					return "a second factor was changed", activity.Principal(a.Target), weightPoor
				}
			}
			return "", "", weightless
		}
		return "a second factor was added", activity.Principal(a.Target), weightPoor
	},
}

var strongAuthenticationOff = act{
	Description: Description{
		ID: "strong-authentication-off", Title: "Second factor switched off", Stage: StageHold,
		Behaviours: []string{"MFA-OFF"}, Techniques: []string{"T1556.006"},
		Benign: "The help desk helps somebody to a new telephone: the usual administrator at the usual place.",
	},
	ops:  []string{"Disable Strong Authentication", "User deleted security info", "Admin deleted security info", "Delete application password for user"},
	read: always("a second factor was taken away", weightBad),
}

var temporaryPass = act{
	Description: Description{
		ID: "temporary-access-pass", Title: "Way in made for another account", Stage: StageHold,
		Behaviours: []string{"TAP", "PWD-RESET"}, Techniques: []string{"T1098"},
		Benign: "The help desk at work: the usual administrator at the usual place.",
	},
	ops: []string{
		"Create Temporary Access Pass method for user", "Admin registered temporary access pass method for user", "Admin registered security info",
		"Reset user password", "Reset password (by admin)",
	},
	read: always("a password, pass or second factor was set for another account", weightPoor),
}

var deviceRegistration = act{
	Description: Description{
		ID: "device-registration", Title: "Device registered", Stage: StageHold,
		Behaviours: []string{"DEV-REG"}, Techniques: []string{"T1098.005"},
		Benign: "A new laptop or telephone, from the usual place or with a known client.",
	},
	ops:  []string{"Add device", "Register device", "Add registered users to device", "Add registered owner to device"},
	read: always("a device was registered", weightPoor),
}

var accountCreated = act{
	Description: Description{
		ID: "account-created", Title: "Account created or invited", Stage: StageHold,
		Behaviours: []string{"USER-ADD", "GUEST"}, Techniques: []string{"T1136.003"},
		Benign: "New colleagues and guests: the usual people. Information by itself.",
	},
	ops: []string{"Invite external user", "Add user"},
	read: func(a *activity.Activity) (string, string, weight) {
		return "an account was made", activity.Principal(a.Target), weightPoor
	},
	silent: true,
}

var usersDeleted = act{
	Description: Description{
		ID: "users-deleted", Title: "Many accounts deleted or stripped of roles", Stage: StageUse,
		Behaviours: []string{"MASS-DELETE"}, Techniques: []string{"T1531"},
		Benign: "Leavers at the end of a month: fewer than five within an hour, or from the usual place.",
	},
	ops:     []string{"Delete user", "Hard Delete user", "Disable account"},
	read:    always("accounts were deleted or switched off", weightBad),
	atLeast: 5,
}

var roleRemoved = act{
	Description: Description{
		ID: "role-removed", Title: "Administrator removed", Stage: StageUse,
		Behaviours: []string{"MASS-DELETE"}, Techniques: []string{"T1531"},
		Benign: "Housekeeping by the usual administrator.",
	},
	ops: []string{"Remove member from role", "Remove eligible member from role", "Remove member from group"},
	read: func(a *activity.Activity) (string, string, weight) {
		m, _ := a.Modification("Role.DisplayName")
		if name, rank := rankOf(unquoted(m.Old+m.New), ""); rank > 0 {
			return "the role " + name + " was taken away", activity.Principal(a.Target), weightPoor
		}
		m, _ = a.Modification("Group.DisplayName")
		if strings.Contains(strings.ToLower(m.Old+m.New), "admin") {
			return "a member of an administrators' group was removed", activity.Principal(a.Target), weightPoor
		}
		return "", "", weightless
	},
}

// attackTools are what tools for attacks call themselves, lower case.
var attackTools = []string{
	"aadinternals", "azurehound", "roadtools", "roadrecon", "teamfiltration", "graphrunner", "kali365", "o365spray", "msolspray", "trevorspray",
}

var attackTool = act{
	Description: Description{
		ID: "attack-tool", Title: "Attack tool by its own name", Stage: StageEntry,
		Behaviours: []string{"TOOL-UA"}, Techniques: []string{"T1087", "T1078.004"},
		Needs:  []activity.Source{activity.SourceSignIn, activity.SourceUnifiedAudit},
		Benign: "An ordered test: told, to be excepted by the operator.",
	},
	ops: []string{"UserLoggedIn", "Sign-in"},
	read: func(a *activity.Activity) (string, string, weight) {
		// What passes for a browser does not name itself.
		if a.Result != activity.ResultSuccess || len(a.UserAgent) > agentTextLimit || strings.HasPrefix(a.UserAgent, "Mozilla/") {
			return "", "", weightless
		}
		agent := strings.ToLower(a.UserAgent)
		for _, tool := range attackTools {
			if strings.Contains(agent, tool) {
				return "a tool for attacks signed in", tool, weightWorst
			}
		}
		return "", "", weightless
	},
}
