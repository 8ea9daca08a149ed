package simulator

import (
	"crypto/sha256"
	"encoding/binary"
	"math/rand/v2"
	"strconv"
	"time"

	"github.com/google/uuid"
)

// dice is a stream of chance that depends only on the world's seed and on what
// it is thrown for. Because each person's each day has its own stream, history
// is the same whichever part of it is asked for.
type dice struct{ *rand.Rand }

func (w *World) dice(purpose ...string) dice { return newDice(w.Seed, purpose...) }

func newDice(seed uint64, purpose ...string) dice {
	h := sha256.New()
	_ = binary.Write(h, binary.BigEndian, seed) // a hash never fails to write
	for _, p := range purpose {
		h.Write([]byte(p))
		h.Write([]byte{0})
	}
	sum := h.Sum(nil)
	source := rand.NewPCG(binary.BigEndian.Uint64(sum), binary.BigEndian.Uint64(sum[8:]))
	return dice{rand.New(source)}
}

func (d dice) uuid() uuid.UUID {
	var id uuid.UUID
	binary.BigEndian.PutUint64(id[:8], d.Uint64())
	binary.BigEndian.PutUint64(id[8:], d.Uint64())
	id[6] = id[6]&0x0f | 0x40
	id[8] = id[8]&0x3f | 0x80
	return id
}

func (d dice) chance(p float64) bool { return d.Float64() < p }

// upTo is a duration below the limit, in whole seconds.
func (d dice) upTo(limit time.Duration) time.Duration {
	return time.Duration(d.Int64N(int64(limit/time.Second))) * time.Second
}

func (d dice) letters(n int) string {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	b := make([]byte, n)
	for i := range b {
		b[i] = alphabet[d.IntN(len(alphabet))]
	}
	return string(b)
}

// token is a unique token identifier: 16 bytes in URL-safe base64, as Entra writes one.
func (d dice) token() string {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	b := make([]byte, 22)
	for i := range b {
		b[i] = alphabet[d.IntN(len(alphabet))]
	}
	b[21] = "AQgw"[d.IntN(4)] // the last character carries two bits only
	return string(b)
}

// people returns n different names. Of many people some share theirs, and have a
// number behind it, as directories do.
func (d dice) people(n int) [][2]string {
	seen := make(map[[2]string]bool, n)
	names := make([][2]string, 0, n)
	for len(names) < n {
		name := [2]string{firstNames[d.IntN(len(firstNames))], lastNames[d.IntN(len(lastNames))]}
		if seen[name] && len(names) > len(firstNames)*len(lastNames)/2 {
			name[1] += strconv.Itoa(1 + d.IntN(9999))
		}
		if !seen[name] {
			seen[name] = true
			names = append(names, name)
		}
	}
	return names
}
