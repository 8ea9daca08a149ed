package microsoft365

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"time"

	"github.com/microsoftgraph/msgraph-sdk-go/users"
)

// Message is one mail in one mailbox.
type Message struct {
	ID         string // changes when the mail moves
	InternetID string // the same in all mailboxes
	Subject    string
	From       string
	Folder     string // id of the folder it lies in
	ReceivedAt time.Time
	Raw        json.RawMessage
}

// Search says which mail is meant: by its internet message id, or by sender and
// subject. Empty parts are not looked at; one must be there.
type Search struct {
	InternetID string
	From       string
	Subject    string
	// Since is the earliest reception, zero for all.
	Since time.Time
}

// FindMessages returns a mailbox's mails that the search means.
func (t *Tenant) FindMessages(ctx context.Context, account string, s Search) ([]Message, error) {
	const doing = "find messages"
	var filter string
	and := func(part string) {
		if filter != "" {
			filter += " and "
		}
		filter += part
	}
	if !s.Since.IsZero() {
		and("receivedDateTime ge " + s.Since.UTC().Format(time.RFC3339))
	}
	switch {
	case s.InternetID != "":
		and("internetMessageId eq " + quote(s.InternetID))
	case s.From == "" && s.Subject == "":
		return nil, fail(ReasonInvalid, doing, "say which messages are meant")
	}
	if s.From != "" {
		and("from/emailAddress/address eq " + quote(s.From))
	}
	if s.Subject != "" {
		and("subject eq " + quote(s.Subject))
	}
	q := request{doing: doing, address: t.at("v1.0", "users/"+url.PathEscape(account)+"/messages", url.Values{
		"$filter": {filter}, "$select": {"id,internetMessageId,subject,from,parentFolderId,receivedDateTime"}, "$top": {"100"},
	})}
	type message struct {
		ID         string    `json:"id"`
		InternetID string    `json:"internetMessageId"`
		Subject    string    `json:"subject"`
		From       recipient `json:"from"`
		Folder     string    `json:"parentFolderId"`
		ReceivedAt time.Time `json:"receivedDateTime"`
		raw        json.RawMessage
	}
	found, err := records(t.list(ctx, q, ""), doing, func(m *message, raw json.RawMessage) { m.raw = raw })
	messages := make([]Message, 0, len(found))
	for _, m := range found {
		messages = append(messages, Message{m.ID, m.InternetID, m.Subject, m.From.Address.Address, m.Folder, m.ReceivedAt, m.raw})
	}
	return messages, err
}

// MoveMessage moves a mail to a folder, by its id or a well-known name such as
// deleteditems or junkemail, and returns the mail's new id. ReasonNotFound: it
// is not there any more; find it again.
func (t *Tenant) MoveMessage(ctx context.Context, account, message, folder string) (string, error) {
	body := users.NewItemMessagesItemMovePostRequestBody()
	body.SetDestinationId(&folder)
	moved, err := t.graph.user(account).Messages().ByMessageId(message).Move().Post(ctx, body, nil)
	if err != nil {
		return "", sdkError("move a message", err)
	}
	if moved == nil || value(moved.GetId()) == "" {
		return "", fail(ReasonProtocol, "move a message", "the answer does not name the message")
	}
	return value(moved.GetId()), nil
}

// PurgeMessage deletes a mail so that the mailbox's owner cannot take it back.
func (t *Tenant) PurgeMessage(ctx context.Context, account, message string) error {
	_, _, err := t.do(ctx, request{
		doing: "purge a message", method: http.MethodPost,
		address: t.at("v1.0", "users/"+url.PathEscape(account)+"/messages/"+url.PathEscape(message)+"/permanentDelete", nil),
	})
	return gone(err)
}
