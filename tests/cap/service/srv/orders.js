const cds = require('@sap/cds')

module.exports = class OrderService extends cds.ApplicationService {
  init() {
    const { Orders, Customers } = this.entities
    const note = async event => {
      const { count } = await SELECT.one.from('journal.Entries').columns('count(*) as count')
      await INSERT.into('journal.Entries').entries({ number: count + 1, event })
    }
    this.after(['CREATE', 'UPDATE', 'DELETE'], [Orders, Customers], (_, req) => note(req.event))
    this.before(['CREATE', 'UPDATE'], Orders, req => {
      if (!req.data.items) return
      req.data.total = req.data.items.reduce((sum, one) => sum + one.quantity * Number(one.price), 0).toFixed(2)
    })
    this.on('cancel', Orders, async req => {
      const [{ ID }] = req.params
      const changed = await UPDATE(Orders).set({ status: 'cancelled', note: req.data.reason }).where({ ID, status: 'open' })
      if (!changed) return req.reject(422, 'Only an open order can be cancelled.')
      await note('cancel')
      return SELECT.one.from(Orders).where({ ID })
    })
    this.on('openTotal', async req => {
      const open = await SELECT.from(Orders).where({ customer: req.data.customer, status: 'open' })
      return open.reduce((sum, one) => sum + Number(one.total ?? 0), 0).toFixed(2)
    })
    return super.init()
  }
}
