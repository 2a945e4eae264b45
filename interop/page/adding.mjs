// What is added is looked at first; what nobody decided about yet is not lost, and not started either.
import fs from 'node:fs'
import path from 'node:path'
import { accessible, check, demand, folder, nodes, open, settled, shot, shut, story, tab, until } from './browser.mjs'

const [ours, seed] = nodes

await story(async () => {
  const page = await open(ours, 'transfers')
  const dialog = page.getByRole('dialog').last()
  const [source] = await seed.get('torrents')
  const file = path.join(folder, 'holiday.torrent')
  const mine = async () => (await ours.get('torrents'))[0]

  await check('a torrent file is dropped, and its files are shown before anything is fetched', async () => {
    const bytes = [...fs.readFileSync(file)]
    await page.evaluate(content => {
      const dataTransfer = new DataTransfer()
      dataTransfer.items.add(new File([new Uint8Array(content)], 'holiday.torrent'))
      for (const name of ['dragenter', 'dragover', 'drop']) {
        document.querySelector('main').dispatchEvent(
          new DragEvent(name, { dataTransfer, bubbles: true, cancelable: true }))
      }
    }, bytes)
    await dialog.getByText('lake.bin').waitFor()
    await until('it rests', async () => (await mine()).state === 'paused')
    demand((await mine()).done_bytes === 0, JSON.stringify(await mine()))
    await accessible(page)
    await shot(page, 'preview')
  })

  await check('a reload asks again, with what was chosen', async () => {
    const mountain = dialog.getByRole('checkbox', { name: 'Choose mountain.bin' })
    await mountain.uncheck()
    await dialog.getByLabel('Where to').fill('/some/where')
    await page.reload()
    await dialog.getByText('lake.bin').waitFor()
    demand(!await mountain.isChecked(), 'which files were wanted is lost')
    demand(await dialog.getByLabel('Where to').inputValue() === '/some/where', 'the folder is lost')
  })

  await check('another tab says that nothing was decided yet, and can decide', async () => {
    const other = await page.context().newPage()
    await other.goto(new URL('/', page.url()).href)
    await other.getByRole('row', { name: /holiday/ }).getByText('Not started yet').click()
    await other.getByRole('button', { name: 'Look inside and start' }).waitFor()
    await accessible(other)
    await shot(other, 'undecided')
    await other.getByRole('button', { name: 'Forget it' }).click()
    await until('it is gone', async () => (await ours.get('torrents')).length === 0)
    await other.close()
    await page.keyboard.press('Escape')
    await page.getByText('Nothing is transferred yet').waitFor()
  })

  await check('a file that is chosen is shown; without one of its files it is fetched', async () => {
    await page.getByRole('button', { name: 'Add', exact: true }).click()
    await dialog.locator('input[type=file]').setInputFiles(file)
    await dialog.getByText('lake.bin').waitFor()
    await dialog.getByRole('checkbox', { name: 'Choose mountain.bin' }).uncheck()
    await dialog.getByRole('button', { name: 'Start' }).click()
    await dialog.waitFor({ state: 'detached' })
    const { id } = await mine()
    await ours.post(`torrents/${id}/peers`, { address: `${seed.ip}:${seed.port}` })
    await until('it is there', async () => (await mine()).state === 'seeding')
    const files = await ours.get(`torrents/${id}/files`)
    demand(files.find(one => one.path.endsWith('mountain.bin')).done_bytes === 0, JSON.stringify(files))
    await page.reload()
    await page.getByRole('row', { name: /holiday/ }).waitFor()
    await settled(page)
    demand(await page.getByRole('dialog').count() === 0, 'it asks about what was decided')
  })

  await check('what is in the list already is said, and shown', async () => {
    const { magnet } = await seed.get(`torrents/${source.id}?local=true`)
    await page.getByRole('button', { name: 'Add', exact: true }).click()
    await dialog.getByLabel('Links').fill(magnet)
    await dialog.getByRole('button', { name: 'Look inside' }).click()
    await dialog.getByText('You have this already').waitFor()
    await dialog.getByRole('button', { name: 'Show it' }).click()
    await page.locator('.detail').getByRole('heading', { name: 'holiday' }).waitFor()
  })

  await check('by keyboard alone one goes through the list, opens, pauses and removes', async () => {
    await tab(page, 'Transfers')
    const grid = page.getByRole('grid', { name: 'Transfers' })
    await grid.focus()
    await page.keyboard.press('ArrowDown')
    await page.keyboard.press('Enter')
    await page.locator('.detail').getByRole('heading', { name: 'holiday' }).waitFor()
    await page.locator('.detail').getByRole('button', { name: 'Pause' }).press('Enter')
    await until('it rests', async () => (await mine()).state === 'paused')
    await page.locator('.detail').getByRole('button', { name: 'More', exact: true }).press('Enter')
    await page.keyboard.press('End')
    const focus = page.locator(':focus')
    await until('the last of the menu', async () => await focus.innerText() === 'Remove')
    await page.keyboard.press('Escape')
    await until('the focus is where it was', async () => await focus.getAttribute('aria-label') === 'More')
    await grid.focus()
    await page.keyboard.press('Delete')
    await dialog.getByRole('heading', { name: 'Remove holiday?' }).waitFor()
    await page.keyboard.press('Escape')
    await dialog.waitFor({ state: 'detached' })
    demand((await ours.get('torrents')).length === 1, 'it is gone without a yes')
  })

  await check('a file that is no torrent is told of, and what to do', async () => {
    const wrong = path.join(folder, 'broken.torrent')
    fs.writeFileSync(wrong, 'this is no torrent')
    await tab(page, 'Transfers')
    await page.getByRole('button', { name: 'Add', exact: true }).click()
    await dialog.locator('input[type=file]').setInputFiles(wrong)
    await dialog.locator('.bad').waitFor()
    await shot(page, 'preview-broken')
    await page.keyboard.press('Escape')
    demand((await ours.get('torrents')).length === 1, 'it was added')
  })
  await shut(page)
})
