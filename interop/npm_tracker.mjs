// npm's bittorrent-tracker, as a server or as a client of another tracker; JSON lines on stdout, ended by the end of stdin.
// usage: node npm_tracker.mjs MODULES server IP PORT
//        node npm_tracker.mjs MODULES client URL INFO_HASH PORT seed|leech    then a line on stdin: scrape, complete or stop
import readline from 'node:readline'
const [modules, role, ...rest] = process.argv.slice(2)
const { default: Client, Server } = await import(modules + '/bittorrent-tracker/index.js')
const say = what => process.stdout.write(JSON.stringify(what) + '\n')

function server (ip, port) {
  const server = new Server({ udp: true, http: true, ws: false, stats: false })
  server.on('error', error => say({ error: String(error) }))
  server.on('warning', error => process.stderr.write(String(error) + '\n'))
  server.listen(Number(port), { http: ip, udp4: ip, udp6: '::1' }, () => say({ ready: true }))
  return () => process.exit(0)
}

function client (announce, infoHash, port, kind) {
  const size = 1000
  let left = kind === 'seed' ? 0 : size
  const options = { infoHash, peerId: Buffer.from('-XX0001-' + port.padStart(12, '0')), announce: [announce], port: Number(port),
    getAnnounceOpts: () => ({ uploaded: 0, downloaded: 0, left }) }
  const client = new Client(options)
  client.on('error', error => say({ error: String(error) }))
  client.on('warning', error => say({ error: String(error) }))
  client.on('update', data => say({ update: { complete: data.complete, incomplete: data.incomplete } }))
  client.on('peer', address => say({ peer: address }))
  client.on('scrape', data => say({ scrape: { infoHash: data.infoHash, complete: data.complete, incomplete: data.incomplete, downloaded: data.downloaded } }))
  client.start()
  return line => {
    if (line === 'scrape') client.scrape()
    if (line === 'complete') { left = 0; client.complete({ uploaded: 0, downloaded: size }) }
    if (line === 'stop') { client.stop(); setTimeout(() => process.exit(0), 300) }
  }
}

const take = role === 'server' ? server(...rest) : client(...rest)
for await (const line of readline.createInterface({ input: process.stdin })) take(line.trim())
setTimeout(() => process.exit(0), 300)
