// A song and a film are played while they are fetched: what is asked for comes first.
import path from 'node:path'
import { check, demand, film, folder, go, nodes, open, shot, shut, story, until } from './browser.mjs'

const [ours, seed] = nodes
const [song] = await seed.get('torrents')

/** How long the film is, in seconds: it has to play before two thirds of that are over. */
const LENGTH = 20

/** Fetches a torrent of the seed, and plays its only file; until that is asked for, next to nothing comes. */
async function play (page, id, bytesPerSecond) {
  await seed.patch('budget', { upload_bytes_per_s: 50_000 })
  const { magnet, name } = await seed.get(`torrents/${id}?local=true`)
  await ours.post('torrents', { link: magnet })
  await ours.post(`torrents/${id}/peers`, { address: `${seed.ip}:${seed.port}` })
  await until('its files are known', async () => (await ours.get(`torrents/${id}`)).file_count > 0)
  await page.getByRole('row').getByText(name).first().waitFor()
  await go(page, `transfers/${id}/files`)
  await page.getByRole('button', { name: /^Play / }).click()
  await seed.patch('budget', { upload_bytes_per_s: bytesPerSecond })
}

await story(async () => {
  const page = await open(ours)
  const state = () => page.evaluate(() => {
    const player = document.querySelector('video, audio')
    return player && { at: player.currentTime, length: player.duration, failed: player.error?.message ?? null }
  })
  const missing = async id => {
    const { progress, state: doing } = await ours.get(`torrents/${id}`)
    demand(doing === 'downloading' && progress < 0.9, `${doing}, ${progress} of it is here: this shows nothing`)
  }
  await check('a song plays before it is here', async () => {
    // Some four times as fast as it is played.
    await play(page, song.id, 750_000)
    await until('it plays', async () => (await state())?.at > 0.2)
    await missing(song.id)
  })
  await check('one jumps towards the end, and it goes on from there', async () => {
    const { length } = await state()
    await page.evaluate(to => { document.querySelector('video, audio').currentTime = to }, length * 0.9)
    await until('it plays on', async () => (await state()).at > length * 0.9 + 0.2)
    await missing(song.id)
    demand((await state()).failed === null, (await state()).failed)
    await page.keyboard.press('Escape')
  })
  await check('a film plays before it is here', async () => {
    await ours.call('DELETE', `torrents/${song.id}`)
    const file = path.join(folder, 'A film.webm')
    const size = await film(file, LENGTH)
    demand(size > 1_000_000, 'the film is too small to show anything')
    const share = { path: file, format: 'v1', private: false, trackers: [], web_seeds: [], peers: [], local: true,
      no_tracker: true }
    await seed.post('shares', share)
    const torrent = await until('the share', async () =>
      (await seed.get('torrents')).find(({ name, state: doing }) => name === 'A film.webm' && doing === 'seeding'))
    // A browser begins by itself only what comes faster than it is shown: half as fast again.
    await play(page, torrent.id, Math.round(size / LENGTH * 1.5))
    await until('it plays', async () => (await state())?.at > 0.2)
    await missing(torrent.id)
    demand((await state()).failed === null, (await state()).failed)
    await shot(page, 'play')
  })
  await shut(page)
})
