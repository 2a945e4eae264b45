// The node goes away, and comes back: the page says so, loses nothing, and goes on by itself.
import fs from 'node:fs'
import path from 'node:path'
import { accessible, check, demand, folder, nodes, note, open, settled, shot, shut, story, tab, until } from './browser.mjs'

const [ours] = nodes

await story(async () => {
  const page = await open(ours, 'transfers')
  const lost = page.getByRole('alert').filter({ hasText: 'Trying again' })
  const rows = page.locator('[role=row][data-index]')
  const ask = what => fs.writeFileSync(path.join(folder, what), '')

  await check('a connection that broke without a word is noticed, and what was told last stays', async () => {
    await rows.first().waitFor()
    await page.evaluate(() => { window.mark = 'the same page' })
    await page.getByLabel('Search transfers').fill('winter')
    await ours.post('torrents', { link: `magnet:?xt=urn:btih:${'ab'.repeat(20)}&dn=winter, the second` })
    await until('the second', async () => await rows.count() === 2)
    ask('halt')
    const began = Date.now()
    await lost.waitFor({ timeout: 60_000 })
    note({ 'noticed after, s': Math.round((Date.now() - began) / 1000) })
    demand(await rows.count() === 2, 'the list is gone')
    await accessible(page)
    await shot(page, 'lost')
  })
  await check('it heals by itself, and what happened meanwhile is there', async () => {
    ask('go on')
    await lost.waitFor({ state: 'detached' })
    await ours.call('DELETE', `torrents/${'ab'.repeat(20)}`)
    await until('the first alone', async () => await rows.count() === 1)
    demand(await page.evaluate(() => window.mark) === 'the same page', 'it was loaded anew')
  })
  const written = page.getByLabel('Or share it where it lies')
  await check('a node that is begun anew knows who is logged in, and nothing that was written is lost', async () => {
    await tab(page, 'Share')
    await written.fill('/somewhere/else')
    ask('stop')
    await lost.waitFor()
    await page.getByRole('button', { name: 'Share', exact: true }).click()
    await page.getByRole('alert').filter({ hasText: 'Is it running?' }).waitFor()
    ask('start')
    await lost.waitFor({ state: 'detached', timeout: 60_000 })
    await tab(page, 'Transfers')
    await ours.post('torrents', { link: `magnet:?xt=urn:btih:${'cd'.repeat(20)}&dn=winter, the third` })
    await until('the third', async () => await rows.count() === 2)
    await ours.call('DELETE', `torrents/${'cd'.repeat(20)}`)
    await tab(page, 'Share')
    await until('what was written', async () => await written.inputValue() === '/somewhere/else')
    demand(await page.evaluate(() => window.mark) === 'the same page', 'it was loaded anew')
  })
  await check('whose log-in is over is asked who they are, and goes on with what was written', async () => {
    // What is still under way would be refused, and the page ask at once.
    await settled(page)
    await page.context().clearCookies()
    await page.getByRole('button', { name: 'Share', exact: true }).click()
    await page.getByText('You were logged in').waitFor()
    await accessible(page)
    await page.getByLabel('Secret').fill(ours.token)
    await page.getByLabel('Secret').press('Enter')
    await written.waitFor()
    await until('what was written', async () => await written.inputValue() === '/somewhere/else')
    demand(await page.evaluate(() => window.mark) === 'the same page', 'it was loaded anew')
  })
  await check('a reload keeps the search, the place and the form', async () => {
    await page.reload()
    await written.waitFor()
    await until('what was written', async () => await written.inputValue() === '/somewhere/else')
    await tab(page, 'Transfers')
    await until('what is searched for', async () => await rows.count() === 1)
    await until('the word that was searched for',
      async () => await page.getByLabel('Search transfers').inputValue() === 'winter')
  })
  await shut(page)
})
