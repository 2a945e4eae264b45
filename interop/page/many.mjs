// Five thousand transfers in the list: how soon it is there, and that scrolling, searching and changing it stay quick.
import { check, demand, go, nodes, note, open, shot, shut, smoothness, story, until, wheel } from './browser.mjs'

const [ours] = nodes
const MANY = 5000

await story(async () => {
  const page = await open(ours, 'transfers')
  const rows = page.locator('[role=row][data-index]')
  await rows.first().waitFor({ timeout: 30_000 })
  await check('the list is there, and says how long it is', async () => {
    // The first picture, and the first row: of a page that is loaded anew, as one that comes back finds it.
    await page.addInitScript(() => {
      new MutationObserver((_, observer) => {
        if (!document.querySelector('[role=row][data-index]')) return
        observer.disconnect()
        requestAnimationFrame(() => { window.firstRow = performance.now() })
      }).observe(document, { childList: true, subtree: true })
    })
    await page.reload()
    await rows.first().waitFor({ timeout: 30_000 })
    const times = await until('both are noted', () => page.evaluate(() => {
      const [paint] = performance.getEntriesByName('first-contentful-paint')
      return paint && window.firstRow && { first_paint: paint.startTime, first_row: window.firstRow }
    }))
    note({ torrents: MANY, 'first paint, ms': Math.round(times.first_paint),
      'first row, ms': Math.round(times.first_row) })
    await until('all of them', async () =>
      await page.getByRole('grid').getAttribute('aria-rowcount') === String(MANY + 1))
    demand(await rows.count() < 100, `${await rows.count()} rows are in the page`)
  })
  await check('scrolling through it keeps few in the page', async () => {
    const smooth = await smoothness(page, () => wheel(page, page.getByRole('grid'), 80, 900))
    note({ torrents: MANY, 'frames while scrolling': smooth.frames, 'of 100 the 95th, ms': smooth.usual,
      'longest task, ms': smooth.longest })
    demand(await rows.count() < 100, `${await rows.count()} rows are in the page`)
  })
  await check('all are chosen by a key, and what is chosen is counted', async () => {
    const smooth = await smoothness(page, async () => {
      await page.getByRole('grid').focus()
      await page.keyboard.press('Control+a')
      await page.getByRole('toolbar', { name: '5,000 chosen' }).waitFor()
      await page.keyboard.press('Escape')
      await page.getByRole('toolbar').waitFor({ state: 'detached' })
    })
    note({ torrents: MANY, 'longest task at choosing all, ms': smooth.longest })
  })
  await check('the end is a key away', async () => {
    const grid = page.getByRole('grid')
    await grid.focus()
    await grid.press('End')
    await until('the last row', async () => await page.locator(`[data-index="${MANY - 1}"]`).count() === 1)
    await shot(page, 'many')
  })
  await check('a search finds the one', async () => {
    await page.getByLabel('Search transfers').fill('torrent 4321')
    await until('one row', async () => await rows.count() === 1)
  })
  await check('one is looked at before the page was told of it, and one that does not come is left', async () => {
    const soon = 'ab'.repeat(20)
    await go(page, `transfers/${soon}`)
    await page.locator('.detail[aria-busy=true]').waitFor()
    await ours.post('torrents', { link: `magnet:?xt=urn:btih:${soon}&dn=soon` })
    await page.locator('.detail').getByRole('heading', { name: 'soon' }).waitFor()
    demand(page.url().includes(soon), page.url())
    await go(page, `transfers/${'cd'.repeat(20)}`)
    await until('the list alone', async () => page.url().endsWith('#/transfers'))
  })
  await shut(page)
})
