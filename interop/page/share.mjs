// A folder is shared from one page, its link is pasted into another, where it is watched until it is there.
import fs from 'node:fs'
import path from 'node:path'
import { check, demand, folder, go, nodes, open, overtaken, shot, shut, story, until } from './browser.mjs'

const [ours, theirs] = nodes
const source = path.join(folder, 'holiday')

await story(async () => {
  const [page, other] = [await open(ours, 'share'), await open(theirs, 'transfers')]
  let link
  await check('a folder is shared by its path, and a link comes out', async () => {
    await page.getByLabel('Or share it where it lies').fill(source)
    await page.getByRole('button', { name: 'Share', exact: true }).click()
    link = await until('the link', () => page.getByLabel('Link', { exact: true }).inputValue().catch(() => ''))
    demand(link.startsWith('magnet:?'), link)
    await shot(page, 'share')
  })
  await check('the link is pasted into another page, which shows the files before anything is fetched', async () => {
    await theirs.patch('budget', { download_bytes_per_s: 400_000 })
    const described = () => other.evaluate(() => import('./app/node.js')
      .then(({ torrents }) => torrents.list().some(one => one.total_bytes)))
    await overtaken(other, 'POST', /\/torrents$/, () => until('events tell what is in it', described))
    await other.evaluate(text => {
      const clipboardData = new DataTransfer()
      clipboardData.setData('text', text)
      window.dispatchEvent(new ClipboardEvent('paste', { clipboardData }))
    }, link)
    const dialog = other.getByRole('dialog')
    await dialog.getByText('lake.bin').first().waitFor()
    await dialog.getByRole('button', { name: 'Start' }).click()
    await dialog.waitFor({ state: 'detached' })
  })
  await check('it is watched until it is there, live', async () => {
    const bar = other.getByRole('progressbar').first()
    await until('it has begun', async () => Number(await bar.getAttribute('aria-valuenow')) > 0)
    demand((await theirs.get('torrents'))[0].state === 'downloading', 'it is there at once: this shows nothing')
    await shot(other, 'transfers-fetching')
    await theirs.patch('budget', { download_bytes_per_s: 0 })
    await other.getByText('Seeding').first().waitFor({ timeout: 60_000 })
    const [torrent] = await theirs.get('torrents')
    for (const name of fs.readdirSync(source)) {
      demand(fs.readFileSync(path.join(source, name)).equals(fs.readFileSync(path.join(torrent.path, name))),
        `${name} differs`)
    }
  })
  await check('a reload loses nothing: the torrent that is looked at stays', async () => {
    const [{ id }] = await theirs.get('torrents')
    await go(other, `transfers/${id}/files`)
    await other.reload()
    await other.getByText('lake.bin').first().waitFor()
    await go(other, `transfers/${id}`)
    await shot(other, 'transfers')
  })
  await shut(page)
  await shut(other)
})
