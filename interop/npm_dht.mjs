// Nodes of npm's bittorrent-dht, driven by JSON lines on stdin, an answer on stdout for each; ended by the end of stdin.
// usage: node npm_dht.mjs MODULES IP:PORT [IP:PORT ...]     the first node is where the others enter
import crypto from 'node:crypto'
import readline from 'node:readline'
const [modules, ...places] = process.argv.slice(2)
const { Client } = await import(modules + '/bittorrent-dht/index.js')
const say = what => process.stdout.write(JSON.stringify(what) + '\n')

// raw Ed25519 keys in the wrappings that node wants (RFC 8410)
const secret = seed => crypto.createPrivateKey({ key: Buffer.concat([Buffer.from('302e020100300506032b657004220420', 'hex'), seed]), format: 'der', type: 'pkcs8' })
const publicOf = key => Buffer.from(crypto.createPublicKey(key).export({ format: 'jwk' }).x, 'base64url')
const verify = (signature, message, key) => crypto.verify(null, message, { key: { kty: 'OKP', crv: 'Ed25519', x: Buffer.from(key).toString('base64url') }, format: 'jwk' }, signature)

// spread over the keys, so that no bucket of a node that is to know all of them overflows: half of random ids may be more than its eight
const id = i => Buffer.concat([Buffer.from([Math.floor(256 * i / places.length)]), crypto.randomBytes(19)])

const nodes = await Promise.all(places.map((place, i) => new Promise(resolve => {
  const [ip, port] = place.split(':')
  const node = new Client({ nodeId: id(i), bootstrap: i ? [places[0]] : [], host: false, verify, maxAge: Infinity })
  node.on('error', error => process.stderr.write(String(error) + '\n'))
  node.on('warning', error => process.stderr.write(String(error) + '\n'))
  node.listen(Number(port), ip, () => resolve(node))
})))
const call = work => new Promise((resolve, reject) => work((error, ...values) => error ? reject(error) : resolve(values)))

const commands = {
  add: async ({ node, ip, port }) => { node.addNode({ host: ip, port }); return {} },
  nodes: async ({ node }) => ({ nodes: node.toJSON().nodes.length }),
  announce: async ({ node, hash, port }) => { await call(done => node.announce(hash, port, done)); return {} },
  peers: async ({ node, hash }) => {
    const found = new Set()
    const note = (peer, infoHash) => { if (infoHash.toString('hex') === hash) found.add(`${peer.host}:${peer.port}`) }
    node.on('peer', note)
    await call(done => node.lookup(hash, done))
    node.off('peer', note)
    return { peers: [...found] }
  },
  put: async ({ node, text, seed, salt, seq, cas }) => {
    const item = { v: Buffer.from(text) }
    if (seed) {
      const key = secret(Buffer.from(seed, 'hex'))
      Object.assign(item, { k: publicOf(key), seq, sign: message => crypto.sign(null, message, key) })
      if (salt) item.salt = Buffer.from(salt)
      if (cas !== undefined) item.cas = cas
    }
    const [hash] = await call(done => node.put(item, done))
    return { hash: hash.toString('hex'), key: item.k?.toString('hex') }
  },
  get: async ({ node, hash, salt }) => {
    const [item] = await call(done => node.get(hash, { salt: salt ? Buffer.from(salt) : undefined, cache: false }, done))
    return item ? { text: item.v.toString(), seq: item.seq } : { text: null }
  }
}

say({ ready: true })
for await (const line of readline.createInterface({ input: process.stdin })) {
  const message = JSON.parse(line)
  try {
    say(await commands[message.cmd]({ ...message, node: nodes[message.node ?? 0] }))
  } catch (error) {
    say({ error: String(error) })
  }
}
process.exit(0)
