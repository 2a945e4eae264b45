// A transfer with five hundred peers: all of them are in the list, which stays quick while each changes each second.
import { check, demand, go, nodes, note, open, shot, shut, sleep, smoothness, story, until, wheel } from './browser.mjs'

const [ours] = nodes
const PEERS = 500

/** How many places of a row may change with what one second brings. */
const PLACES = 16

await story(async () => {
  const [torrent] = await ours.get('torrents')
  const page = await open(ours, `transfers/${torrent.id}/peers`)
  const grid = page.getByRole('grid', { name: 'Peers' })
  const rows = grid.locator('[role=row][data-index]')
  const told = smooth => note({ peers: PEERS, frames: smooth.frames, 'of 100 the 95th, ms': smooth.usual,
    'longest task, ms': smooth.longest, changes: smooth.changes })
  const costs = async (of, smooth) => {
    const most = await of.locator('[role=row][data-index]').count() * PLACES * (smooth.seconds + 1)
    demand(smooth.changes < most, `not just what is in sight is changed: ${smooth.changes} places, at most ${most}`)
  }
  /** So many seconds, and until something changed. */
  const changing = seconds => async changes => {
    await sleep(seconds * 1000)
    await until('something changes', async () => await changes() > 0)
  }

  await check('all are there, and few of them in the page', async () => {
    await until('all of them', async () => await grid.getAttribute('aria-rowcount') === String(PEERS + 1))
    demand(await rows.count() < 60, `${await rows.count()} rows are in the page`)
    await grid.getByText('↓', { exact: false }).or(grid.locator('.num.down', { hasText: '/s' })).first().waitFor()
    await shot(page, 'crowd')
  })
  await check('while all of them change, the page changes what is in sight', async () => {
    const come = async () => (await ours.get(`torrents/${torrent.id}`)).downloaded_bytes
    const before = await come()
    const smooth = await smoothness(page, async changes => {
      await changing(6)(changes)
      await until('something comes, otherwise this shows nothing', async () => await come() > before)
    })
    told(smooth)
    await costs(grid, smooth)
  })
  await check('scrolling through them keeps few in the page', async () => {
    const smooth = await smoothness(page, () => wheel(page, grid, 60))
    told(smooth)
    demand(await rows.count() < 60, `${await rows.count()} rows are in the page`)
  })
  await check('they are sorted by a click, and the keyboard walks through them', async () => {
    await page.getByRole('button', { name: 'Peer', exact: true }).click()
    await grid.focus()
    await page.keyboard.press('Home')
    const first = grid.locator('[data-index="0"] .title')
    await until('the first address', async () => (await first.innerText().catch(() => '')).startsWith('127.1.0.'))
    await page.keyboard.press('End')
    await until('the last one', async () => await grid.locator(`[data-index="${PEERS - 1}"]`).count() === 1)
  })
  await check('the map of pieces and the plot go on beside them', async () => {
    await go(page, `transfers/${torrent.id}`)
    await page.getByRole('img', { name: /of 2,048 pieces are here/ }).waitFor()
    const smooth = await smoothness(page, changing(4))
    told(smooth)
    await shot(page, 'crowd-overview')
  })
  await check('so does a phone', async () => {
    const phone = await open(ours, `transfers/${torrent.id}/peers`, { size: 'phone' })
    const list = phone.getByRole('grid', { name: 'Peers' })
    await until('all of them', async () => await list.getAttribute('aria-rowcount') === String(PEERS + 1))
    const smooth = await smoothness(phone, changing(4))
    told(smooth)
    await costs(list, smooth)
    await shot(phone, 'crowd-phone')
    await shut(phone)
  })
  await shut(page)
})
