package detect

import (
	"regexp"
	"strings"

	"github.com/cairn-itdr/cairn/internal/activity"
)

// Acts about mailboxes: who may open them, by what, and what is looked for.

var mailboxDelegation = act{
	Description: Description{
		ID: "mailbox-delegation", Title: "Access to a mailbox given", Stage: StageHold,
		Behaviours: []string{"MBX-DELEGATE"}, Techniques: []string{"T1098.002"},
		Benign: "A shared mailbox, given by the usual administrator; Exchange's own grants for discovery.",
	},
	ops: []string{"Add-MailboxPermission", "Add-RecipientPermission", "Set-Mailbox", "AddFolderPermissions", "ModifyFolderPermissions", "Add-MailboxFolderPermission"},
	read: func(a *activity.Activity) (string, string, weight) {
		box := objectName(a.Target)
		if box == "" {
			box = objectName(text(a, "Identity"))
		}
		switch a.Operation {
		case "Set-Mailbox":
			if text(a, "GrantSendOnBehalfTo") == "" {
				return "", "", weightless
			}
		case "AddFolderPermissions", "ModifyFolderPermissions", "Add-MailboxFolderPermission":
			who := strings.ToLower(text(a, "MemberUpn") + text(a, "User"))
			if who != "default" && who != "anonymous" {
				return "", "", weightless
			}
		default:
			if strings.Contains(text(a, "User"), "Discovery Management") {
				return "", "", weightless
			}
			if to := text(a, "User") + text(a, "Trustee"); to != "" && strings.EqualFold(activity.Principal(to), a.Actor.Principal) {
				return "the account gave itself access to a mailbox", box, weightBad
			}
		}
		return "access to a mailbox was given", box, weightPoor
	},
}

var protocolsOn = act{
	Description: Description{
		ID: "legacy-protocol-on", Title: "Old mail protocol switched on", Stage: StageHold,
		Behaviours: []string{"LEGACY-ON"}, Techniques: []string{"T1114.002"},
		Benign: "A printer project: a service's mailbox, set by the usual administrator.",
	},
	ops: []string{"Set-CASMailbox", "Set-TransportConfig", "Set-AuthenticationPolicy", "New-AuthenticationPolicy"},
	read: func(a *activity.Activity) (string, string, weight) {
		if truth(a, "ImapEnabled") || truth(a, "PopEnabled") || falsity(a, "SmtpClientAuthenticationDisabled") ||
			truth(a, "AllowBasicAuthImap") || truth(a, "AllowBasicAuthPop") || truth(a, "AllowBasicAuthSmtp") {
			return "an old mail protocol was switched on", objectName(a.Target), weightPoor
		}
		return "", "", weightless
	},
}

var auditOff = act{
	Description: Description{
		ID: "audit-off", Title: "Audit log blinded", Stage: StageHold,
		Behaviours: []string{"AUDIT-OFF"}, Techniques: []string{"T1562.008"},
		Benign: "Microsoft's own service switches the log on daily; licences change in bulk.",
	},
	ops: []string{"Set-AdminAuditLogConfig", "Set-MailboxAuditBypassAssociation", "Set-Mailbox", "Set-OrganizationConfig", "Remove-UnifiedAuditLogRetentionPolicy", "Change user license", "Update user"},
	read: func(a *activity.Activity) (string, string, weight) {
		about := objectName(a.Target)
		switch {
		case a.Operation == "Set-AdminAuditLogConfig" && falsity(a, "UnifiedAuditLogIngestionEnabled"):
			return "the unified audit log was switched off", about, weightWorst
		case a.Operation == "Set-MailboxAuditBypassAssociation" && truth(a, "AuditBypassEnabled"):
			return "an account was taken out of mailbox auditing", about, weightWorst
		case a.Operation == "Set-Mailbox" && falsity(a, "AuditEnabled"), a.Operation == "Set-OrganizationConfig" && truth(a, "AuditDisabled"),
			a.Operation == "Remove-UnifiedAuditLogRetentionPolicy":
			return "auditing was reduced", about, weightBad
		case auditPlanLost(a):
			return "the plan that keeps premium audit records was taken from a licence", activity.Principal(a.Target), weightPoor
		}
		return "", "", weightless
	},
}

// planLimit is how much of a property about plans is read.
const planLimit = 1 << 16

// withoutAudit finds the plan of premium auditing among a licence's disabled ones.
var withoutAudit = regexp.MustCompile(`DisabledPlans=\[[^\]]*M365_ADVANCED_AUDITING`)

func auditPlanLost(a *activity.Activity) bool {
	m, _ := a.Modification("AssignedLicense")
	return len(m.New) <= planLimit && len(m.Old) <= planLimit && withoutAudit.MatchString(m.New) && !withoutAudit.MatchString(m.Old)
}

var protectionOff = act{
	Description: Description{
		ID: "protection-off", Title: "Mail protection lowered", Stage: StageHold,
		Behaviours: []string{"MAIL-GUARD"}, Techniques: []string{"T1562.001"},
		Benign: "One protection product takes the place of another: the usual administrator.",
	},
	ops: []string{
		"Remove-AntiPhishRule", "Disable-AntiPhishRule", "Remove-AntiPhishPolicy", "Remove-MalwareFilterRule", "Disable-MalwareFilterRule",
		"Remove-SafeLinksRule", "Disable-SafeLinksRule", "Remove-SafeAttachmentRule", "Disable-SafeAttachmentRule", "Remove-HostedContentFilterRule",
		"Remove-DlpCompliancePolicy", "Remove-DlpPolicy", "Set-DkimSigningConfig",
	},
	read: func(a *activity.Activity) (string, string, weight) {
		if a.Operation == "Set-DkimSigningConfig" && !falsity(a, "Enabled") {
			return "", "", weightless
		}
		return "a protection was removed or switched off (" + a.Operation + ")", objectName(a.Target), weightBad
	},
}

var exchangeRole = act{
	Description: Description{
		ID: "exchange-role", Title: "Exchange role given", Stage: StageHold,
		Behaviours: []string{"EXO-ROLE"}, Techniques: []string{"T1098.003"},
		Benign: "A migration product is given impersonation by the usual administrator.",
	},
	ops: []string{"New-ManagementRoleAssignment", "New-RoleGroup", "Add-RoleGroupMember", "Update-RoleGroupMember"},
	read: func(a *activity.Activity) (string, string, weight) {
		return "an Exchange role was given: " + text(a, "Role") + text(a, "Roles"), objectName(text(a, "User") + text(a, "App") + text(a, "Member") + text(a, "Name")), weightBad
	},
}

var mailSearch = act{
	Description: Description{
		ID: "mail-search", Title: "Mail searched for money and passwords", Stage: StageUse,
		Behaviours: []string{"MAIL-SEARCH"}, Techniques: []string{"T1114"},
		Benign: "Finance and IT staff search so all day: told only in a session that is not the owner's.",
	},
	ops: []string{"SearchQueryInitiatedExchange", "SearchQueryInitiatedSharePoint", "SearchQueryPerformed"},
	read: func(a *activity.Activity) (string, string, weight) {
		query := text(a, "QueryText") + text(a, "SearchQueryText")
		if query == "" {
			query = rawText(a.Raw, "QueryText")
		}
		if len(query) <= planLimit && (financeWords.MatchString(query) || soughtWords.MatchString(query)) {
			return "a search", query, weightPoor
		}
		return "", "", weightless
	},
	silent: true,
}

var soughtWords = regexp.MustCompile(`(?i)\b(iban|swift|w-?2|passwords?|vpn|ach|transfer|wire)\b`)

var noticeDeleted = act{
	Description: Description{
		ID: "security-notice-deleted", Title: "Security notice deleted", Stage: StageUse,
		Behaviours: []string{"NOTICE-DEL"}, Techniques: []string{"T1070.008"},
		Benign: "Tidy people: told only in a session that is not the owner's.",
	},
	ops: []string{"SoftDelete", "HardDelete", "MoveToDeletedItems"},
	read: func(a *activity.Activity) (string, string, weight) {
		if len(a.Subject) <= planLimit && noticeWords.MatchString(a.Subject) {
			return "a security notice was deleted", a.Subject, weightPoor
		}
		return "", "", weightless
	},
	silent: true,
}

var noticeWords = regexp.MustCompile(`(?i)security (info|alert)|sign-?in|new device|password|authenticator|verification|multi-?factor|\bmfa\b|unusual`)
