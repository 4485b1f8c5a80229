// Serves the model on loopback with an empty database, says on which port, and ends when its input does.
const cds = require('@sap/cds')

process.env.PORT = '0'
cds.on('bootstrap', app => {
  const { listen } = app
  app.listen = port => listen.call(app, port, '127.0.0.1')
})
cds.once('served', () => cds.deploy('*').to('db'))
cds.once('listening', ({ server }) => console.log(JSON.stringify({ port: server.address().port })))
process.stdin.on('end', () => process.exit()).resume()
cds.exec('all')
