// Package detect decides what is suspicious. It is pure: activities and the
// books (what it remembers of accounts and sources) go in, changed books and
// findings come out. The same activities give the same findings in whatever
// order, batches and repetition they come.
//
// How: every new activity is folded into the books it concerns; the fold is
// commutative (sets, sums, minima). Whenever a fold changes a book in a way
// that rules care for, the book is judged again as a whole, and the complete
// set of findings it now supports replaces the set it supported before. What
// is missing from the new set has been superseded.
//
// A book has caps (full.go, source_book.go), for whoever is in an account can
// make as many records as they like. Below them the sentence above holds to the
// letter. Beyond them: nothing is dropped that was not judged with all that was
// at hand when it came; nothing found from an overflowed book is superseded
// (Review.Overflowed), so that no flood of records takes a finding back; what
// stays is what can matter most, by an order nobody can steer; and the flood is
// itself a finding (LogFlooding). So every mark of a record rule is judged in any
// order; what can differ with the order is a session whose first place was
// dropped before its second came, and numbers in explanations.
//
// What may not live here: databases, networks, clocks, files, incidents.
package detect

import (
	"context"
	"time"

	"github.com/cairn-itdr/cairn/internal/activity"
)

// Severity says how much harm a finding speaks of, if true.
type Severity string

// The severities.
const (
	SeverityInfo     Severity = "INFO"
	SeverityLow      Severity = "LOW"
	SeverityMedium   Severity = "MEDIUM"
	SeverityHigh     Severity = "HIGH"
	SeverityCritical Severity = "CRITICAL"
)

// Confidence says how sure the rule is.
type Confidence string

// The confidences.
const (
	ConfidenceLow    Confidence = "LOW"
	ConfidenceMedium Confidence = "MEDIUM"
	ConfidenceHigh   Confidence = "HIGH"
)

// Stage is the part of a compromise a finding speaks of (detections.md, "How to judge").
type Stage string

// The stages.
const (
	StageEntry Stage = "ENTRY" // a sign-in or token that is not the user's
	StageHold  Stage = "HOLD"  // what was left behind to come back or to hide
	StageUse   Stage = "USE"   // reading, downloading, sending
)

// MaxEvidence is how many activity ids a finding carries at the most: the
// earliest ones, which are what explains it.
const MaxEvidence = 50

// Finding is a rule's claim about an account, or about the tenant where
// AccountID is empty.
type Finding struct {
	// Key is the natural key within the tenant. It rests on what no later
	// record can change (a session id, an activity id, account + source + day).
	Key  string
	Book BookKey // the book it was judged from
	Rule string

	Severity   Severity
	Confidence Confidence
	Stage      Stage

	AccountID string   // whose credentials acted
	Targets   []string // whom or what was acted on, as the log names it

	OccurredAt time.Time // the first thing the attacker did
	LastAt     time.Time // the last one seen
	Evidence   []string  // activity ids, oldest first, at most MaxEvidence

	// Explanation says in one or two sentences why, with the facts. It may
	// carry text from logs: literal, to be escaped wherever it is shown.
	Explanation string

	// Links are what ties findings of one account into one episode however far
	// apart they lie: "session:<id>", "token:<id>", "address:<addr>".
	Links []string
}

// Tactic names a kind of failed attack.
type Tactic string

// The tactics.
const (
	TacticPasswordSpray Tactic = "PASSWORD_SPRAY"
	TacticBruteForce    Tactic = "BRUTE_FORCE"
)

// FailedAttack counts blocked attempts of one source against one account on one day.
type FailedAttack struct {
	Day       time.Time // midnight UTC
	Tactic    Tactic
	Source    string // the source's network prefix
	Country   string
	Network   activity.Network
	UserAgent string // the commonest family, e.g. "Firefox on macOS"
	AccountID string
	Attempts  int
	FirstAt   time.Time
	LastAt    time.Time
	// PasswordKnown is true where an attempt had the right password and was
	// stopped later (MFA, policy): the account's password must be reset.
	PasswordKnown bool
}

// BookKind says whose behaviour a book keeps.
type BookKind string

// The kinds of book.
const (
	// BookAccount keeps one account's month: places, sessions, marks.
	BookAccount BookKind = "account"
	// BookSource keeps one network prefix's month in the tenant: who failed
	// and who succeeded from there, and on which days.
	BookSource BookKind = "source"
)

// BookKey names a book within a tenant. Period counts months: year*12 + month-1, UTC.
type BookKey struct {
	Kind    BookKind
	Subject string // account id, or prefix as text
	Period  int
}

// Ledger hands out a tenant's books. The engine may change what it is given;
// it names the changed ones in the outcome, and the ledger's owner stores them
// in the transaction that stores the activities, or forgets them all.
type Ledger interface {
	// Books returns the books with these keys; those never written are absent.
	Books(ctx context.Context, keys []BookKey) (map[BookKey]*Book, error)
}

// Outcome is what a batch led to.
type Outcome struct {
	Changed map[BookKey]*Book
	Reviews []Review // one a judged book, in a stable order
}

// Review is the complete set of what a book supports now. Whatever was judged
// from the same book before and is not in it any more has been superseded,
// unless Overflowed says that the book could not keep all it was told: then
// nobody knows, and what was found before stands beside what is found now.
type Review struct {
	Book       BookKey
	Findings   []Finding
	Failed     []FailedAttack
	Overflowed bool
}
