// Nothing is lost by a reload: each dialog is open again with what was typed, and so are forms, what is chosen, and where
// one looked; what nobody may read is not kept.
import {
  check, demand, given, go, nodes, open, settled, shot, shut, still, story, until
} from './browser.mjs'

const [ours] = nodes
const { person, group } = given

/** What opens a dialog over another one. */
const SECOND = ['New category', 'Choose a folder']

/** What stands in the fields of the dialog that was opened last, or of the page. */
const fields = (page, within = 'dialog[open]') => page.evaluate(selector => {
  const root = [...document.querySelectorAll(selector)].at(-1)
  return [...root?.querySelectorAll('input:not([type=file]), select, textarea') ?? []]
    .map(field => (['checkbox', 'radio'].includes(field.type) ? field.checked : field.value))
}, within)

/** Writes into each field of a dialog, chooses the last of some, and ticks what is not ticked. */
const fill = page => page.evaluate(() => {
  const written = { time: '09:45', number: '7', password: 'a secret that is kept nowhere' }
  const root = [...document.querySelectorAll('dialog[open]')].at(-1)
  for (const field of root.querySelectorAll('textarea, select, input:not([type=file])')) {
    if (field.disabled || field.readOnly) continue
    if (['checkbox', 'radio'].includes(field.type)) {
      if (!field.checked) field.click()
      continue
    }
    field.value = field.localName === 'select' ? field.options[1].value : written[field.type] ?? '12'
    field.dispatchEvent(new Event(field.localName === 'select' ? 'change' : 'input', { bubbles: true }))
  }
})

async function press (page, place, buttons) {
  await go(page, place)
  for (const label of buttons) {
    // The last dialog, which may still be on its way; where there is none, what lies below.
    const root = page.getByRole('dialog').or(page.locator('main')).last()
    await root.getByRole('button', { name: label, exact: true })
      .or(root.getByRole('menuitem', { name: label, exact: true })).first().click()
  }
  await page.getByRole('dialog').nth(buttons.some(label => SECOND.includes(label)) ? 1 : 0).waitFor()
  // What it asks the node for is there, and so are the fields that depend on it.
  await settled(page)
}

/** Loads the page anew, as soon as it has done what it does after a change. */
async function reload (page) {
  await still(page)
  await page.reload()
}

/** What the browser's tab remembers of what was typed. */
const remembered = page => page.evaluate(() => ['drafts', 'dialogs'].map(name =>
  JSON.parse(sessionStorage.getItem(`compeer.${name}`) ?? 'null')))

await story(async () => {
  const [torrent] = await ours.get('torrents')
  const chat = `messages/${encodeURIComponent(`person:${person}`)}`
  const room = `messages/${encodeURIComponent(`group:${group}/main`)}`
  const one = `transfers/${torrent.id}`
  /** Where each is asked, and the buttons that lead to it. */
  const dialogs = {
    add: ['transfers', 'Add'],
    category: ['transfers', 'Category or label', 'Categories and labels', 'New category'],
    limits: [one, 'More', 'Limits'],
    goal: [one, 'Change the seeding goal'],
    sort: [one, 'Change category and labels'],
    'choose a folder': [one, 'More', 'Move the files', 'Choose a folder', 'New folder'],
    invite: ['people', 'Invite'],
    contact: ['people', 'Add by link'],
    'rename a contact': [`people/contact/${person}`, 'More', 'Rename'],
    group: ['people/groups', 'New group'],
    'group-invite': [`people/group/${group}`, 'Invite'],
    conversation: ['messages', 'New conversation'],
    room: [room, 'More about hikers', 'New room'],
    library: ['inbox/libraries', 'New library'],
    rule: ['inbox/rules', 'New rule'],
    window: ['controls', 'Add a window'],
    names: ['controls', 'Change names']
  }
  const page = await open(ours, 'transfers')
  page.setDefaultTimeout(30_000)
  const wrong = []
  await check('each dialog is open again with what was typed, and forgets it when it is left', async () => {
    for (const [name, [place, ...buttons]] of Object.entries(dialogs)) {
      // More of them say nothing more.
      if (wrong.length > 2) break
      try {
        await press(page, place, buttons)
        const count = await page.getByRole('dialog').count()
        await fill(page)
        await still(page)
        const before = JSON.stringify(await fields(page))
        await reload(page)
        await until('it is open again', async () => await page.getByRole('dialog').count() === count, 30)
        await until(`there is ${before}`, async () => JSON.stringify(await fields(page)) === before, 30)
        for (let left = count; left > 0; left -= 1) {
          await page.keyboard.press('Escape')
          await until('it is left', async () => await page.getByRole('dialog').count() < left, 30)
        }
        await until('it is forgotten', async () =>
          !/dialog|12|secret/.test(JSON.stringify(await remembered(page))), 30)
      } catch (failure) {
        const seen = [await fields(page), await remembered(page)].map(one => JSON.stringify(one))
        wrong.push(`${name}: ${failure.message.split('\n')[0]}; there is ${seen.join(', remembered: ')}`)
        await shot(page, `failed-reload-${name.replaceAll(' ', '-')}`)
        await page.evaluate(() => window.addEventListener('pagehide', () => sessionStorage.clear()))
        await page.reload()
      }
    }
    demand(wrong.length === 0, wrong.join('\n'))
  })

  await check('a password is written down nowhere', async () => {
    await press(page, 'controls', ['Set a password'])
    await fill(page)
    await settled(page)
    const all = await page.evaluate(() => JSON.stringify([{ ...localStorage }, { ...sessionStorage }]))
    demand(all.includes('compeer.') && !all.includes('a secret'), all)
    await page.keyboard.press('Escape')
    await page.getByRole('dialog').waitFor({ state: 'detached' })
  })

  await check('what a file was chosen for is said, since no browser keeps files', async () => {
    await go(page, 'share')
    await settled(page)
    await page.evaluate(() => {
      const dataTransfer = new DataTransfer()
      dataTransfer.items.add(new File(['the lake'], 'lake.txt'))
      document.querySelector('main').dispatchEvent(
        new DragEvent('drop', { dataTransfer, bubbles: true, cancelable: true }))
    })
    await page.getByRole('button', { name: 'Choose something else' }).waitFor()
    await reload(page)
    await page.getByText('You had chosen lake.txt').getByRole('button', { name: 'Close' }).click()
    await page.getByText('You had chosen lake.txt').waitFor({ state: 'detached' })
  })

  await check('a message that is being changed is still being changed', async () => {
    await ours.post(`chats/${encodeURIComponent(`person:${person}`)}/messages`, { text: 'At the lake' })
    await go(page, chat)
    const message = page.getByRole('article').filter({ hasText: 'At the lake' })
    await message.hover()
    await message.getByRole('button', { name: 'What can be done with this message' }).click()
    await page.getByRole('menuitem', { name: 'Change' }).click()
    const write = page.getByRole('textbox', { name: 'Write to' })
    const written = () => write.inputValue().catch(() => '')
    // Before that, it would be written over.
    await until('what was said', async () => await written() === 'At the lake')
    await write.fill('At the lake at nine')
    await reload(page)
    await until('it is being changed', async () => await written() === 'At the lake at nine')
    await page.getByRole('button', { name: 'Send' }).click()
    await page.getByRole('article').filter({ hasText: 'At the lake at nine' }).waitFor()
  })

  await check('so are the fields of the controls, what is unfolded, and the place in the page', async () => {
    await go(page, 'controls')
    // What the node says would be written over what is typed before.
    await settled(page)
    await page.getByText('Connections and memory').click()
    const unfolded = page.locator('details[open]').first()
    await unfolded.waitFor()
    await page.getByLabel('Whom to block').fill('192.0.2.')
    await page.getByLabel('Receive at most').fill('30')
    await still(page)
    const at = top => page.locator('.page').evaluate((element, there) => element.scrollTop === there, top)
    await page.locator('.page').evaluate(element => { element.scrollTop = 700 })
    await until('it is there', () => at(700))
    await reload(page)
    await page.getByLabel('Whom to block').waitFor()
    for (const [label, typed] of [['Whom to block', '192.0.2.'], ['Receive at most', '30']]) {
      await until(`${label}: ${typed}`, async () => await page.getByLabel(label).inputValue() === typed, 30)
    }
    await unfolded.waitFor()
    await until('it is where it was', () => at(700), 30)
  })

  await check('so is what is chosen in lists, and where one is in them', async () => {
    await go(page, 'transfers')
    const chosen = page.getByRole('toolbar', { name: '1 chosen' })
    await page.getByRole('row', { name: /holiday/ }).locator('label.pick').click()
    await chosen.waitFor()
    await reload(page)
    await chosen.waitFor()
    await go(page, `${one}/files`)
    const list = page.getByRole('grid', { name: 'Files' })
    await list.getByRole('row').first().waitFor()
    await settled(page)
    await list.focus()
    await page.keyboard.press('End')
    const place = () => list.evaluate(element => [element.scrollTop,
      element.querySelector('[data-current=true] .title')?.textContent].join(' '))
    await until('the last of them', async () => /^[1-9]\S* ./.test(await place()))
    await still(page)
    const before = await place()
    await reload(page)
    await list.waitFor()
    await until(`${before} again`, async () => await place() === before, 30)
  })

  await check('who logs out leaves nothing of what was typed', async () => {
    await go(page, chat)
    await page.getByRole('textbox', { name: 'Write to' }).fill('a thought that was not sent')
    await go(page, 'share')
    await page.getByLabel('Or share it where it lies').fill('a thought of a folder')
    await go(page, 'transfers')
    await page.getByRole('searchbox').fill('a thought to look for')
    await still(page)
    const thoughts = () => page.evaluate(() => JSON.stringify([{ ...localStorage }, { ...sessionStorage }])
      .match(/a thought/g)?.length ?? 0)
    demand(await thoughts() === 3, `${await thoughts()} of three are kept`)
    await page.getByRole('button', { name: 'More', exact: true }).click()
    await page.getByRole('menuitem', { name: 'Log out' }).click()
    await page.locator('main.log-in').waitFor()
    await still(page)
    demand(await thoughts() === 0, `${await thoughts()} are kept still`)
  })
  await shut(page)
})
