package format

import (
	"encoding/json"
	"reflect"
	"sync"
)

// decode reads a record into T, a struct whose json tags name the members. It
// is the one place where records become Go values, and it is lenient: what a
// member means decides how its value is read, not how an export happens to
// write it, and a member that can't be understood stays empty. No member costs
// the record; what a record needs its parser asks for.
//
//   - Names: the exact one counts, whatever stands later; one in another case
//     counts where the exact one is absent, the first of several.
//   - Texts (string): numbers and booleans too; of a list the first, of an
//     object its "value". "null" is empty.
//   - Addresses, times and booleans: see addresses, when and *bool.
//   - Objects (structs): as JSON in a text, as the one element of a list, or as
//     PowerShell writes what lies too deep.
//   - Lists: the same, and an element alone.
func decode[T any](raw []byte) (T, error) {
	var out T
	if !json.Valid(raw) {
		return out, reject("%s", jsonReason(json.Unmarshal(raw, new(json.RawMessage))))
	}
	if i := blank(raw, 0); raw[i] != '{' {
		return out, reject("want a JSON object, found %q", cut(string(raw[i:]), 40))
	}
	planOf(reflect.TypeFor[T]()).members(raw, reflect.ValueOf(&out).Elem())
	return out, nil
}

// addresses is a text that may hold several values: those of a list are joined.
type addresses string

// when is a moment in any of the ways moment reads; of an object (PowerShell's
// date, with its DisplayHint) the value.
type when string

// kind is what a member is to become.
type kind uint8

const (
	kindText kind = iota
	kindAddresses
	kindWhen
	kindFlag
	kindObject
	kindList
	kindPairs
	kindRaw
)

// plan says how a struct is filled.
type plan struct {
	kinds  []kind
	inner  []*plan // of objects, and of lists of objects
	exact  map[string]int
	folded map[string]int
	// alone is the field that a text standing for the whole object fills, -1 for none.
	alone int
}

// maxFields bounds the fields of one struct.
const maxFields = 128

var plans sync.Map // reflect.Type → *plan

func planOf(t reflect.Type) *plan {
	if p, ok := plans.Load(t); ok {
		return p.(*plan) //nolint:forcetypeassert // nothing else is stored
	}
	p := &plan{exact: map[string]int{}, folded: map[string]int{}, alone: -1}
	if t.NumField() > maxFields {
		panic("format: too many fields in " + t.String())
	}
	for i := range t.NumField() {
		f := t.Field(i)
		name := f.Tag.Get("json")
		if name == "" {
			name = f.Name
		}
		p.exact[name] = i
		if lower := lowered(name); p.folded[lower] == 0 {
			p.folded[lower] = i + 1
		}
		if f.Tag.Get("alone") != "" {
			p.alone = i
		}
		k, inner := kindOf(f.Type)
		p.kinds, p.inner = append(p.kinds, k), append(p.inner, inner)
	}
	plans.Store(t, p)
	return p
}

func kindOf(t reflect.Type) (kind, *plan) {
	switch t {
	case reflect.TypeFor[addresses]():
		return kindAddresses, nil
	case reflect.TypeFor[when]():
		return kindWhen, nil
	case reflect.TypeFor[pairs]():
		return kindPairs, nil
	case reflect.TypeFor[json.RawMessage]():
		return kindRaw, nil
	case reflect.TypeFor[*bool]():
		return kindFlag, nil
	}
	if t.Kind() == reflect.String {
		return kindText, nil
	}
	if t.Kind() == reflect.Struct {
		return kindObject, planOf(t)
	}
	if t.Kind() == reflect.Slice && t.Elem().Kind() == reflect.String {
		return kindList, nil
	}
	if t.Kind() == reflect.Slice {
		return kindList, planOf(t.Elem())
	}
	panic("format: no way to decode a " + t.String())
}

// find returns the field a member fills, -1 for none, and whether by its exact name.
func (p *plan) find(name []byte) (field int, exact bool) {
	if i, ok := p.exact[string(name)]; ok {
		return i, true
	}
	var buffer [64]byte
	lower, ok := fold(name, buffer[:])
	if !ok {
		return -1, false
	}
	return p.folded[string(lower)] - 1, false
}

// fold writes the name in lower case into buffer; ok is false where it does
// not fit.
func fold(name, buffer []byte) (lower []byte, ok bool) {
	if len(name) > len(buffer) {
		return nil, false
	}
	for i, c := range name {
		if c >= 'A' && c <= 'Z' {
			c |= 0x20
		}
		buffer[i] = c
	}
	return buffer[:len(name)], true
}

func lowered(name string) string {
	lower, _ := fold([]byte(name), make([]byte, len(name)))
	return string(lower)
}

// members fills the struct from the object raw.
func (p *plan) members(raw []byte, into reflect.Value) {
	var set [maxFields / 64]uint64
	eachMember(raw, func(name, value []byte) bool {
		i, exact := p.find(name)
		if i < 0 || len(value) == 0 {
			return true
		}
		word, bit := i/64, uint64(1)<<(i%64)
		if set[word]&bit != 0 {
			if !exact {
				return true
			}
			into.Field(i).SetZero()
		}
		set[word] |= bit
		p.fill(i, value, into.Field(i))
		return true
	})
}

func (p *plan) fill(i int, value []byte, into reflect.Value) {
	switch p.kinds[i] {
	case kindText:
		into.SetString(scalar(value))
	case kindAddresses:
		into.SetString(scalars(value))
	case kindWhen:
		into.SetString(instant(value))
	case kindFlag:
		if yes, ok := flag(value); ok {
			into.Set(reflect.ValueOf(&yes))
		}
	case kindObject:
		p.inner[i].object(value, into, maxInner)
	case kindList:
		p.inner[i].list(value, into, maxInner)
	case kindPairs:
		into.Set(reflect.ValueOf(readPairs(value, maxInner)))
	case kindRaw:
		into.SetBytes(value)
	}
}

// maxInner is how often a value may hold itself as JSON in a text.
const maxInner = 4

// object fills a struct from what stands for one object.
func (p *plan) object(value []byte, into reflect.Value, texts int) {
	switch value[0] {
	case '{':
		p.members(value, into)
	case '[':
		eachElement(value, func(element []byte) bool {
			p.object(element, into, texts)
			return false
		})
	case '"':
		text := unquoted(value)
		if texts == 0 || nothing(text) {
			return
		}
		if inner := innerJSON(text); inner != nil {
			p.object(inner, into, texts-1)
		} else if objects := powerShellObjects(text); len(objects) > 0 {
			p.members(objects[0], into)
		} else if p.alone >= 0 {
			into.Field(p.alone).SetString(text)
		}
	default:
		if p.alone >= 0 && digit(value[0]) {
			into.Field(p.alone).SetString(scalar(value))
		}
	}
}

func digit(c byte) bool { return c >= '0' && c <= '9' }

// list fills a slice from what stands for a list. Elements of a list of texts
// have no plan.
func (p *plan) list(value []byte, into reflect.Value, texts int) {
	switch value[0] {
	case 'n':
	case '[':
		eachElement(value, func(element []byte) bool {
			if element[0] == '[' { // a list of lists of one, as some tools nest them
				return true
			}
			p.list(element, into, texts)
			return true
		})
	case '"':
		text := unquoted(value)
		if texts == 0 || nothing(text) {
			return
		}
		if inner := innerJSON(text); inner != nil {
			p.list(inner, into, texts-1)
			return
		}
		objects := powerShellObjects(text)
		if p == nil || len(objects) == 0 {
			p.append(value, into)
		}
		for _, object := range objects {
			p.append(object, into)
		}
	default:
		p.append(value, into)
	}
}

func (p *plan) append(value []byte, into reflect.Value) {
	element := reflect.New(into.Type().Elem()).Elem()
	if p == nil {
		element.SetString(scalar(value))
	} else {
		p.object(value, element, 1)
	}
	if !element.IsZero() {
		into.Set(reflect.Append(into, element))
	}
}
