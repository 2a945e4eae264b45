// What a story of the page gets: a browser that looks at everything the page asks for, nodes by their API, and cases.
// usage: node STORY.mjs ARGUMENTS, as JSON:
//   { modules, chromium, shots, folder, nodes: [{ name, api, token, ip, port }] }
// lines: {"case": text, "seconds": n, "error": text or null}    {"note": {…}}
import fs from 'node:fs'
import path from 'node:path'
import { createRequire } from 'node:module'

export const given = JSON.parse(process.argv[2])
const require = createRequire(given.modules + '/')
const { chromium } = require('playwright-core')
const AXE = fs.readFileSync(path.join(given.modules, 'axe-core/axe.min.js'), 'utf8')

export const SIZES = {
  desktop: { width: 1280, height: 800 }, phone: { width: 390, height: 844 }, small: { width: 360, height: 640 }
}
export const SCHEMES = ['light', 'dark']
export const { folder } = given

/** How large the screen is that a story is told on, unless it says so itself. */
const SIZE = given.size ?? 'desktop'

/** How long something may take that has to come, in milliseconds: a busy computer, two nodes that meet. */
const PATIENCE = 60_000

// Nothing of the browser's own: no updates, no start page, no names looked up.
const FLAGS = ['--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage', '--no-first-run',
  '--disable-background-networking', '--disable-component-update', '--disable-sync',
  '--disable-default-apps', '--disable-quic', '--disable-domain-reliability',
  '--autoplay-policy=no-user-gesture-required', '--no-pings',
  '--disable-features=OptimizationHints,MediaRouter,Translate,DialMediaRouteProvider',
  '--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1']

const say = line => process.stdout.write(JSON.stringify(line) + '\n')
export const note = what => say({ note: what })
export const sleep = ms => new Promise(resolve => setTimeout(resolve, ms))

/** Fails with what is said unless it holds. */
export function demand (holds, said) {
  if (!holds) throw new Error(said)
}

/** Asks until it is so; -> what was answered. */
export async function until (what, ask, seconds = PATIENCE / 1000) {
  const end = Date.now() + seconds * 1000
  for (;;) {
    const answer = await ask()
    if (answer) return answer
    demand(Date.now() < end, `not within ${seconds} s: ${what}`)
    await sleep(100)
  }
}

/** A case of its own: what goes wrong in it is noted, with a picture, and the story goes on. */
export async function check (name, act) {
  const began = Date.now()
  let error = null
  try {
    await act()
  } catch (wrong) {
    error = wrong.stack ?? String(wrong)
    for (const page of pages) {
      const file = `failed-${name.replace(/\W+/g, '-')}-${page.of}.png`
      await page.screenshot({ path: path.join(given.shots, file) }).catch(() => {})
    }
  }
  say({ case: name, seconds: Math.round((Date.now() - began) / 100) / 10, error })
  return error === null
}

/** A node, by its API. */
class Node {
  constructor (of) {
    Object.assign(this, of)
  }

  async call (method, what, body) {
    const headers = { authorization: `Bearer ${this.token}` }
    if (body !== undefined) headers['content-type'] = 'application/json'
    const answer = await fetch(`http://127.0.0.1:${this.api}/api/v1/${what}`,
      { method, headers, body: body === undefined ? undefined : JSON.stringify(body) })
    const text = await answer.text()
    demand(answer.ok, `${this.name}: ${method} ${what}: ${answer.status} ${text.slice(0, 300)}`)
    return text ? JSON.parse(text) : null
  }

  get = what => this.call('GET', what)
  post = (what, body = {}) => this.call('POST', what, body)
  patch = (what, body) => this.call('PATCH', what, body)
}

export const nodes = given.nodes.map(one => new Node(one))

const pages = new Set()
/** What each page asked for and was not answered yet, but for what goes on for as long as it is open. */
const asked = new WeakMap()
const foreign = []
const mistakes = []
let browser

/** Everything that a page asks for is its own node's; what it complains of is noted. */
function listen (page, origin) {
  page.on('request', request => {
    const url = new URL(request.url())
    if (!['data:', 'blob:', 'about:'].includes(url.protocol) && url.origin !== origin) foreign.push(request.url())
  })
  const questions = new Set()
  asked.set(page, questions)
  page.on('request', request => {
    if (!['eventsource', 'media'].includes(request.resourceType())) questions.add(request)
  })
  for (const end of ['requestfinished', 'requestfailed']) page.on(end, request => questions.delete(request))
  // A node that says no is a case of its own; the page's own files are there.
  page.on('response', response => {
    const { pathname } = new URL(response.url())
    const ofNode = /^\/(api|stream)\//.test(pathname)
    if (response.status() >= 400 && !ofNode) mistakes.push(`${pathname}: ${response.status()}`)
  })
  page.on('websocket', socket => foreign.push(socket.url()))
  page.on('pageerror', error => mistakes.push(error.stack))
  page.on('console', message => {
    // axe-core puts styles into the page, which the policy refuses; what is not loaded is looked at above.
    const known = /Applying inline style|Failed to load resource/
    if (message.type() === 'error' && !known.test(message.text())) mistakes.push(message.text())
  })
}

/** Opens the page of a node, logged in as `compeer open` does it, by a code that is good once. */
export async function open (node, at = '', { size = SIZE, scheme = given.scheme ?? 'light', later = true } = {}) {
  const phone = size !== 'desktop'
  const context = await browser.newContext({ viewport: SIZES[size], colorScheme: scheme, hasTouch: phone,
    isMobile: phone, deviceScaleFactor: phone ? 2 : 1, locale: 'en-GB' })
  context.setDefaultTimeout(PATIENCE)
  // The questions of the first visit are a story of their own.
  if (later) await context.addInitScript(() => localStorage.setItem('compeer.wizard.later', 'true'))
  const page = await context.newPage()
  page.of = `${node.name}-${size}-${scheme}`
  pages.add(page)
  const { url } = await node.post('login/codes')
  listen(page, new URL(url).origin)
  await page.goto(url)
  await page.getByRole('navigation').first().waitFor()
  if (at) await go(page, at)
  return page
}

/** Goes to a place of the page, as its links do; the page has noticed then. */
export async function go (page, at) {
  await page.evaluate(where => new Promise(resolve => {
    if (location.hash === where) return resolve()
    window.addEventListener('hashchange', () => resolve(), { once: true })
    location.hash = where
  }), `#/${at}`)
  await page.locator(`main.${at.split(/[/?]/)[0]}`).waitFor()
}

/** Waits for the next pictures, for what the page does after each, and until nothing fades or moves any more. */
export const still = page => page.evaluate(async () => {
  for (let frame = 0; frame < 2; frame += 1) {
    await new Promise(resolve => requestAnimationFrame(() => setTimeout(resolve)))
  }
  const moving = document.getAnimations().filter(one => Number.isFinite(one.effect?.getComputedTiming().endTime))
  await Promise.all(moving.map(one => one.finished.catch(() => {})))
})

/** Waits until all that the page asked for is answered, and shown: before one says that something is not there. */
export async function settled (page) {
  // What is answered may lead to another question.
  for (let turn = 0; turn < 3; turn += 1) {
    const questions = [...asked.get(page)]
    await until('the node answers', () => questions.every(one => !asked.get(page).has(one)))
    await still(page)
  }
}

/** Goes to a tab, as somebody would; a phone has some of them in a menu. */
export async function tab (page, name) {
  const tabs = page.getByRole('navigation', { name: 'Tabs' })
  await tabs.getByRole('link').first().waitFor()
  if (await tabs.getByRole('link', { name }).count() > 0) return tabs.getByRole('link', { name }).first().click()
  await tabs.getByRole('button', { name: 'More' }).click()
  return page.getByRole('menuitem', { name }).click()
}

export async function shut (page) {
  pages.delete(page)
  await page.context().close()
}

/** Keeps what the node answers to such a question from the page until something is so: events tell of it before. */
export const overtaken = (page, method, path, so) => page.route(({ pathname }) => path.test(pathname), async route => {
  if (route.request().method() !== method) return route.fallback()
  const response = await route.fetch()
  await so()
  return route.fulfill({ response })
})

/** A picture for people, beside the tests. */
export const shot = (page, name) =>
  page.screenshot({ path: path.join(given.shots, `${name}${SIZE === 'desktop' ? '' : `-on-${SIZE}`}.png`) })

/** Makes a film: what the browser records of a canvas with moving noise, so that it has some size. */
export async function film (file, seconds) {
  const page = await browser.newPage()
  const text = await page.evaluate(length => new Promise((resolve, reject) => {
    const canvas = Object.assign(document.createElement('canvas'), { width: 640, height: 360 })
    const brush = canvas.getContext('2d')
    const paint = setInterval(() => {
      for (let spot = 0; spot < 4000; spot += 1) {
        brush.fillStyle = `hsl(${Math.random() * 360} 80% 50%)`
        brush.fillRect(Math.random() * 640, Math.random() * 360, 12, 12)
      }
    }, 40)
    const recorder = new MediaRecorder(canvas.captureStream(25),
      { mimeType: 'video/webm', videoBitsPerSecond: 6_000_000 })
    const parts = []
    recorder.ondataavailable = ({ data }) => parts.push(data)
    recorder.onerror = ({ error }) => reject(error)
    recorder.onstop = () => {
      clearInterval(paint)
      const reader = new FileReader()
      reader.onload = () => resolve(reader.result.split(',')[1])
      reader.readAsDataURL(new Blob(parts))
    }
    recorder.start(500)
    setTimeout(() => recorder.stop(), length * 1000)
  }), seconds)
  await page.close()
  fs.writeFileSync(file, Buffer.from(text, 'base64'))
  return fs.statSync(file).size
}

/** What axe-core finds that is serious or critical (WCAG 2.2, A and AA, and its best practices). */
export async function faults (page) {
  // What fades in has too little contrast for some moments.
  await still(page)
  await page.evaluate(AXE)
  const { violations } = await page.evaluate(() => window.axe.run())
  return violations.filter(({ impact }) => impact === 'serious' || impact === 'critical')
    .map(({ impact, id, nodes: where }) =>
      `${impact} ${id}: ${where.slice(0, 3).map(({ target }) => target.join(' ')).join(' | ')}`)
}

/** axe-core finds nothing serious. */
export async function accessible (page) {
  const found = await faults(page)
  demand(found.length === 0, found.join('\n'))
}

/**
 * How smooth the page is while something is done, in milliseconds: the longest of 100 frames but five, and the longest
 * time for which the page did nothing else than compute; these depend on what else the computer does. `changes`: how
 * many places of the page were changed, in how many `seconds`. `act` gets a function that tells the changes so far.
 */
export async function smoothness (page, act) {
  await page.evaluate(() => {
    const seen = { frames: [], tasks: [0], changes: 0, on: true }
    window.seen = seen
    seen.changed = new MutationObserver(list => { seen.changes += list.length })
    seen.changed.observe(document.body, { attributes: true, characterData: true, childList: true, subtree: true })
    seen.observer = new PerformanceObserver(list =>
      seen.tasks.push(...list.getEntries().map(({ duration }) => duration)))
    seen.observer.observe({ type: 'longtask' })
    seen.began = performance.now()
    let last = seen.began
    const frame = now => {
      seen.frames.push(now - last)
      last = now
      if (seen.on) requestAnimationFrame(frame)
    }
    requestAnimationFrame(frame)
  })
  await act(() => page.evaluate(() => window.seen.changes))
  return page.evaluate(() => {
    const { seen } = window
    seen.on = false
    seen.observer.disconnect()
    seen.changed.disconnect()
    const frames = seen.frames.sort((a, b) => a - b)
    return { frames: frames.length, usual: Math.round(frames[Math.floor(frames.length * 0.95)]),
      longest: Math.round(Math.max(...seen.tasks)), changes: seen.changes,
      seconds: (performance.now() - seen.began) / 1000 }
  })
}

/** Turns the wheel over something, for so many pictures. */
export async function wheel (page, over, turns, by = 240) {
  await over.hover()
  for (let turn = 0; turn < turns; turn += 1) {
    await page.mouse.wheel(0, by)
    await page.waitForTimeout(40)
  }
}

/** A word at the edge of the page. */
export const told = (page, text) => page.locator('.toast', { hasText: text }).first().waitFor()

/**
 * Lets words that come from now on stay for longer than a slow computer takes to look at them; they would go after some
 * seconds. -> What lets them go as they do.
 */
export async function staying (page) {
  await page.evaluate(() => {
    window.later = window.setTimeout
    window.setTimeout = (act, ms, ...more) => window.later(act, ms >= 3000 ? ms + 100_000 : ms, ...more)
  })
  return () => page.evaluate(() => { window.setTimeout = window.later })
}

/** What is wrong with where such words lie: controls that they cover, and words that something else covers. */
const lying = page => page.evaluate(() => {
  const at = element => {
    const { left, top, width, height } = element.getBoundingClientRect()
    return document.elementFromPoint(left + width / 2, top + height / 2)
  }
  const words = [...document.querySelectorAll('.toast')]
  const behind = words.filter(toast => !toast.contains(at(toast.querySelector('button:last-child'))))
  // Behind a dialog nothing is a control.
  const root = [...document.querySelectorAll('dialog[open]')].at(-1) ?? document
  const below = [...root.querySelectorAll('button, a, input, select, textarea')]
    .filter(element => !element.closest('.toast') && at(element)?.closest('.toast'))
  for (const toast of words) toast.style.visibility = 'hidden'
  // What can be reached without the words: the rest is scrolled out of sight.
  const reached = below.filter(element => element.contains(at(element)))
  for (const toast of words) toast.style.visibility = ''
  return [...words.length === 0 ? ['there are no words'] : [], ...behind.map(toast => `hidden: ${toast.textContent}`),
    ...reached.map(element => `covered: ${element.outerHTML.slice(0, 120)}`)]
})

/** Such words are there, cover nothing and are covered by nothing, as soon as they do not move any more. */
export async function uncovered (page) {
  await still(page)
  const wrong = await lying(page)
  demand(wrong.length === 0, wrong.join('\n'))
}

/** Tells a story, then what holds for each: nothing left the machine, and the page made no mistake. */
export async function story (tell) {
  browser = await chromium.launch({ executablePath: given.chromium, args: FLAGS, timeout: 2 * PATIENCE })
  try {
    await tell()
    await check('the page asks its own node alone, and makes no mistake', () => {
      demand(foreign.length === 0, `it asked for ${foreign.slice(0, 5).join(', ')}`)
      demand(mistakes.length === 0, mistakes.slice(0, 5).join('\n'))
    })
  } catch (wrong) {
    say({ case: 'the story itself', seconds: 0, error: wrong.stack ?? String(wrong) })
  } finally {
    await browser.close()
  }
}
