// Two people and their pages: an invitation, a folder for one of them, a link for everybody, words, a group, a library.
import { basename } from 'node:path'
import {
  check, demand, given, nodes, open, overtaken, settled, shot, staying, still, story, tab, told, uncovered, until
} from './browser.mjs'

await story(async () => {
  const [anna, boris] = await Promise.all(nodes.map(node => open(node)))
  const { folder, open: everybody, drop } = given
  const button = (page, name, at = page) => at.getByRole('button', { name, exact: true })
  const dialog = page => page.getByRole('dialog').last()
  // On a phone, Enter begins a new line.
  const send = (page, field) => given.size === 'phone' ? button(page, 'Send').click() : field.press('Enter')

  await check('who takes an invitation becomes a contact, on both pages', async () => {
    await tab(anna, 'People')
    await anna.getByRole('button', { name: /^Invite/ }).first().click()
    await button(anna, 'Make a link', dialog(anna)).click()
    await anna.getByRole('dialog').getByRole('img', { name: /QR/ }).waitFor()
    const link = await dialog(anna).getByLabel('Link').inputValue()
    demand(link.startsWith('compeer:contact?'), `no invitation: ${link}`)
    // What is said lies over the dialog, and is closed there.
    const go = await staying(anna)
    await button(anna, 'Copy', dialog(anna)).click()
    await told(anna, 'Copied')
    await go()
    await uncovered(anna)
    await shot(anna, 'words-over-a-dialog')
    await anna.locator('.toast').getByRole('button', { name: 'Close' }).click()
    await anna.locator('.toast').waitFor({ state: 'detached' })
    await still(anna)
    demand(await dialog(anna).isVisible(), 'the dialog went with the words')
    await anna.keyboard.press('Escape')
    await tab(boris, 'People')
    await button(boris, 'Add by link').first().click()
    await dialog(boris).getByLabel('Link').fill(link)
    await button(boris, 'Add', dialog(boris)).click()
    await boris.getByRole('heading', { level: 1, name: 'anna' }).waitFor()
    await anna.getByRole('link', { name: /boris/ }).first().waitFor()
  })

  await check('a folder for one person is in the inbox of that person, and arrives', async () => {
    await tab(anna, 'Share')
    await anna.getByLabel('Or share it where it lies').fill(folder)
    await anna.getByText('Only those you choose').click()
    await anna.getByRole('checkbox', { name: /boris/ }).check()
    await anna.getByLabel('A remark for them').fill('for you alone')
    await button(anna, 'Share').click()
    await anna.getByRole('heading', { name: `${basename(folder)} is shared` }).waitFor()
    await tab(boris, 'Inbox')
    await boris.getByText('for you alone').waitFor()
    await button(boris, 'Take it').first().click()
    await boris.getByText('Here', { exact: true }).waitFor()
  })

  await check('a folder for everybody gives a link and its code, also after a reload', async () => {
    await button(anna, 'Share something else').click()
    await anna.getByText('Whoever has the link', { exact: false }).first().click()
    await anna.getByLabel('Or share it where it lies').fill(everybody)
    await button(anna, 'Share').click()
    const link = anna.getByLabel('Link', { exact: true }).first()
    await until('a magnet link', async () => (await link.inputValue()).startsWith('magnet:?xt='))
    await still(anna)
    await anna.reload()
    await link.waitFor()
    const code = anna.getByRole('img', { name: /QR/ })
    demand(await code.evaluate(async image => { await image.decode(); return image.naturalWidth > 0 }),
      'the code is not drawn')
  })

  await check('a file that is dropped is copied to the node, and shared from there', async () => {
    await button(anna, 'Share something else').click()
    const choosing = anna.waitForEvent('filechooser')
    await button(anna, 'Choose files').click()
    await (await choosing).setFiles(drop)
    await button(anna, 'Share').click()
    await anna.getByRole('heading', { name: `${basename(drop)} is shared` }).waitFor()
  })

  await check('what is unshared is gone from the list', async () => {
    const name = basename(drop)
    // What was said before goes by itself.
    await until('nothing is said', async () => await anna.locator('.toast').count() === 0)
    const go = await staying(anna)
    await button(anna, `More about ${name}`).click()
    await anna.getByRole('menuitem', { name: 'Stop sharing' }).click()
    await button(anna, 'Stop sharing', dialog(anna)).click()
    await button(anna, `More about ${name}`).waitFor({ state: 'detached' })
    await told(anna, name)
    await go()
    await anna.locator('.page').evaluate(element => { element.scrollTop = 0 })
    await uncovered(anna)
    await anna.locator('.page').evaluate(element => { element.scrollTop = element.scrollHeight })
    await uncovered(anna)
    await shot(anna, 'words')
    await anna.keyboard.press('Escape')
    await anna.locator('.toast').waitFor({ state: 'detached' })
  })

  await check('words arrive, are read, answered and changed, and a draft outlives a reload', async () => {
    await tab(anna, 'People')
    await anna.getByRole('link', { name: /boris/ }).first().click()
    await button(anna, 'Message').click()
    const write = anna.getByRole('textbox', { name: 'Write to boris' })
    await write.fill('half a thought')
    await still(anna)
    await anna.reload()
    await until('the draft', async () => await write.inputValue() === 'half a thought')
    const read = anna.getByRole('button', { name: 'Read', exact: true })
    await overtaken(anna, 'GET', /\/messages\/[^/]+$/, () => read.waitFor())
    await write.fill('Did it <b>arrive</b>?')
    await send(anna, write)
    await tab(boris, 'Messages')
    await boris.getByRole('link', { name: /anna/ }).first().click()
    await boris.getByRole('log').getByText('Did it <b>arrive</b>?').waitFor()
    await read.waitFor()
    await settled(anna)
    demand(await read.isVisible(), 'it is not read any more')
    const message = boris.getByRole('article').filter({ hasText: 'Did it' }).first()
    await message.hover()
    if (given.size === 'phone') {
      await button(boris, 'What can be done with this message', message).click()
      await boris.getByRole('menuitem', { name: 'Reply' }).click()
    } else {
      await button(boris, 'Reply', message).click()
    }
    const back = boris.getByRole('textbox', { name: 'Write to anna' })
    await back.fill('It did')
    await send(boris, back)
    await anna.getByRole('article').filter({ hasText: 'It did' }).waitFor()
    const own = anna.getByRole('article').filter({ hasText: 'Did it' }).first()
    await own.hover()
    await button(anna, 'What can be done with this message', own).click()
    await anna.getByRole('menuitem', { name: 'Change' }).click()
    // Before that, it would be written over.
    await until('what was said', async () => await write.inputValue() === 'Did it <b>arrive</b>?')
    await write.fill('Did all of it arrive?')
    await send(anna, write)
    await boris.getByRole('log').getByText('Did all of it arrive?').first().waitFor()
    // also where it is quoted
    for (const page of [anna, boris]) {
      await page.getByRole('log').getByText('Did it <b>arrive</b>?').first().waitFor({ state: 'detached' })
      await page.getByRole('article').filter({ hasText: 'It did' }).getByText('Did all of it arrive?').waitFor()
    }
  })

  await check('a file goes with a message and is fetched from it', async () => {
    await anna.locator('form input[type=file]').setInputFiles(drop)
    const message = boris.getByRole('article').filter({ hasText: basename(drop) })
    await button(boris, 'Fetch', message).click()
    await message.getByRole('link', { name: 'Show' }).waitFor()
  })

  await check('a group is made, and joined from the message that invites', async () => {
    await tab(anna, 'People')
    await anna.getByRole('link', { name: /^Groups/ }).click()
    await button(anna, 'New group').first().click()
    await dialog(anna).getByLabel('Name').fill('hikers')
    await button(anna, 'Make it', dialog(anna)).click()
    await button(anna, 'Invite').click()
    await dialog(anna).getByRole('checkbox', { name: /boris/ }).check()
    await button(anna, 'Send invitations', dialog(anna)).click()
    await button(boris, 'Join the group').click()
    await button(boris, 'Join', dialog(boris)).click()
    await boris.getByRole('heading', { level: 1, name: 'hikers' }).waitFor()
    await anna.getByText('boris', { exact: true }).waitFor()
  })

  await check('a library is opened to somebody, who looks into it and takes a file', async () => {
    await tab(anna, 'Inbox')
    await anna.getByRole('link', { name: 'Your libraries' }).click()
    await button(anna, 'New library').first().click()
    await dialog(anna).getByLabel('Folder', { exact: true }).fill(folder)
    await dialog(anna).getByRole('checkbox', { name: /boris/ }).check()
    await button(anna, 'Open it to them', dialog(anna)).click()
    await button(anna, `What can be done with ${basename(folder)}`).waitFor()
    await tab(boris, 'Inbox')
    await boris.getByRole('link', { name: 'Libraries of others' }).click()
    await boris.getByRole('link', { name: /anna/ }).click()
    await boris.getByRole('link', { name: new RegExp(basename(folder)) }).click()
    await button(boris, 'Take').first().click()
    await boris.getByText(/is on its way/).waitFor()
  })
})
