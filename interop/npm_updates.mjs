// npm's bittorrent-dht as a node that puts and gets the items of BEP 46; JSON lines both ways, ended by the end of stdin.
// usage: node npm_updates.mjs MODULES PORT [BOOTSTRAP]
// lines: {"put": {"seed": 64 hex digits, "seq": n, "ih": 40 hex digits, "salt": text}}    {"get": {"key": 64 hex digits, "salt": text}}
import crypto from 'node:crypto'
import readline from 'node:readline'
const [modules, port, bootstrap] = process.argv.slice(2)
const { default: DHT } = await import(modules + '/bittorrent-dht/index.js')
const say = what => process.stdout.write(JSON.stringify(what) + '\n')

// Node's crypto takes Ed25519 keys in DER (RFC 8410): a fixed head, then the 32 bytes
const secretKey = seed => crypto.createPrivateKey({ key: Buffer.concat([Buffer.from('302e020100300506032b657004220420', 'hex'), seed]), format: 'der', type: 'pkcs8' })
const publicKey = key => crypto.createPublicKey({ key: Buffer.concat([Buffer.from('302a300506032b6570032100', 'hex'), key]), format: 'der', type: 'spki' })
const verify = (signature, message, key) => crypto.verify(null, message, publicKey(key), signature)
const salted = salt => salt ? { salt: Buffer.from(salt) } : {}

const dht = new DHT({ verify, bootstrap: bootstrap ? [bootstrap] : false })
dht.on('error', error => say({ error: String(error) }))
dht.listen(Number(port), () => say({ ready: true }))
for await (const line of readline.createInterface({ input: process.stdin })) {
  const { put, get } = JSON.parse(line)
  if (put) {
    const secret = secretKey(Buffer.from(put.seed, 'hex'))
    const k = crypto.createPublicKey(secret).export({ format: 'der', type: 'spki' }).subarray(12)
    dht.put({ k, seq: put.seq, v: { ih: Buffer.from(put.ih, 'hex') }, sign: message => crypto.sign(null, message, secret), ...salted(put.salt) },
      (error, hash, nodes) => say({ put: { key: k.toString('hex'), nodes: nodes ?? 0, failed: error && String(error) } }))
  } else {
    const key = Buffer.from(get.key, 'hex')
    const target = crypto.createHash('sha1').update(key).update(get.salt ?? '').digest()
    dht.get(target, { cache: false, ...salted(get.salt) }, (error, item) =>
      say({ get: item ? { seq: item.seq, ih: Buffer.from(item.v.ih).toString('hex') } : { failed: error && String(error) } }))
  }
}
process.exit(0)
