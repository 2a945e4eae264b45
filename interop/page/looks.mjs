// Each tab on a screen and on a phone, light and dark: a picture of each, and no serious fault of access.
import { accessible, check, demand, faults, go, nodes, open, SCHEMES, settled, shot, shut, story } from './browser.mjs'

const [ours] = nodes
const TABS = ['transfers', 'share', 'messages', 'people', 'inbox', 'network', 'network/connections', 'network/dht',
  'network/reach', 'controls']

await story(async () => {
  const torrent = (await ours.get('torrents')).find(({ name }) => name === 'holiday')
  const places = [...TABS,
    ...['', '/files', '/peers', '/sources', '/log'].map(section => `transfers/${torrent.id}${section}`)]
  for (const size of ['desktop', 'phone']) {
    for (const scheme of SCHEMES) {
      await check(`${size}, ${scheme}: each tab fits, and axe-core finds no serious fault`, async () => {
        const page = await open(ours, 'transfers', { size, scheme })
        await page.locator('[role=row][data-index]').first().waitFor()
        const wrong = []
        for (const place of places) {
          await go(page, place)
          await page.waitForTimeout(500)
          await settled(page)
          const wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth)
          if (wide > 0) wrong.push(`${place}: ${wide} pixels wider than the screen`)
          wrong.push(...(await faults(page)).map(fault => `${place}: ${fault}`))
          await shot(page, `${place.replace(torrent.id, 'one').replaceAll('/', '-')}-${size}-${scheme}`)
        }
        await shut(page)
        demand(wrong.length === 0, wrong.join('\n'))
      })
    }
  }
  await check('who is not known sees how to log in, and no more', async () => {
    const page = await open(ours)
    await page.context().clearCookies()
    await page.reload()
    await page.getByRole('heading', { name: 'This is a Compeer node' }).waitFor()
    await accessible(page)
    await page.getByLabel('Secret').fill(ours.token)
    await page.getByRole('button', { name: 'Log in' }).click()
    await page.locator('main.transfers').waitFor()
    await shut(page)
  })
})
