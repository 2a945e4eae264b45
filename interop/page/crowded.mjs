// Much in it, and long names: nothing is wider than the smallest phone or cut off; axe-core finds no serious fault.
import { check, demand, faults, given, go, nodes, open, settled, shot, shut, story, until } from './browser.mjs'

const [ours] = nodes
const { person, group, stranger } = given

await story(async () => {
  const torrents = await ours.get('torrents')
  const long = torrents.find(({ name }) => name.startsWith('An unreasonably'))
  const failed = torrents.find(({ state }) => state === 'failed')
  const nameless = torrents.find(({ state }) => state === 'metadata')
  const chat = encodeURIComponent(`person:${person}`)
  const room = encodeURIComponent(`group:${group}/main`)
  const places = {
    transfers: 'transfers', long: `transfers/${long.id}`, files: `transfers/${long.id}/files`,
    log: `transfers/${long.id}/log`, failed: `transfers/${failed?.id}`, nameless: `transfers/${nameless.id}`,
    share: 'share', messages: 'messages', chat: `messages/${chat}`, room: `messages/${room}`, people: 'people',
    contact: `people/contact/${person}`, groups: 'people/groups', group: `people/group/${group}`,
    invitations: 'people/invitations', nodes: 'people/nodes', inbox: 'inbox', libraries: 'inbox/libraries',
    rules: 'inbox/rules', browse: 'inbox/browse', network: 'network', connections: 'network/connections',
    controls: 'controls',
  }
  demand(failed, 'no transfer failed: this shows less than it should')
  for (const [size, scheme] of [['small', 'light'], ['desktop', 'dark']]) {
    await check(`${size}, ${scheme}: all of it fits`, async () => {
      const page = await open(ours, 'transfers', { size, scheme })
      await page.locator('[role=row][data-index]').first().waitFor()
      const wrong = []
      for (const [name, place] of Object.entries(places)) {
        await go(page, place)
        await page.waitForTimeout(400)
        await settled(page)
        const wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth)
        if (wide > 0) wrong.push(`${name}: ${wide} pixels wider than the screen`)
        wrong.push(...await hidden(page).then(all => all.map(one => `${name}: ${one}`)))
        wrong.push(...(await faults(page)).map(fault => `${name}: ${fault}`))
        await shot(page, `crowded-${name}-${size}-${scheme}`)
      }
      await shut(page)
      demand(wrong.length === 0, wrong.join('\n'))
    })
  }
  /**
   * What is asked: where, which buttons lead to it. The name of a button, or of an entry of a menu; from
   * 'Choose a folder' on, it is asked in a second dialog.
   */
  const dialogs = {
    add: ['transfers', 'Add'],
    manage: ['transfers', 'Category or label', 'Categories and labels'],
    limits: [places.long, 'More', 'Limits'],
    goal: [places.long, 'Change the seeding goal'],
    sort: [places.long, 'Change category and labels'],
    move: [places.long, 'More', 'Move the files'],
    folder: [places.long, 'More', 'Move the files', 'Choose a folder'],
    connect: [places.long, 'More', 'Connect to a peer'],
    link: [places.long, 'Share'],
    remove: [places.long, 'More', 'Remove'],
    invite: ['people', 'Invite'],
    contact: ['people', 'Add by link'],
    block: [places.contact, 'More', 'Block'],
    group: ['people/groups', 'New group'],
    join: ['people/groups', 'Join by link'],
    'group-invite': [places.group, 'Invite'],
    computer: ['people/nodes', 'Add a computer'],
    new: ['messages', 'New conversation'],
    privacy: ['messages', 'More', 'What others see of you'],
    library: ['inbox/libraries', 'New library'],
    rule: ['inbox/rules', 'New rule'],
    schedule: ['controls', 'Add a window'],
    rename: ['controls', 'Change names'],
  }
  for (const [size, scheme] of [['small', 'dark'], ['desktop', 'light']]) {
    await check(`${size}, ${scheme}: what is asked fits, and Escape leaves it`, async () => {
      const page = await open(ours, 'transfers', { size, scheme })
      await page.locator('[role=row][data-index]').first().waitFor()
      page.setDefaultTimeout(15_000)
      const wrong = []
      for (const [name, [place, ...buttons]] of Object.entries(dialogs)) {
        await go(page, place)
        try {
          for (const label of buttons) {
            // The last dialog, which may still be on its way; where there is none, what lies below.
            const root = page.getByRole('dialog').or(page.locator('main')).last()
            await root.getByRole('button', { name: label, exact: true })
              .or(root.getByRole('menuitem', { name: label, exact: true })).first().click()
          }
          await page.getByRole('dialog').nth(buttons.includes('Choose a folder') ? 1 : 0).waitFor()
          await settled(page)
          wrong.push(...await hidden(page).then(all => all.map(one => `${name}: ${one}`)))
          wrong.push(...(await faults(page)).map(fault => `${name}: ${fault}`))
          await shot(page, `asked-${name}-${size}-${scheme}`)
          for (let open = await page.getByRole('dialog').count(); open > 0; open -= 1) {
            await page.keyboard.press('Escape')
            await until('it is left', async () => await page.getByRole('dialog').count() < open, 15)
          }
        } catch (failure) {
          wrong.push(`${name}: ${failure.message.split('\n')[0]}`)
          await shot(page, `failed-asked-${name}-${size}`)
          await page.reload()
        }
      }
      await shut(page)
      demand(wrong.length === 0, wrong.join('\n'))
    })
  }
  await check('one hears how many wait, whatever tab is open', async () => {
    const page = await open(ours, 'controls')
    const tabs = page.getByRole('navigation', { name: 'Tabs' })
    await tabs.getByRole('link', { name: 'Transfers 1' }).waitFor()
    await until('the messages', async () => await tabs.getByRole('link', { name: /^Messages \d/ }).count() === 1)
    demand(stranger !== person, 'the stranger is a contact')
    await shut(page)
  })
})

/** Buttons, fields and words that are cut off at the side, and cannot be scrolled to. */
function hidden (page) {
  return page.evaluate(() => {
    const scrolls = element => {
      for (let at = element.parentElement; at; at = at.parentElement) {
        if (/auto|scroll/.test(getComputedStyle(at).overflowX) && at.scrollWidth > at.clientWidth + 1) return true
      }
      return false
    }
    // A text that says by three dots that it goes on may do so.
    const dotted = element => {
      for (let at = element; at; at = at.parentElement) {
        if (getComputedStyle(at).textOverflow === 'ellipsis' || at.matches('.tags, .unseen, svg')) return true
      }
      return false
    }
    const outside = ({ left, right, width }) => width > 1 && (left < -1 || right > innerWidth + 1)
    const seen = element => element.checkVisibility({ checkOpacity: true, checkVisibilityCSS: true })
    const root = [...document.querySelectorAll('dialog[open]')].at(-1) ?? document.querySelector('main')
    const fields = [...root.querySelectorAll('button, a, input:not([type=file]), select, textarea')]
      .filter(element => seen(element) && outside(element.getBoundingClientRect()) && !scrolls(element))
    const texts = []
    const walk = document.createTreeWalker(root, NodeFilter.SHOW_TEXT)
    while (walk.nextNode()) {
      const { parentElement: element } = walk.currentNode
      if (!walk.currentNode.data.trim() || !seen(element) || dotted(element) || scrolls(element)) continue
      const range = document.createRange()
      range.selectNodeContents(walk.currentNode)
      if ([...range.getClientRects()].some(outside)) texts.push(element)
    }
    return [...fields, ...texts].map(element => `cut off: ${element.outerHTML.slice(0, 160)}`)
  })
}
