// Somebody who is no contact writes by a link that all the world may have; a contact is blocked, and let in again.
import { accessible, check, demand, nodes, open, shot, sleep, story, tab, until } from './browser.mjs'

const [anna, zoe] = nodes

await story(async () => {
  const [ours, theirs] = await Promise.all(nodes.map(node => open(node)))
  const button = (page, name, at = page) => at.getByRole('button', { name, exact: true })
  const dialog = page => page.getByRole('dialog').last()
  let link

  await check('the page shows the link by which strangers may write', async () => {
    await tab(ours, 'Messages')
    await button(ours, 'More', ours.getByRole('main')).first().click()
    await ours.getByRole('menuitem', { name: 'Your link' }).click()
    link = await until('the link', () => dialog(ours).getByLabel('Link').inputValue())
    demand(link.startsWith('compeer:person?'), link)
    await dialog(ours).getByRole('img', { name: /QR/ }).waitFor()
    await ours.keyboard.press('Escape')
  })

  await check('a link that leads to nobody is told of in the dialog, and what was written into it stays', async () => {
    await tab(theirs, 'Messages')
    await button(theirs, 'New conversation').first().click()
    const field = dialog(theirs).getByLabel('Or by a link')
    await field.fill('compeer:person?person=nobody')
    await button(theirs, 'Write', dialog(theirs)).click()
    await dialog(theirs).getByRole('alert').waitFor()
    demand(await field.inputValue() === 'compeer:person?person=nobody', await field.inputValue())
    await accessible(theirs)
    await shot(theirs, 'messages-new')
  })

  await check('by the link a conversation begins with somebody who is no contact', async () => {
    await dialog(theirs).getByLabel('Or by a link').fill(link)
    await dialog(theirs).getByLabel('Or by a link').press('Enter')
    const write = theirs.getByRole('textbox', { name: 'Write to anna' })
    await write.fill('We met at the lake')
    await write.press('Enter')
    await theirs.getByRole('log').getByText('We met at the lake').waitFor()
    demand((await zoe.get('contacts')).length === 0, 'they became contacts')
  })

  await check('it waits as a request; accepted, it is answered', async () => {
    await ours.getByRole('link', { name: /zoe/ }).first().click()
    await ours.getByRole('region', { name: 'Request' }).waitFor()
    await shot(ours, 'messages-request')
    await button(ours, 'Accept').click()
    const write = ours.getByRole('textbox', { name: 'Write to zoe' })
    await write.fill('I remember')
    await write.press('Enter')
    await theirs.getByRole('log').getByText('I remember').waitFor()
  })

  await check('a link of a person in a message is a button that writes to that person', async () => {
    await ours.getByRole('textbox', { name: 'Write to zoe' }).fill(`This is me: ${link}`)
    await ours.keyboard.press('Enter')
    await theirs.getByRole('log').getByRole('button', { name: 'Write to this person' }).click()
    await until('the link is there', async () => await dialog(theirs).getByLabel('Or by a link').inputValue() === link)
    await theirs.keyboard.press('Escape')
  })

  await check('who pastes an invitation there is asked to add the contact', async () => {
    const invite = await anna.post('invites', { standing: false, valid_s: 3600 })
    await button(theirs, 'New conversation').first().click()
    await dialog(theirs).getByLabel('Or by a link').fill(invite.link)
    await button(theirs, 'Write', dialog(theirs)).click()
    await dialog(theirs).getByRole('heading', { name: 'Add by link' }).waitFor()
    await button(theirs, 'Add', dialog(theirs)).click()
    await until('the contact', async () => (await anna.get('contacts')).some(({ state }) => state === 'contact'))
  })

  await check('a person is blocked: its computer is let in no more, and what it writes does not come', async () => {
    const connected = async () => (await anna.get('connections')).length > 0
    await until('they are connected', connected)
    await tab(ours, 'People')
    await ours.getByRole('link', { name: /zoe/ }).first().click()
    await button(ours, 'More', ours.getByRole('main')).click()
    await ours.getByRole('menuitem', { name: 'Block' }).click()
    await button(ours, 'Block', dialog(ours)).click()
    await ours.getByText('Nothing of this person is let in').waitFor()
    await until('the connection is gone', async () => !await connected(), 15)
    await tab(theirs, 'Messages')
    await theirs.getByRole('link', { name: /anna/ }).first().click()
    const write = theirs.getByRole('textbox', { name: 'Write to anna' })
    await write.fill('Are you there?')
    await write.press('Enter')
    await theirs.getByRole('log').getByText('Are you there?').waitFor()
    await sleep(5000)
    demand(!await connected(), 'it came back')
    const [person] = await anna.get('contacts')
    demand(person.state === 'blocked', person.state)
    const { messages } = await anna.get(`chats/${encodeURIComponent(`person:${person.person}`)}/messages?limit=9`)
    demand(!messages.some(({ text }) => text === 'Are you there?'), 'what it wrote came')
    await ours.reload()
    await ours.getByText('Nothing of this person is let in').waitFor()
    await shot(ours, 'people-blocked')
  })

  await check('let in again, it gets through', async () => {
    await button(ours, 'Allow again').click()
    await ours.getByText('Nothing of this person is let in').waitFor({ state: 'detached' })
    await button(ours, 'Message').click()
    await ours.getByRole('log').getByText('Are you there?').waitFor({ timeout: 90_000 })
  })
})
