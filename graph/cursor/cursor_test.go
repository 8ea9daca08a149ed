package cursor_test

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/cairn-itdr/cairn/graph/cursor"
	"github.com/cairn-itdr/cairn/internal/typeid"
)

// Ensure every place survives its cursor, and fits no other list.
func TestRoundTrip(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		kind := rapid.SampledFrom([]cursor.Kind{cursor.Moment, cursor.Number, cursor.Text}).Draw(t, "kind")
		p := cursor.Place{ID: typeid.New("incident")}
		switch kind {
		case cursor.Moment:
			p.Key = time.UnixMicro(rapid.Int64Range(-62135596800_000000, 253402300799_999999).Draw(t, "micros")).UTC()
		case cursor.Number:
			p.Key = int(rapid.Int32().Draw(t, "number"))
		case cursor.Text:
			p.Key = rapid.StringMatching(`[^\x00]{0,50}`).Draw(t, "text")
		}
		encoded := p.Encode("list+")
		got, err := cursor.Decode(encoded, "list+", kind)
		require.NoError(t, err)
		require.Equal(t, p, got)
		_, err = cursor.Decode(encoded, "list-", kind)
		require.ErrorIs(t, err, cursor.ErrForeign)
		cut := rapid.IntRange(0, len(encoded)-1).Draw(t, "cut")
		_, err = cursor.Decode(encoded[:cut], "list+", kind)
		require.ErrorIs(t, err, cursor.ErrNone)
	})
}

// Ensure no text makes the decoder panic, and what it takes is a place of the list.
func FuzzDecode(f *testing.F) {
	p := cursor.Place{Key: time.UnixMicro(1).UTC(), ID: typeid.New("incident")}
	f.Add(p.Encode("incidents.detected-"), uint8(cursor.Moment))
	f.Add((&cursor.Place{Key: 7, ID: p.ID}).Encode("incidents.detected-"), uint8(cursor.Number))
	f.Add((&cursor.Place{Key: "a|b", ID: p.ID}).Encode("incidents.detected-"), uint8(cursor.Text))
	f.Add("", uint8(0))
	f.Add("MXwwfA", uint8(1))
	f.Fuzz(func(t *testing.T, encoded string, kind uint8) {
		k := cursor.Kind(kind % 3)
		p, err := cursor.Decode(encoded, "incidents.detected-", k)
		if err != nil {
			require.True(t, errors.Is(err, cursor.ErrNone) || errors.Is(err, cursor.ErrForeign))
			return
		}
		again, err := cursor.Decode(p.Encode("incidents.detected-"), "incidents.detected-", k)
		require.NoError(t, err)
		require.Equal(t, p, again)
	})
}
