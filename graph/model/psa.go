package model

import (
	"time"

	"github.com/cairn-itdr/cairn/integrations/psa"
)

// PSAField is what was entered to reach a PSA.
type PSAField struct{ Name, Value string }

// PSASetting is something that is chosen for the tickets of a connection.
type PSASetting struct {
	Setting, Label, Help string
	Within               *string
	IsRequired           bool
	Chosen               *string
	Choices              []psa.Choice
}

// PSACompany is a company in a PSA.
type PSACompany struct{ ID, Name string }

// PSACompanyPage is some of a PSA's companies.
type PSACompanyPage struct {
	Nodes []psa.Company
	Next  *string
}

// PSAHealth is how a PSA answers.
type PSAHealth struct {
	IsHealthy       bool
	Failures        int
	PausedUntil     *time.Time
	LastError       *string
	LastErrorAt     *time.Time
	LastSuccessAt   *time.Time
	CallbackError   *string
	CallsPerMinute  int
	CallsThisMinute int
}
