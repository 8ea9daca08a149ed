package microsoft365

import (
	"context"
	"net/http"
	"net/url"

	"github.com/microsoftgraph/msgraph-sdk-go/models"
)

// Each call here may be repeated: what is done already, or gone, is done. None
// proves an effect: read back (User, InboxRules, Grants, …) and keep asking, for
// Microsoft's copies agree late and a synced account's master may differ.

// sdkError is a failure of the SDK: ours from below, or its own.
func sdkError(doing string, err error) error {
	if err == nil {
		return nil
	}
	return unreachable(doing, err)
}

// gone says that what was to be removed is not there.
func gone(err error) error {
	if Is(err, ReasonNotFound) {
		return nil
	}
	return err
}

// SetAccountEnabled lets an account sign in, or not. It is alone in its request:
// with a password beside it the whole fails where that right is missing. Of a
// synced account the directory on premises takes it back at its next sync.
// ReasonPermission also where the account holds a role that the application may
// not act on.
func (t *Tenant) SetAccountEnabled(ctx context.Context, account string, enabled bool) error {
	u := models.NewUser()
	u.SetAccountEnabled(&enabled)
	_, err := t.graph.user(account).Patch(ctx, u, nil)
	return sdkError("set whether an account is enabled", err)
}

// RevokeSessions ends an account's sessions: refresh tokens and browser cookies
// within minutes, access tokens not. User.SessionsValidFrom moves when it has
// happened. A guest's sessions are its home tenant's.
func (t *Tenant) RevokeSessions(ctx context.Context, account string) error {
	_, err := t.graph.user(account).RevokeSignInSessions().PostAsRevokeSignInSessionsPostResponse(ctx, nil)
	return sdkError("revoke an account's sessions", err)
}

// ResetPassword gives an account a new password, to be changed at the next
// sign-in. A synced account is refused with ReasonSynced: Microsoft would accept
// it for some, and the directory on premises would never know.
func (t *Tenant) ResetPassword(ctx context.Context, account, password string) error {
	const doing = "reset a password"
	u, err := t.User(ctx, account)
	if err != nil {
		return sdkError(doing, err)
	}
	if u.Synced {
		return fail(ReasonSynced, doing, "the account comes from a directory on premises")
	}
	profile, change := models.NewPasswordProfile(), true
	profile.SetPassword(&password)
	profile.SetForceChangePasswordNextSignIn(&change)
	patch := models.NewUser()
	patch.SetPasswordProfile(profile)
	_, err = t.graph.user(account).Patch(ctx, patch, nil)
	return sdkError(doing, err)
}

// DeleteInboxRule removes a rule through the door it was read by.
func (t *Tenant) DeleteInboxRule(ctx context.Context, account string, rule InboxRule) error {
	if rule.Via == RuleViaExchange {
		// With Identity and Mailbox together Exchange refuses: the identity names both.
		return t.run(ctx, command{
			doing: "delete an inbox rule through Exchange", cmdlet: "Remove-InboxRule", mailbox: account,
			with: map[string]any{"Identity": rule.ID, "Force": true, "Confirm": false},
		})
	}
	err := t.graph.user(account).MailFolders().ByMailFolderId("inbox").MessageRules().ByMessageRuleId(rule.ID).Delete(ctx, nil)
	return gone(sdkError("delete an inbox rule", err))
}

// SetInboxRuleEnabled switches a rule on or off. Switching off what is gone is done.
func (t *Tenant) SetInboxRuleEnabled(ctx context.Context, account string, rule InboxRule, enabled bool) error {
	if rule.Via == RuleViaExchange {
		c := command{
			doing: "disable an inbox rule through Exchange", cmdlet: "Disable-InboxRule", mailbox: account,
			with: map[string]any{"Identity": rule.ID, "Force": true, "Confirm": false},
		}
		if enabled {
			c.doing, c.cmdlet = "enable an inbox rule through Exchange", "Enable-InboxRule"
		}
		return t.run(ctx, c)
	}
	patch := models.NewMessageRule()
	patch.SetIsEnabled(&enabled)
	_, err := t.graph.user(account).MailFolders().ByMailFolderId("inbox").MessageRules().ByMessageRuleId(rule.ID).Patch(ctx, patch, nil)
	if err = sdkError("set whether an inbox rule is enabled", err); !enabled {
		err = gone(err)
	}
	return err
}

// RemoveForwarding ends a mailbox's forwarding, inside and outside the tenant.
func (t *Tenant) RemoveForwarding(ctx context.Context, account string) error {
	return t.run(ctx, command{
		doing: "remove a mailbox's forwarding", cmdlet: "Set-Mailbox", mailbox: account,
		with: map[string]any{
			"Identity": account, "ForwardingAddress": nil, "ForwardingSmtpAddress": nil, "DeliverToMailboxAndForward": false,
			"Confirm": false,
		},
	})
}

// DeleteGrant takes a delegated permission back. The application's own service
// principal stays: disable it too.
func (t *Tenant) DeleteGrant(ctx context.Context, id string) error {
	return gone(sdkError("delete a consent grant", t.graph.grant(id).Delete(ctx, nil)))
}

// SetServicePrincipalEnabled lets an application in, or not. Disabled it keeps
// its grants, which are evidence and no longer work, and it bars a new consent.
func (t *Tenant) SetServicePrincipalEnabled(ctx context.Context, id string, enabled bool) error {
	s := models.NewServicePrincipal()
	s.SetAccountEnabled(&enabled)
	_, err := t.graph.servicePrincipal(id).Patch(ctx, s, nil)
	if err = sdkError("set whether an application is enabled", err); !enabled {
		err = gone(err)
	}
	return err
}

// methodPaths are the segments by which methods are deleted. A password is not
// deleted, it is reset.
// Source: Graph's metadata, authentication.
var methodPaths = map[string]string{
	"phone": "phoneMethods", "microsoftAuthenticator": "microsoftAuthenticatorMethods", "softwareOath": "softwareOathMethods",
	"fido2": "fido2Methods", "email": "emailMethods", "temporaryAccessPass": "temporaryAccessPassMethods",
	"windowsHelloForBusiness": "windowsHelloForBusinessMethods", "platformCredential": "platformCredentialMethods",
}

// RemoveMethod deletes an authentication method. The default one refuses until
// it is the last (ReasonConflict): remove the others, then try again, until
// Methods shows none or no fewer.
func (t *Tenant) RemoveMethod(ctx context.Context, account string, m Method) error {
	const doing = "remove an authentication method"
	path, ok := methodPaths[m.Kind()]
	if !ok {
		return fail(ReasonInvalid, doing, "methods of this kind cannot be removed")
	}
	_, _, err := t.do(ctx, request{
		doing: doing, method: http.MethodDelete,
		address: t.at("v1.0", "users/"+url.PathEscape(account)+"/authentication/"+path+"/"+url.PathEscape(m.ID), nil),
	})
	return gone(err)
}

// DisableDevice bars a device. As an application one may only do so with
// Windows devices: ReasonPermission or ReasonInvalid for others, which can be
// deleted.
func (t *Tenant) DisableDevice(ctx context.Context, objectID string) error {
	off := false
	d := models.NewDevice()
	d.SetAccountEnabled(&off)
	_, err := t.graph.device(objectID).Patch(ctx, d, nil)
	return gone(sdkError("disable a device", err))
}

// DeleteDevice removes a device from the directory. A managed one may come back.
func (t *Tenant) DeleteDevice(ctx context.Context, objectID string) error {
	return gone(sdkError("delete a device", t.graph.device(objectID).Delete(ctx, nil)))
}
