// One transfer, looked at closely while it comes: its pieces, rates, files, peers, sources, and what happened.
import {
  accessible, check, demand, go, nodes, open, settled, shot, shut, still, story, told, until
} from './browser.mjs'

const [ours, seed] = nodes
const [source] = await seed.get('torrents')

/** A tracker at which nobody answers. */
const SILENT = 'http://127.0.0.1:9/announce'

/** How many of the points of a canvas have another colour than what lies below, at the first look and later. */
const painted = canvas => canvas.evaluate(one => {
  const { data } = one.getContext('2d').getImageData(0, 0, one.width, one.height)
  const colours = new Map()
  for (let at = 0; at < data.length; at += 4) {
    if (data[at + 3] > 0) {
      const colour = `${data[at]} ${data[at + 1]} ${data[at + 2]} ${data[at + 3]}`
      colours.set(colour, (colours.get(colour) ?? 0) + 1)
    }
  }
  return Object.fromEntries(colours)
})

await story(async () => {
  const page = await open(ours, 'transfers')
  const { magnet } = await seed.get(`torrents/${source.id}?local=true`)
  await ours.post('torrents', { link: `${magnet}&tr=${encodeURIComponent(SILENT)}` })
  await ours.post(`torrents/${source.id}/peers`, { address: `${seed.ip}:${seed.port}` })
  const of = () => ours.get(`torrents/${source.id}`)
  await until('its files are known', async () => (await of()).file_count > 0)

  await check('the map of pieces fills while they come, in words as well', async () => {
    await page.getByRole('row', { name: /holiday/ }).click()
    const map = page.locator('.pieces canvas')
    const have = async () => Number((await map.getAttribute('aria-label')).match(/^(\d+) of 128 pieces/)?.[1])
    await until('the first pieces', async () => await have() > 0)
    // The words are there before the picture is painted.
    const colours = await until('pieces look different from one another', async () => {
      const all = await painted(map)
      return Object.keys(all).length > 1 && all
    })
    const count = await have()
    await until('more', async () => await have() > count + 5)
    await until('it is drawn again', async () => JSON.stringify(await painted(map)) !== JSON.stringify(colours))
    await map.hover({ position: { x: 4, y: 4 } })
    await page.locator('.pieces figcaption').getByText(/^Piece 0: /).waitFor()
  })

  await check('the plot draws how fast it comes', async () => {
    const plot = page.locator('.plot canvas').first()
    const before = await until('it is drawn', async () => {
      const all = await painted(plot)
      return Object.values(all).reduce((sum, count) => sum + count, 0) > 100 && all
    })
    await until('it goes on', async () => JSON.stringify(await painted(plot)) !== JSON.stringify(before))
    await shot(page, 'closely')
  })

  await check('a reload leaves the plot as it was: the node keeps the last minutes', async () => {
    const plot = page.locator('.plot canvas').first()
    // Below the lines it is painted through which the page is seen.
    const below = async () => Object.entries(await painted(plot)).reduce((sum, [colour, count]) =>
      sum + (Math.abs(colour.split(' ')[3] - 25) <= 2 ? count : 0), 0)
    await until('something', below)
    // While nothing moves, no line comes of itself.
    await ours.post(`torrents/${source.id}/pause`)
    await until('it stands still', async () => (await of()).download_bytes_per_s === 0)
    await still(page)
    const before = await until('something', below)
    await page.reload()
    await plot.waitFor()
    await until('all of it', async () => await below() > before / 2)
    demand((await ours.get(`torrents/${source.id}/rates`)).length > 0, 'the node keeps nothing')
    await ours.post(`torrents/${source.id}/resume`)
    await until('it goes on', async () => (await of()).download_bytes_per_s > 0)
  })

  await check('a file that is not wanted is not fetched, and one that is wanted first comes first', async () => {
    await go(page, `transfers/${source.id}/files`)
    const of = name => page.getByLabel(`How much ${name} is wanted`)
    await of('mountain.bin').selectOption('Not')
    const files = () => ours.get(`torrents/${source.id}/files`)
    const file = async name => (await files()).find(({ path }) => path.endsWith(name))
    await until('it is skipped', async () => (await file('mountain.bin')).priority === 'skip')
    await until('the sum is less', async () => (await ours.get(`torrents/${source.id}`)).wanted_bytes < 32 * 2 ** 20)
    await until('the folder tells of two priorities', async () => await of('holiday').inputValue() === 'mixed')
    await of('mountain.bin').selectOption('First')
    await until('it is here', async () => {
      const { done_bytes: done, size_bytes: size } = await file('mountain.bin')
      return done === size
    })
    const { done_bytes: done, size_bytes: size } = await file('lake.bin')
    demand(done < size, 'all of it is here: this shows nothing')
    await page.getByRole('row', { name: /mountain/ }).getByText('100%', { exact: true }).waitFor()
    await accessible(page)
  })

  await check('a peer: what carries it, how it was found, its program, what it has', async () => {
    await go(page, `transfers/${source.id}/peers`)
    const row = page.getByRole('row', { name: new RegExp(seed.ip.replaceAll('.', '\\.')) })
    await row.getByText(/^(TCP|µTP)$/).waitFor()
    await row.getByText('Compeer', { exact: false }).waitFor()
    await row.getByText('has 100%').waitFor()
    await row.getByText(/\/s$/).first().waitFor()
    const [peer] = await ours.get(`torrents/${source.id}/peers`)
    const names = { hint: 'Link', incoming: 'Came to us', tracker: 'Tracker', pex: 'Peer exchange' }
    await row.getByText(names[peer.source] ?? peer.source).waitFor()
  })

  await check('trackers and sources tell what they said last', async () => {
    await go(page, `transfers/${source.id}/sources`)
    const tracker = page.getByRole('listitem').filter({ hasText: SILENT })
    await tracker.locator('.icon').first().waitFor()
    await until('what went wrong', async () =>
      /refused|not|fail|connect/i.test(await tracker.locator('p').first().innerText()))
    await page.getByRole('button', { name: 'Ask them again' }).click()
    await told(page, 'They are asked')
    await page.getByRole('listitem').filter({ hasText: 'DHT' }).getByText('switched off').waitFor()
    const exchange = page.getByRole('listitem').filter({ hasText: 'Peer exchange' })
    await exchange.getByText('found nothing yet').waitFor()
    await until('its sign says that it found none', () => exchange.evaluate(one => one.classList.contains('off')))
    await shot(page, 'closely-sources')
  })

  await check('its pieces are fetched in order, if somebody likes', async () => {
    await go(page, `transfers/${source.id}`)
    const order = page.getByRole('switch', { name: /^Fetch the pieces in order/ })
    await order.setChecked(true, { force: true })
    await until('it holds', async () => (await of()).sequential)
    await page.reload()
    await until('it is remembered', () => order.isChecked())
    await ours.patch(`torrents/${source.id}`, { sequential: false })
    await until('what another program changed is seen', async () => !await order.isChecked())
  })

  await check('a limit of its own holds, and is there when one looks again', async () => {
    await page.locator('.detail').getByRole('button', { name: 'More', exact: true }).click()
    await page.getByRole('menuitem', { name: 'Limits' }).click()
    const dialog = page.getByRole('dialog')
    await dialog.getByLabel('Receive at most, in kB/s').fill('100')
    await dialog.getByLabel('Receive at most, in kB/s').press('Enter')
    await told(page, 'The limits hold')
    await until('it is slower', async () => (await of()).download_bytes_per_s < 200_000)
    await page.locator('.detail').getByRole('button', { name: 'More', exact: true }).click()
    await page.getByRole('menuitem', { name: 'Limits' }).click()
    await until('it is remembered', async () =>
      await dialog.getByLabel('Receive at most, in kB/s').inputValue() === '100')
    await dialog.getByLabel('Receive at most, in kB/s').fill('')
    await dialog.getByRole('button', { name: 'Keep' }).click()
  })

  await check('the log tells what happened, and goes on', async () => {
    await go(page, `transfers/${source.id}/log`)
    const log = page.locator('.log')
    await log.getByText('Added').first().waitFor()
    await log.getByText('Described').waitFor()
    await page.locator('.detail').getByRole('button', { name: 'Pause' }).click()
    await log.locator('li').first().getByText(/paused/i).waitFor()
    // All the rest of the story was slow, so that none of it comes too late.
    await seed.patch('budget', { upload_bytes_per_s: 0 })
    await page.locator('.detail').getByRole('button', { name: 'Resume' }).click()
    await log.locator('li', { hasText: 'Finished' }).first().waitFor({ timeout: 60_000 })
    await shot(page, 'closely-log')
  })

  await check('the network is told, never asked for: who is met, and by which way', async () => {
    await go(page, 'network')
    const drawing = page.locator('main.network')
    await drawing.getByText('Links', { exact: true }).first().waitFor()
    await settled(page)
    const asked = []
    const note = request => asked.push(new URL(request.url()).pathname)
    page.on('request', note)
    await go(page, 'network/reach')
    await go(page, 'network')
    await page.waitForTimeout(6000)
    page.off('request', note)
    // The page asks whether the node is there when it says nothing for long.
    const other = asked.filter(path => path.startsWith('/api/') && path !== '/api/v1/session')
    demand(other.length === 0, `it asked for ${other.join(', ')}`)
  })
  await shut(page)
})
