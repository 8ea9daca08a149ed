package detect

func (b *AccountBook) encode(w *writer) {
	w.uint(uint64(b.Beside))
	w.bool(b.Reported)
	w.uint(uint64(b.Excess))
	w.uint(uint64(b.Days))
	w.uint(uint64(len(b.Places)))
	for i := range b.Places {
		b.Places[i].encode(w)
	}
	w.uint(uint64(len(b.Owners)))
	for _, o := range b.Owners {
		w.uint(uint64(o.Number))
		w.text(o.Name)
	}
	w.uint(uint64(len(b.Sessions)))
	sightings := 0
	for i := range b.Sessions {
		sightings += len(b.Sessions[i].Seen)
	}
	w.uint(uint64(sightings))
	for i := range b.Sessions {
		s := &b.Sessions[i]
		w.bool(s.Token)
		w.text(s.ID)
		w.bool(s.Carried)
		w.uint(uint64(len(s.Seen)))
		for j := range s.Seen {
			b.encodePlace(w, s.Seen[j].Place)
			w.witness(&s.Seen[j].First)
			w.moment(s.Seen[j].Last)
			w.uint(uint64(s.Seen[j].Signs))
		}
	}
	w.uint(uint64(len(b.Marks)))
	for i := range b.Marks {
		m := &b.Marks[i]
		w.witness(&m.Witness)
		w.word(m.Rule)
		w.uint(uint64(m.Weight))
		b.encodePlace(w, m.Place)
		w.text(m.Session)
		w.uint(uint64(len(m.Facts)))
		for _, f := range m.Facts {
			w.word(f.Name)
			w.text(f.Value)
		}
	}
	w.uint(uint64(len(b.Tallies)))
	for i := range b.Tallies {
		t := &b.Tallies[i]
		b.encodePlace(w, t.Place)
		w.uint(uint64(t.Day))
		w.uint(uint64(t.Kind))
		w.uint(uint64(t.Count))
	}
}

//nolint:gosec // numbers come back as they were written
func (b *AccountBook) decode(r *reader) {
	b.Beside = beside(r.uint())
	b.Reported = r.bool()
	b.Excess = excess(r.uint())
	b.Days = uint32(r.uint())
	b.Places = list[Place](r, placeSize)
	for i := range b.Places {
		b.Places[i].decode(r)
	}
	b.Owners = list[Owner](r, 2)
	for i := range b.Owners {
		b.Owners[i] = Owner{Number: uint32(r.uint()), Name: r.text()}
	}
	b.Sessions = list[Session](r, 4)
	sightings := list[Sighting](r, 1+witnessSize+2) // of all sessions: made at once
	for i := range b.Sessions {
		s := &b.Sessions[i]
		s.Token = r.bool()
		s.ID = r.text()
		s.Key = sessionKey(s.Token, s.ID)
		s.Carried = r.bool()
		n := r.uint()
		if n > uint64(len(sightings)) {
			r.fail("more sightings than the book has")
			return
		}
		s.Seen, sightings = sightings[:n:n], sightings[n:]
		for j := range s.Seen {
			s.Seen[j] = Sighting{Place: b.decodePlace(r), First: r.witness(), Last: r.moment(), Signs: sign(r.uint())}
		}
	}
	if len(sightings) > 0 {
		r.fail("sightings of no session")
	}
	b.Marks = list[Mark](r, witnessSize+5)
	for i := range b.Marks {
		m := &b.Marks[i]
		m.Witness = r.witness()
		m.Rule = r.word()
		m.Weight = weight(r.uint())
		m.Place = b.decodePlace(r)
		m.Session = r.text()
		m.Facts = list[Fact](r, 2)
		for j := range m.Facts {
			m.Facts[j] = Fact{Name: r.word(), Value: r.text()}
		}
	}
	b.Tallies = list[Tally](r, 4)
	for i := range b.Tallies {
		b.Tallies[i] = Tally{Place: b.decodePlace(r), Day: uint8(r.uint()), Kind: tallyKind(r.uint()), Count: uint16(r.uint())}
	}
}

// placeSize is what a place takes at the least.
const placeSize = 9

func (p *Place) encode(w *writer) {
	w.uint(uint64(p.Number))
	w.word(p.Country)
	w.uint(uint64(p.Kind))
	w.prefix(p.Prefix)
	w.uint(uint64(p.Agent))
	w.bool(p.Device != 0)
	if p.Device != 0 {
		w.fixed(p.Device)
	}
	w.uint(uint64(p.Days))
	w.moment(p.First)
}

//nolint:gosec // as they were written
func (p *Place) decode(r *reader) {
	p.Number = uint32(r.uint())
	p.Country = r.word()
	p.Kind = networkCode(r.uint())
	p.Prefix = r.prefix()
	p.Agent = Agent(r.uint())
	if r.bool() {
		p.Device = r.fixed()
	}
	p.Days = uint32(r.uint())
	p.First = r.moment()
	p.key = p.computeKey()
}

// encodePlace writes the key of a place: 0 for none, 1 before a key the book
// has no place for (any more), else where the place stands.
func (b *AccountBook) encodePlace(w *writer, key uint64) {
	i, ok := find(b.Places, key, placeKey)
	switch {
	case key == 0:
		w.uint(0)
	case !ok:
		w.uint(1)
		w.fixed(key)
	default:
		w.uint(uint64(i) + 2) //nolint:gosec // an index
	}
}

func (b *AccountBook) decodePlace(r *reader) uint64 {
	switch i := r.uint(); {
	case i == 0:
		return 0
	case i == 1:
		return r.fixed()
	case i-2 < uint64(len(b.Places)):
		return b.Places[i-2].key
	}
	r.fail("a place the book does not have")
	return 0
}
