package detect

import "github.com/cairn-itdr/cairn/internal/activity"

// Description says what a rule looks for, for documents and the API.
type Description struct {
	ID         string // as findings name the rule
	Title      string
	Behaviours []string // ids of the detection notes, e.g. "RULE-HIDE"
	Techniques []string // MITRE ATT&CK
	Needs      []activity.Source
	Benign     string   // the innocent look-alikes, and what tells them apart
	Lowest     Severity // of the findings it makes
	Highest    Severity //
	Stage      Stage    // of its findings
}

// Rule is one detection: one file, and one line in Standard. It does at least
// one of what the three interfaces below say.
type Rule interface {
	Describe() Description
}

// recordRule notes single records in the account's book.
type recordRule interface {
	Rule
	// operations are those the rule wants to see, canonical.
	operations() []string
	// note returns what to remember of the record, weightless for what does not
	// matter. The weight rests on the record alone: nothing that comes later may change it.
	note(a *activity.Activity) ([]Fact, weight)
}

// failureRule is a record rule that wants to see what failed, and nothing else.
type failureRule interface {
	recordRule
	notesFailures()
}

// accountRule judges an account's month. It reads the month before, too.
type accountRule interface {
	Rule
	judgeAccount(v *accountView) ([]Finding, error)
}

// sourceRule judges a network prefix's month. It reads the month before, too.
type sourceRule interface {
	Rule
	judgeSource(v *sourceView) ([]Finding, []FailedAttack)
}

// Standard returns the engine with all rules.
func Standard() *Engine {
	return New(
		SessionHijack{},
		StrangeSignIn{},
		DeviceCode{},
		RefusedPrompt{},
		InboxRule{},
		MailboxForwarding{},
		TransportRule{},
		PrivilegedRole{},
		AppConsent{},
		PasswordSpray{},
		BruteForce{},
		securityInfo, strongAuthenticationOff, temporaryPass, deviceRegistration, accountCreated, usersDeleted, roleRemoved, attackTool,
		mailboxDelegation, protocolsOn, auditOff, protectionOff, exchangeRole, mailSearch, noticeDeleted,
		federation, accessPolicy, appCredential, appRole,
		LogFlooding{},
	)
}
