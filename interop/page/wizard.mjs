// The first visit: four questions, then something that works.
import { accessible, check, demand, go, nodes, open, settled, shot, shut, still, story, until } from './browser.mjs'

const [ours, theirs] = nodes

await story(async () => {
  const page = await open(ours, '', { later: false })
  const wizard = page.getByRole('dialog')
  await check('it asks by itself, with a good answer to each question', async () => {
    await wizard.getByRole('heading', { name: 'What are you called?' }).waitFor()
    await until('a name is proposed', () => wizard.getByLabel('Your name').inputValue())
    await accessible(page)
    await wizard.getByLabel('Your name').fill('Ada')
    await shot(page, 'wizard-name')
  })
  await check('a reload asks no question twice, and keeps no secret', async () => {
    const second = wizard.getByRole('heading', { name: 'Where should content go?' })
    await wizard.getByRole('button', { name: 'Next' }).click()
    await second.waitFor()
    await still(page)
    await page.reload()
    await second.waitFor()
    await wizard.getByRole('button', { name: 'Back' }).click()
    await until('the name is remembered', async () => await wizard.getByLabel('Your name').inputValue() === 'Ada')
    await wizard.getByText('Passphrase, or an identity that I have').click()
    await wizard.getByLabel('Passphrase').fill('not for the browser')
    await still(page)
    const stored = await page.evaluate(() => JSON.stringify({ ...localStorage, ...sessionStorage }))
    demand(!stored.includes('not for the browser'), 'the browser keeps the passphrase')
    await wizard.getByRole('button', { name: 'Next' }).click()
    await second.waitFor()
    await still(page)
    await page.reload()
    await wizard.getByLabel('Passphrase').waitFor()
    await settled(page)
    demand(await wizard.getByLabel('Passphrase').inputValue() === '', 'the passphrase is back')
  })
  await check('four questions, by keyboard alone', async () => {
    for (const next of ['Where should content go?', 'How much may others have?', 'Who may find you?']) {
      await wizard.getByRole('button', { name: 'Next' }).press('Enter')
      await wizard.getByRole('heading', { name: next }).waitFor()
      await accessible(page)
    }
    await wizard.getByRole('button', { name: 'Back' }).press('Enter')
    await wizard.getByText('At most 2 MB/s').click()
    await wizard.getByRole('button', { name: 'Next' }).press('Enter')
    await wizard.getByText('Computers in my network').click()
    await wizard.getByRole('button', { name: 'Begin' }).press('Enter')
    await wizard.getByRole('heading', { name: 'You are ready' }).waitFor()
  })
  await check('the answers hold', async () => {
    const [identity, budget, settings] = await Promise.all(['identity', 'budget', 'settings'].map(ours.get))
    demand(identity.name === 'Ada', JSON.stringify(identity))
    demand(budget.now.upload_bytes_per_s === 2_000_000, JSON.stringify(budget.now))
    demand(settings.published === false && settings.local_network === true, JSON.stringify(settings))
  })
  await check('the recovery phrase is hidden until it is asked for, and is the one of the node', async () => {
    await settled(page)
    const { phrase } = await ours.post('identity/phrase')
    const shown = await wizard.innerText()
    // Some of the words may be among those of the page by chance.
    demand(!phrase.split(' ').every(word => shown.includes(word)), 'it is shown without being asked for')
    await wizard.getByRole('button', { name: 'Show the 24 words' }).click()
    const list = wizard.getByRole('list', { name: 'Your recovery phrase' }).getByRole('listitem')
    const words = await until('all of them', async () => {
      const all = await list.allInnerTexts()
      return all.length === 24 && all
    })
    demand(words.map(word => word.replace(/\d+/g, '').trim()).join(' ') === phrase, words.join(' '))
    demand(!JSON.stringify(await page.evaluate(() => ({ ...localStorage, ...sessionStorage }))).includes(phrase),
      'the browser keeps it')
    await accessible(page)
  })
  await check('it ends with an invitation, by which another node becomes a contact', async () => {
    const link = await until('the link', () => wizard.getByLabel('Invite somebody').inputValue())
    await theirs.post('contacts', { link, name: null })
    await until('the contact', async () => (await ours.get('contacts')).some(({ state }) => state === 'contact'))
    await wizard.getByRole('button', { name: 'Go to the page' }).click()
    await wizard.waitFor({ state: 'detached' })
  })
  await check('it asks no second time', async () => {
    await page.reload()
    await page.locator('main').waitFor()
    await go(page, 'controls')
    await page.getByText('Ada', { exact: true }).waitFor()
    await settled(page)
    demand(await page.getByRole('dialog').count() === 0, 'it asks again')
  })
  await shut(page)
})
