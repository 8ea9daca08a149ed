package detect

func (b *SourceBook) encode(w *writer) {
	w.uint(uint64(b.Beside))
	w.bool(b.Reported)
	w.bool(b.Shared)
	w.uint(uint64(b.Excess))
	w.uint(uint64(b.Number))
	w.text(b.Country)
	w.text(b.Owner)
	w.uint(uint64(b.Kind))
	w.uint(uint64(len(b.Users)))
	for i := range b.Users {
		u := &b.Users[i]
		w.text(u.Account)
		w.bool(u.Person)
		w.uint(uint64(u.Days))
		w.uint(uint64(u.Proved))
		w.uint(uint64(len(u.First)))
		for j := range u.First {
			s := &u.First[j]
			w.uint(uint64(s.Day))
			w.uint(uint64(s.Agent))
			w.witness(&s.Witness)
			w.text(s.Session)
		}
	}
	w.uint(uint64(len(b.Failing)))
	for i := range b.Failing {
		f := &b.Failing[i]
		w.text(f.Account)
		w.uint(uint64(len(f.Days)))
		for j := range f.Days {
			f.Days[j].encode(w)
		}
	}
	w.uint(uint64(len(b.Failures)))
	for _, d := range b.Failures {
		w.uint(uint64(d.Day))
		w.bool(d.SignIn)
		w.uint(uint64(d.Count))
		w.moment(d.First)
		w.moment(d.Last)
	}
}

//nolint:gosec // numbers come back as they were written
func (b *SourceBook) decode(r *reader) {
	b.Beside = beside(r.uint())
	b.Reported = r.bool()
	b.Shared = r.bool()
	b.Excess = excess(r.uint())
	b.Number = uint32(r.uint())
	b.Country = r.text()
	b.Owner = r.text()
	b.Kind = networkCode(r.uint())
	b.Users = list[SourceUser](r, 5)
	for i := range b.Users {
		u := &b.Users[i]
		u.Account = r.text()
		u.Person = r.bool()
		u.Days = uint32(r.uint())
		u.Proved = uint32(r.uint())
		u.First = list[Success](r, 3+witnessSize)
		for j := range u.First {
			u.First[j] = Success{Day: uint8(r.uint()), Agent: Agent(r.uint()), Witness: r.witness(), Session: r.text()}
		}
	}
	b.Failing = list[SourceFailures](r, 2)
	for i := range b.Failing {
		f := &b.Failing[i]
		f.Account = r.text()
		f.Days = list[FailureDay](r, 7+int(failureClasses))
		for j := range f.Days {
			f.Days[j].decode(r)
		}
	}
	b.Failures = list[DayTotal](r, 5)
	for i := range b.Failures {
		b.Failures[i] = DayTotal{Day: uint8(r.uint()), SignIn: r.bool(), Count: uint32(r.uint()), First: r.moment(), Last: r.moment()}
	}
}

func (d *FailureDay) encode(w *writer) {
	w.uint(uint64(d.Day))
	w.bool(d.SignIn)
	w.moment(d.First)
	w.moment(d.Last)
	for _, n := range d.Counts {
		w.uint(uint64(n))
	}
	w.uint(uint64(len(d.Slots)))
	for _, s := range d.Slots {
		w.uint(uint64(s.Number))
		w.uint(uint64(s.Count))
	}
	w.uint(uint64(len(d.Agents)))
	for _, a := range d.Agents {
		w.uint(uint64(a.Agent))
		w.uint(uint64(a.Count))
	}
	w.uint(uint64(len(d.IDs)))
	for i := range d.IDs {
		w.witness(&d.IDs[i])
	}
}

//nolint:gosec // numbers come back as they were written
func (d *FailureDay) decode(r *reader) {
	d.Day = uint8(r.uint())
	d.SignIn = r.bool()
	d.First = r.moment()
	d.Last = r.moment()
	for i := range d.Counts {
		d.Counts[i] = uint32(r.uint())
	}
	d.Slots = list[Slot](r, 2)
	for i := range d.Slots {
		d.Slots[i] = Slot{Number: uint16(r.uint()), Count: uint32(r.uint())}
	}
	d.Agents = list[AgentCount](r, 2)
	for i := range d.Agents {
		d.Agents[i] = AgentCount{Agent: Agent(r.uint()), Count: uint32(r.uint())}
	}
	d.IDs = list[Witness](r, witnessSize)
	for i := range d.IDs {
		d.IDs[i] = r.witness()
	}
}

func (b *TenantBook) encode(w *writer) {
	w.uint(uint64(len(b.Periods)))
	for _, period := range b.Periods {
		w.int(period)
	}
	w.uint(uint64(len(b.Domains)))
	for _, d := range b.Domains {
		w.text(d)
	}
	w.uint(uint64(len(b.Forwards)))
	for _, f := range b.Forwards {
		w.word(f.Domain)
		w.word(f.Account)
		w.int(f.Period)
	}
}

func (b *TenantBook) decode(r *reader) {
	b.Periods = list[int](r, 1)
	for i := range b.Periods {
		b.Periods[i] = r.int()
	}
	b.Domains = list[string](r, 1)
	for i := range b.Domains {
		b.Domains[i] = r.text()
	}
	b.Forwards = list[Forward](r, 3)
	for i := range b.Forwards {
		b.Forwards[i] = Forward{Domain: r.word(), Account: r.word(), Period: r.int()}
	}
}
