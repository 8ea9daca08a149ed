package connectwise_test

import (
	"testing"

	"github.com/cairn-itdr/cairn/internal/simulator/psa/clienttest"
	"github.com/cairn-itdr/cairn/internal/simulator/psa/connectwise"
)

// script does what connectwise-rest's readers are shown: tickets, notes, pages,
// conditions, callbacks.
const script = `
import assert from 'node:assert'
import cw from 'connectwise-rest'

const options = {
  companyId: process.env.COMPANY, companyUrl: process.env.HOST, publicKey: process.env.PUBLIC_KEY,
  privateKey: process.env.PRIVATE_KEY, clientId: process.env.CLIENT_ID,
}
const api = new cw.ManageAPI(options)

const info = await api.SystemAPI.getSystemInfo()
assert.ok(info.version)
const boards = await api.ServiceAPI.getServiceBoards()
const board = boards.find(b => b.name === 'Security')
const statuses = await api.ServiceAPI.getServiceBoardsByParentIdStatuses(board.id)
const closed = statuses.find(s => s.closedStatus)

const made = await api.ServiceAPI.postServiceTickets({
  summary: 'From a stranger', company: { id: 2 }, board: { id: board.id }, externalXRef: 'stranger-1', initialDescription: 'text',
})
assert.equal(made.summary, 'From a stranger')
assert.equal(made.initialDescription, undefined, 'it is never returned')
const found = await api.ServiceAPI.getServiceTickets({ conditions: 'externalXRef="stranger-1" and board/id=' + board.id })
assert.deepEqual(found.map(t => t.id), [made.id])
const searched = await api.ServiceAPI.postServiceTicketsSearch({ conditions: 'id in (' + made.id + ')' })
assert.equal(searched.length, 1)
const changed = await api.ServiceAPI.patchServiceTicketsById(made.id, [
  { op: 'replace', path: 'status', value: { id: closed.id } }, { op: 'replace', path: 'summary', value: 'Closed by a stranger' },
])
assert.equal(changed.closedFlag, true)
assert.equal(changed.summary, 'Closed by a stranger')

for (let i = 0; i < 60; i++) {
  await api.ServiceAPI.postServiceTicketsByParentIdNotes(made.id, { text: 'note ' + i, internalAnalysisFlag: true })
}
const notes = await api.paginate(p => api.ServiceAPI.getServiceTicketsByParentIdNotes(made.id, p), { pageSize: 25 }, {})
assert.equal(notes.length, 61)

const callback = await api.SystemAPI.postSystemCallbacks({ url: 'https://cairn.example/x?recordId=', objectId: 1, type: 'ticket', level: 'owner' })
assert.ok((await api.SystemAPI.getSystemCallbacks()).some(c => c.id === callback.id))
await api.SystemAPI.deleteSystemCallbacksById(callback.id)

await assert.rejects(api.ServiceAPI.postServiceTickets({ summary: 'x'.repeat(101), company: { id: 2 } }))
await assert.rejects(api.ServiceAPI.getServiceTicketsById(999999))
await assert.rejects(new cw.ManageAPI({ ...options, privateKey: 'another' }).SystemAPI.getSystemInfo())
await api.ServiceAPI.deleteServiceTicketsById(made.id)
await assert.rejects(api.ServiceAPI.getServiceTicketsById(made.id))
`

func TestStrangersClient(t *testing.T) {
	t.Parallel()
	clienttest.Node(t, "connectwise-rest@1.3.0", script, connectwise.New(connectwise.Config{}),
		"COMPANY="+connectwise.DemoCompanyID, "PUBLIC_KEY="+connectwise.DemoPublicKey,
		"PRIVATE_KEY="+connectwise.DemoPrivateKey, "CLIENT_ID="+connectwise.DemoClientID)
}
