package autotask_test

import (
	"testing"

	"github.com/cairn-itdr/cairn/internal/simulator/psa/autotask"
	"github.com/cairn-itdr/cairn/internal/simulator/psa/clienttest"
)

// script does what readers of @apigrate/autotask-restapi are shown: companies,
// tickets, notes, queries, counts, fields, and errors.
const script = `
import assert from 'node:assert'
import at from '@apigrate/autotask-restapi'

console.error = () => {} // it prints every refusal
const options = { base_url: 'https://' + process.env.HOST + '/ATServicesRest/' }
const api = new at.AutotaskRestApi(process.env.USER_NAME, process.env.SECRET, process.env.CODE, options)

const own = await api.Companies.get(0)
assert.equal(own.item.id, 0)
assert.ok((await api.Companies.get(999999)).item === null)
assert.equal((await api.Companies.count({ filter: [{ op: 'gte', field: 'id', value: 0 }] })).queryCount, 2)

const info = await api.Tickets.fieldInfo()
const queue = info.fields.find(f => f.name === 'queueID')
assert.equal(typeof queue.picklistValues[0].value, 'string')
assert.equal((await api.Tickets.info()).info.canCreate, true)

const made = await api.Tickets.create({
  companyID: 2, title: 'From a stranger', status: 1, priority: 1, queueID: 29, externalID: 'stranger-1',
})
assert.ok(made.itemId > 0)
const found = await api.Tickets.query({ filter: [{ op: 'eq', field: 'externalID', value: 'stranger-1' }] })
assert.deepEqual(found.items.map(t => t.id), [made.itemId])
assert.equal(found.pageDetails.nextPageUrl, null)
await api.Tickets.update({ id: made.itemId, status: 5 })
const closed = (await api.Tickets.get(made.itemId)).item
assert.equal(closed.status, 5)
assert.equal(closed.title, 'From a stranger')
assert.ok(closed.completedDate)

const note = await api.TicketNotes.create(made.itemId, { title: 'n', description: 'text', noteType: 1, publish: 2 })
const notes = await api.TicketNotes.query({ filter: [{ op: 'eq', field: 'ticketID', value: made.itemId }] })
assert.deepEqual(notes.items.map(n => n.id), [note.itemId])

const refused = async (promise, status, words) => {
  try { await promise } catch (e) {
    assert.equal(e.status, status, e.message)
    assert.ok(e.message.includes(words), e.message)
    return
  }
  assert.fail('it was not refused: ' + words)
}
await refused(api.Tickets.create({ companyID: 999999, title: 'x', status: 1, priority: 1, queueID: 29 }), 500, 'does not reference an existing entity')
await refused(api.Tickets.create({ companyID: 2, title: 'x', status: 1, priority: 1 }), 500, 'queueID')
await refused(api.Tickets.create({ companyID: 2, title: 'x', status: 1, priority: 1, queueID: 29, externalID: null }), 500, 'Object reference')
await refused(api.Tickets.query({ filter: [] }), 500, 'filter')
await refused(api.Tickets.delete(made.itemId), 405, 'DELETE')
await refused(new at.AutotaskRestApi(process.env.USER_NAME, 'another', process.env.CODE, options).Companies.get(0), 401, '')
await refused(new at.AutotaskRestApi(process.env.USER_NAME, process.env.SECRET, 'another', options).Companies.get(0), 500, 'IntegrationCode')
`

func TestStrangersClient(t *testing.T) {
	t.Parallel()
	clienttest.Node(t, "@apigrate/autotask-restapi@2.0.1", script, autotask.New(autotask.Config{}),
		"USER_NAME="+autotask.DemoUserName, "SECRET="+autotask.DemoSecret, "CODE="+autotask.DemoIntegrationCode)
}
