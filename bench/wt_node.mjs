// One webtorrent client driven by JSON lines on stdin, answers on stdout.
// usage: node wt_node.mjs IP PORT tcp|utp MODULE_DIR
import readline from 'node:readline'
import fs from 'node:fs'
const [ip, port, transport, dir] = process.argv.slice(2)
const { default: WebTorrent } = await import(dir + '/node_modules/webtorrent/index.js')
const client = new WebTorrent({ dht: false, tracker: false, lsd: false, natUpnp: false, natPmp: false,
  utp: transport === 'utp', utPex: true, torrentPort: Number(port), webSeeds: false, maxConns: 200, downloadLimit: -1, uploadLimit: -1 })
client.on('error', e => process.stderr.write(String(e) + '\n'))
let server = null
const say = o => process.stdout.write(JSON.stringify(o) + '\n')
say({ ready: true })
for await (const line of readline.createInterface({ input: process.stdin })) {
  const m = JSON.parse(line)
  if (m.cmd === 'add') { for (const t of m.torrents) client.add(fs.readFileSync(t), { path: m.save, announce: [] }); say({ ok: true }) }
  else if (m.cmd === 'peer') { for (const t of client.torrents) { const go = () => t.addPeer(`${m.ip}:${m.port}`); t.ready ? go() : t.once('ready', go) } say({ ok: true }) }
  else if (m.cmd === 'torrents') {
    say({ torrents: client.torrents.map(t => ({ id: t.infoHash, done: t.done, bytes: t.downloaded, peers: t.numPeers })) })
  } else if (m.cmd === 'stream') {
    if (!server) { server = client.createServer(); await new Promise(done => server.server.listen(0, '127.0.0.1', done)) }
    const file = client.torrents.find(t => t.infoHash === m.id).files[0]
    say({ url: `http://127.0.0.1:${server.server.address().port}${file.streamURL}` })
  } else if (m.cmd === 'quit') break
}
process.exit(0)
