package intake_test

import (
	"bytes"
	"context"
	"encoding/json"
	"maps"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cairn-itdr/cairn/internal/activity"
	"github.com/cairn-itdr/cairn/internal/activity/format"
	"github.com/cairn-itdr/cairn/internal/detect"
	"github.com/cairn-itdr/cairn/internal/intel"
	"github.com/cairn-itdr/cairn/internal/simulator"
	"github.com/cairn-itdr/cairn/internal/typeid"
)

// shelf is a detect.Ledger in memory.
type shelf map[detect.BookKey]*detect.Book

func (s shelf) Books(_ context.Context, keys []detect.BookKey) (map[detect.BookKey]*detect.Book, error) {
	out := make(map[detect.BookKey]*detect.Book, len(keys))
	for _, k := range keys {
		if b, ok := s[k]; ok {
			out[k] = b
		}
	}
	return out, nil
}

// bare is the plainest struct that holds what detection needs.
type bare struct {
	CreationTime, ID, Operation, OrganizationID, ResultStatus, UserKey, Workload, UserID, ObjectID     string
	ClientIP, ClientIPAddress, ActorIPAddress, AppID, ClientAppID, ApplicationID, UserAgent, SessionID string
	CorrelationID, InterSystemsID, ClientInfoString, ErrorNumber, MailboxOwnerUPN                      string
	RecordType, UserType                                                                               int
	Parameters, ExtendedProperties, OperationProperties, DeviceProperties                              []struct{ Name, Value string }
	ModifiedProperties                                                                                 []struct{ Name, NewValue, OldValue string }
	Actor, Target                                                                                      []struct {
		ID   string
		Type int
	}
}

// BenchmarkInMemory measures normalising, enriching and detecting, one record
// after another on one core, beside bare decoding of the same records with the
// same JSON decoder. Compare records/s within a run: the first must be at
// least half of the second.
func BenchmarkInMemory(b *testing.B) {
	var text bytes.Buffer
	_, err := simulator.Load{
		Seed: 1, Accounts: 1000, Records: 40_000, Log: simulator.UnifiedAudit,
		From: time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC),
	}.Write(&text)
	require.NoError(b, err)
	lines := bytes.Split(bytes.TrimSpace(text.Bytes()), []byte("\n"))
	networks, err := intel.Open("")
	require.NoError(b, err)

	b.Run("bare", func(b *testing.B) {
		for b.Loop() {
			for _, line := range lines {
				var r bare
				if err := json.Unmarshal(line, &r); err != nil {
					b.Fatal(err)
				}
			}
		}
		b.ReportMetric(float64(b.N*len(lines))/b.Elapsed().Seconds(), "records/s")
	})
	b.Run("everything", func(b *testing.B) {
		tenant, organization := typeid.New("tenant"), typeid.New("organization")
		for b.Loop() {
			engine, books, batch := detect.Standard(), shelf{}, make([]*activity.Activity, 0, 4000)
			for i, line := range lines {
				a, err := format.Parse(line)
				if err != nil {
					b.Fatal(err)
				}
				a.Identify(organization, tenant)
				a.AccountID = "account_" + a.Actor.Principal
				if a.Address.IsValid() {
					info := networks.Lookup(a.Address)
					a.Country, a.Network = info.Country, info.Network
				}
				batch = append(batch, &a)
				if len(batch) < cap(batch) && i < len(lines)-1 {
					continue
				}
				out, err := engine.Process(context.Background(), books, batch, nil)
				if err != nil {
					b.Fatal(err)
				}
				maps.Copy(books, out.Changed)
				batch = batch[:0]
			}
		}
		b.ReportMetric(float64(b.N*len(lines))/b.Elapsed().Seconds(), "records/s")
	})
}
