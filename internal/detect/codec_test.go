package detect

import (
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// drawn makes a value of any kind a book holds, within what its field can be.
func drawnWitness(t *rapid.T) Witness {
	w := Witness{At: moment(rapid.Int64().Draw(t, "at")), Order: rapid.Uint32().Draw(t, "order"), Address: drawnAddress(t)}
	copy(w.ID[:], rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "id"))
	return w
}

func drawnAddress(t *rapid.T) netip.Addr {
	n := rapid.SampledFrom([]int{0, 4, 16}).Draw(t, "family")
	a, _ := netip.AddrFromSlice(rapid.SliceOfN(rapid.Byte(), n, n).Draw(t, "address"))
	return a
}

func several[T any](t *rapid.T, name string, one func(*rapid.T) T) []T {
	var all []T
	for range rapid.IntRange(0, 4).Draw(t, name) {
		all = append(all, one(t))
	}
	return all
}

func drawnText(t *rapid.T) string {
	return rapid.OneOf(rapid.SampledFrom([]string{"", "rule", "to"}), rapid.String(), rapid.Map(rapid.SliceOf(rapid.Byte()), func(b []byte) string { return string(b) })).Draw(t, "text")
}

func drawnAccount(t *rapid.T) *AccountBook {
	b := &AccountBook{
		Beside: beside(rapid.Byte().Draw(t, "beside")), Reported: rapid.Bool().Draw(t, "reported"),
		Excess: excess(rapid.Byte().Draw(t, "excess")), Days: rapid.Uint32().Draw(t, "days"),
	}
	b.Places = several(t, "places", func(t *rapid.T) Place {
		p := Place{
			Number: rapid.Uint32().Draw(t, "number"), Country: drawnText(t), Kind: networkCode(rapid.Byte().Draw(t, "kind")),
			Agent: Agent(rapid.Uint16().Draw(t, "agent")), Device: rapid.Uint64().Draw(t, "device"),
			Days: rapid.Uint32().Draw(t, "days"), First: moment(rapid.Int64().Draw(t, "first")),
		}
		if a := drawnAddress(t); a.IsValid() {
			p.Prefix, _ = a.Prefix(rapid.IntRange(0, 32).Draw(t, "bits"))
		}
		p.key = p.computeKey()
		return p
	})
	b.Places = keepBest(b.Places, len(b.Places), placeKey, func(*Place) int { return 0 })
	place := func(t *rapid.T) uint64 {
		if len(b.Places) > 0 && rapid.Bool().Draw(t, "known") {
			return b.Places[rapid.IntRange(0, len(b.Places)-1).Draw(t, "place")].key
		}
		return rapid.Uint64().Draw(t, "key")
	}
	b.Owners = several(t, "owners", func(t *rapid.T) Owner { return Owner{rapid.Uint32().Draw(t, "number"), drawnText(t)} })
	b.Sessions = several(t, "sessions", func(t *rapid.T) Session {
		s := Session{Token: rapid.Bool().Draw(t, "token"), ID: drawnText(t), Carried: rapid.Bool().Draw(t, "carried")}
		s.Key = sessionKey(s.Token, s.ID)
		s.Seen = several(t, "seen", func(t *rapid.T) Sighting {
			return Sighting{place(t), drawnWitness(t), moment(rapid.Int64().Draw(t, "last")), sign(rapid.Uint16().Draw(t, "signs"))}
		})
		return s
	})
	b.Marks = several(t, "marks", func(t *rapid.T) Mark {
		return Mark{
			Witness: drawnWitness(t), Rule: drawnText(t), Weight: weight(rapid.Byte().Draw(t, "weight")), Place: place(t), Session: drawnText(t),
			Facts: several(t, "facts", func(t *rapid.T) Fact { return Fact{drawnText(t), drawnText(t)} }),
		}
	})
	b.Tallies = several(t, "tallies", func(t *rapid.T) Tally {
		return Tally{place(t), rapid.Byte().Draw(t, "day"), tallyKind(rapid.Byte().Draw(t, "kind")), rapid.Uint16().Draw(t, "count")}
	})
	return b
}

func drawnSource(t *rapid.T) *SourceBook {
	return &SourceBook{
		Beside: beside(rapid.Byte().Draw(t, "beside")), Reported: rapid.Bool().Draw(t, "reported"), Shared: rapid.Bool().Draw(t, "shared"),
		Excess: excess(rapid.Byte().Draw(t, "excess")), Number: rapid.Uint32().Draw(t, "number"), Country: drawnText(t), Owner: drawnText(t),
		Kind: networkCode(rapid.Byte().Draw(t, "kind")),
		Users: several(t, "users", func(t *rapid.T) SourceUser {
			return SourceUser{
				drawnText(t), rapid.Bool().Draw(t, "person"), rapid.Uint32().Draw(t, "days"), rapid.Uint32().Draw(t, "proved"),
				several(t, "first", func(t *rapid.T) Success {
					return Success{rapid.Byte().Draw(t, "day"), Agent(rapid.Uint16().Draw(t, "agent")), drawnWitness(t), drawnText(t)}
				}),
			}
		}),
		Failing: several(t, "failing", func(t *rapid.T) SourceFailures {
			return SourceFailures{drawnText(t), several(t, "days", func(t *rapid.T) FailureDay {
				d := FailureDay{
					Day: rapid.Byte().Draw(t, "day"), SignIn: rapid.Bool().Draw(t, "log"),
					First: moment(rapid.Int64().Draw(t, "first")), Last: moment(rapid.Int64().Draw(t, "last")),
					Slots: several(t, "slots", func(t *rapid.T) Slot { return Slot{rapid.Uint16().Draw(t, "slot"), rapid.Uint32().Draw(t, "count")} }),
					Agents: several(t, "agents", func(t *rapid.T) AgentCount {
						return AgentCount{Agent(rapid.Uint16().Draw(t, "agent")), rapid.Uint32().Draw(t, "count")}
					}),
					IDs: several(t, "ids", drawnWitness),
				}
				for i := range d.Counts {
					d.Counts[i] = rapid.Uint32().Draw(t, "count")
				}
				return d
			})}
		}),
		Failures: several(t, "totals", func(t *rapid.T) DayTotal {
			return DayTotal{
				rapid.Byte().Draw(t, "day"), rapid.Bool().Draw(t, "log"), rapid.Uint32().Draw(t, "count"),
				moment(rapid.Int64().Draw(t, "first")), moment(rapid.Int64().Draw(t, "last")),
			}
		}),
	}
}

func TestBookRoundTrip(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		for kind, book := range map[BookKind]*Book{
			BookAccount: {Account: drawnAccount(t)},
			BookSource:  {Source: drawnSource(t)},
			BookTenant: {Tenant: &TenantBook{several(t, "periods", func(t *rapid.T) int { return rapid.Int().Draw(t, "period") }), several(t, "domains", drawnText), several(t, "forwards", func(t *rapid.T) Forward {
				return Forward{drawnText(t), drawnText(t), rapid.Int().Draw(t, "period")}
			})}},
		} {
			data, err := EncodeBook(book)
			require.NoError(t, err)
			got, err := DecodeBook(kind, data)
			require.NoError(t, err)
			require.Empty(t, cmp.Diff(book, got, cmp.AllowUnexported(Place{}), cmpopts.IgnoreUnexported(SourceBook{}), cmpopts.EquateEmpty(),
				cmpopts.EquateComparable(netip.Addr{}, netip.Prefix{})))
			_, err = DecodeBook(kind, data[:len(data)-1])
			require.ErrorIs(t, err, ErrBook, "cut short")
			_, err = DecodeBook(kind, append(data, 0))
			require.ErrorIs(t, err, ErrBook, "more than a book")
		}
	})
}

// What is no book is refused, and takes no more memory than its length allows.
func FuzzDecodeBook(f *testing.F) {
	for i, kind := range []BookKind{BookAccount, BookSource, BookTenant} {
		for seed := range 20 {
			book := &Book{Account: rapid.Custom(drawnAccount).Example(seed)}
			switch kind { //nolint:exhaustive // the account is drawn already
			case BookSource:
				book = &Book{Source: rapid.Custom(drawnSource).Example(seed)}
			case BookTenant:
				book = &Book{Tenant: &TenantBook{Domains: []string{"a.example"}, Forwards: []Forward{{"b.example", "account_1", 24312}}}}
			}
			data, err := EncodeBook(book)
			require.NoError(f, err)
			f.Add(byte(i), data)
		}
	}
	f.Add(byte(0), []byte{bookVersion, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1})
	f.Fuzz(func(t *testing.T, which byte, data []byte) {
		kind := []BookKind{BookAccount, BookSource, BookTenant}[which%3]
		b, err := DecodeBook(kind, data)
		if err != nil {
			require.ErrorIs(t, err, ErrBook)
			return
		}
		if kind != BookTenant { // whose size counts a domain each time it is named
			require.LessOrEqual(t, b.Size(), 1024+64*len(data))
		}
		again, err := EncodeBook(b)
		require.NoError(t, err)
		_, err = DecodeBook(kind, again)
		require.NoError(t, err)
	})
}
