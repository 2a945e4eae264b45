// A limit that holds, a schedule by keyboard, a peer that is blocked and let in again.
import { accessible, check, demand, nodes, open, shot, shut, sleep, story, told, until } from './browser.mjs'

const [ours, seed] = nodes

/** What is to be fetched: the seed has it. */
const [torrent] = await seed.get('torrents')

const rate = async () => (await ours.get(`torrents/${torrent.id}`)).download_bytes_per_s

await story(async () => {
  const page = await open(ours, 'controls')
  const field = page.getByLabel('Receive at most')
  await check('a limit is written, holds at once, and is seen to hold', async () => {
    await field.fill('300 kB/s')
    await field.press('Enter')
    await told(page, 'Receive at most: 300 kB/s')
    demand((await ours.get('budget')).now.download_bytes_per_s === 300_000,
      JSON.stringify((await ours.get('budget')).now))
    const magnet = (await seed.get(`torrents/${torrent.id}?local=true`)).magnet
    await ours.post('torrents', { link: magnet })
    await ours.post(`torrents/${torrent.id}/peers`, { address: `${seed.ip}:${seed.port}` })
    await until('something arrives', async () => await rate() > 0)
    // What is there, and between which moments it was asked for.
    const look = async () => {
      const asked = Date.now()
      const { downloaded_bytes: bytes } = await ours.get(`torrents/${torrent.id}`)
      return { bytes, asked, answered: Date.now() }
    }
    // The average of some seconds: a second by itself may have what the one before did not use.
    await until('more than half of what may', async () => {
      const before = await look()
      await sleep(5000)
      const after = await look()
      const got = (after.bytes - before.bytes) * 1000
      const least = got / (after.answered - before.asked)
      demand(least < 360_000, `${least} bytes a second arrive`)
      return got / (after.asked - before.answered) > 150_000
    })
  })
  await check('who uses what is there, live', async () => {
    await page.getByRole('row', { name: new RegExp(seed.ip.replaceAll('.', '\\.')) }).waitFor()
    await shot(page, 'controls')
  })
  await check('what is not understood is said beside it, and changes nothing', async () => {
    await field.fill('fast')
    await field.press('Enter')
    await page.getByText('Write a rate, for example').waitFor()
    demand((await ours.get('budget')).set.download_bytes_per_s === 300_000, 'it was taken')
    await field.press('Escape')
    await until('it is as it was', async () => await field.inputValue() === '300 kB/s')
  })
  await check('a peer is blocked: gone at once, and does not return', async () => {
    await page.getByRole('button', { name: `More about ${seed.ip}` }).first().click()
    await page.getByRole('menuitem', { name: 'Block' }).click()
    await page.getByRole('dialog').getByRole('button', { name: 'Block' }).click()
    await told(page, 'is blocked')
    await until('it is gone', async () => (await ours.get(`torrents/${torrent.id}/peers`)).length === 0, 15)
    await ours.post(`torrents/${torrent.id}/peers`, { address: `${seed.ip}:${seed.port}` }).catch(() => {})
    await sleep(2000)
    demand((await ours.get(`torrents/${torrent.id}/peers`)).length === 0, 'it came back')
    demand((await ours.get('gate')).block.includes(seed.ip), JSON.stringify((await ours.get('gate')).block))
  })
  await check('a click takes it back, and the transfer goes on', async () => {
    await page.getByRole('button', { name: `Block ${seed.ip} no longer` }).click()
    await told(page, 'is not blocked any more')
    await until('the list is empty', async () => (await ours.get('gate')).block.length === 0)
    await ours.post(`torrents/${torrent.id}/peers`, { address: `${seed.ip}:${seed.port}` })
    await until('something arrives', async () => await rate() > 0)
  })
  await check('a range of addresses is blocked, and undone', async () => {
    await page.getByLabel('Whom to block').fill('192.0.2.0/24')
    await page.getByLabel('Whom to block').press('Enter')
    await told(page, '192.0.2.0/24 is blocked')
    demand((await ours.get('gate')).block.includes('192.0.2.0/24'), 'it is not on the list')
    await page.locator('.toast', { hasText: '192.0.2.0/24 is blocked' }).getByRole('button', { name: 'Undo' }).click()
    await until('the list is empty', async () => (await ours.get('gate')).block.length === 0)
  })
  await check('a window of the week is made by keyboard', async () => {
    await page.getByRole('button', { name: 'Add a window' }).press('Enter')
    const dialog = page.getByRole('dialog')
    await dialog.getByLabel('Saturday').press('Space')
    await dialog.getByLabel('From').fill('00:00')
    await dialog.getByLabel('To', { exact: true }).fill('00:00').catch(() => {})
    await dialog.getByLabel('To', { exact: true }).fill('23:00')
    await dialog.getByLabel('Other limits hold').focus()
    await page.keyboard.press('ArrowDown')
    await page.keyboard.press('ArrowDown')
    await dialog.getByRole('button', { name: 'Keep' }).press('Enter')
    await told(page, 'The schedule holds')
    const [window] = await ours.get('schedule')
    demand(window.days === 'mon-sat' && window.from === '00:00' && window.to === '23:00' && window.pause,
      JSON.stringify(window))
    await page.getByRole('button', { name: /^Remove: / }).press('Enter')
    await told(page, 'Removed from the schedule')
    await until('it is gone', async () => (await ours.get('schedule')).length === 0)
  })
  await check('a service is switched on, and off', async () => {
    const mailbox = page.getByLabel('Mailbox', { exact: false }).first()
    await mailbox.setChecked(true, { force: true })
    await until('it runs', async () =>
      (await ours.get('offers')).some(({ service, runs, message }) => service === 'mailbox' && (runs || message)))
    await until('the switch says so', () => mailbox.isChecked())
    await mailbox.setChecked(false, { force: true })
    await until('it ended',
      async () => (await ours.get('offers')).some(({ service, runs }) => service === 'mailbox' && !runs))
  })
  await check('a password for other computers is set, and taken away', async () => {
    await page.getByRole('button', { name: 'Set a password' }).click()
    const dialog = page.getByRole('dialog')
    await dialog.getByLabel('New password').fill('lake')
    await dialog.getByLabel('The same again').fill('lake')
    await dialog.getByRole('button', { name: 'Keep' }).click()
    await dialog.getByRole('alert').waitFor()
    await dialog.getByLabel('New password').fill('a lake in the mountains 7')
    await dialog.getByLabel('The same again').fill('a lake in the mountains 7')
    await accessible(page)
    await dialog.getByRole('button', { name: 'Keep' }).click()
    await told(page, 'The password holds')
    demand((await ours.get('password')).set, 'there is none')
    await page.getByRole('button', { name: 'Remove the password' }).click()
    await dialog.getByRole('button', { name: 'Remove the password' }).click()
    await until('it is gone', async () => !(await ours.get('password')).set)
  })
  await check('everything is paused, and goes on', async () => {
    await page.getByRole('button', { name: 'Pause everything' }).click()
    await until('nothing stands', async () => (await ours.get('gate')).resting)
    await page.getByRole('button', { name: 'Let everything go on' }).click()
    await until('it goes on', async () => !(await ours.get('gate')).resting)
  })
  await shut(page)
})
