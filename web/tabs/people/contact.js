// One contact: what can be done with it, whether it is who it says, its computers.

import { html } from "../../app/view.js";
import { api } from "../../app/api.js";
import { ask, openDialog } from "../../app/dialog.js";
import { moment } from "../../app/format.js";
import { Icon } from "../../app/icons.js";
import { connection, contacts, node, take } from "../../app/node.js";
import { Button, copy, Empty, Menu, Switch } from "../../app/parts.js";
import { Avatar, isOnline } from "../../app/people.js";
import { go, to } from "../../app/router.js";
import { t } from "../../app/texts.js";
import { attempt, tell } from "../../app/toast.js";
import { RenameContactDialog } from "./dialogs.js";

/** What a change of a contact may change. */
const CHANGED = ["name", "state", "verified"];

const change = (person, what) =>
  attempt(async () => contacts.answer(await api.patch(`/contacts/${person}`, what), CHANGED));

async function block({ person, name }, blocked) {
  const text = { title: t("people.block-title", { name }), text: t("people.block-text"), action: t("people.block"),
    danger: true };
  if (!blocked || await ask(text)) change(person, { blocked });
}

async function remove({ person, name }) {
  const text = { title: t("people.remove-title", { name }), text: t("people.remove-text"), action: t("people.remove"),
    danger: true };
  if (!await ask(text)) return;
  if (!await attempt(() => api.delete(`/contacts/${person}`))) return;
  take("contact_removed", { person });
  go(to("people"));
  tell(t("people.removed", { name }));
}

const rename = ({ person, name, shown_name }) => openDialog(RenameContactDialog, {
  contact: { person, name, shown_name },
});

/** The head of a page about one of a list: the way back, a picture, the name, what can be done. */
export const Top = ({ back, picture, name, line, items, children }) => html`
  <header class="top">
    <a class="button-like" href=${back} aria-label=${t("people.back")}><${Icon} name="chevron-left" /></a>
    ${picture}
    <div class="what"><h1>${name}</h1><p class="soft">${line}</p></div>
    <div class="does">${children}<${Menu} label=${t("more")} kind="plain" items=${items} /></div>
  </header>`;

const Words = ({ contact }) => html`
  <section class="block">
    <h2>${t("people.words", { name: contact.name })}</h2>
    <p class="soft">${t("people.words-text", { name: contact.name })}</p>
    <ol class="card words-grid">${contact.words.map((word) => html`<li key=${word}>${word}</li>`)}</ol>
    <${Switch} label=${t("people.words-same")} checked=${contact.verified}
      onChange=${(verified) => change(contact.person, { verified })} />
  </section>`;

const Computers = ({ contact }) => html`
  <section class="block">
    <h2>${t("people.their-computers")}</h2>
    ${contact.nodes.length === 0 ? html`<p class="soft">${t("people.no-computers")}</p>` : html`
      <ul class="card items">${contact.nodes.map((one) => html`
        <li key=${one.id} class="item">
          <span class="sign"><${Icon} name="monitor-smartphone" size=${20} /></span>
          <span class="what"><b>${one.name}</b>
            <small>${t(one.connected ? "people.online" : "people.offline")}</small></span>
        </li>`)}</ul>`}
  </section>`;

function Shared({ contact }) {
  const all = (node.shares.value ?? []).filter((share) => !share.attached && !share.library
    && share.to_ids.includes(contact.person));
  return all.length > 0 && html`
    <section class="block">
      <h2>${t("people.you-share")}</h2>
      <ul class="card items">${all.map((share) => html`
        <li key=${share.torrent}><a class="item" href=${to("share")}>
          <span class="sign"><${Icon} name="share-2" size=${18} /></span>
          <span class="what"><b>${share.name}</b><small>${share.note ?? ""}</small></span></a></li>`)}</ul>
    </section>`;
}

const lineOf = (contact) => {
  if (contact.state === "blocked") return t("people.blocked-text");
  if (contact.state === "asked") return t("people.asked-text");
  const other = contact.shown_name && contact.shown_name !== contact.name ? t("people.calls-itself",
    { name: contact.shown_name }) : "";
  return [t(isOnline(contact) ? "people.online" : "people.offline"), other].filter(Boolean).join(" · ");
};

export function Contact({ person }) {
  const contact = contacts.get(person);
  if (!contact) {
    return connection.value === "connecting" ? null : html`
      <${Empty} icon="users" title=${t("people.gone.title")} text=${t("people.gone.text")}>
        <${Button} text=${t("people.back")} onClick=${() => go(to("people"))} /><//>`;
  }
  const blocked = contact.state === "blocked";
  const items = [
    { text: t("people.rename"), icon: "pencil", act: () => rename(contact) },
    { text: t("people.copy-id"), icon: "copy", act: () => copy(contact.person) },
    null,
    blocked
      ? { text: t("people.allow"), icon: "circle-check", act: () => block(contact, false) }
      : { text: t("people.block"), icon: "ban", act: () => block(contact, true) },
    { text: t("people.remove"), icon: "trash", danger: true, act: () => remove(contact) },
  ];
  return html`
    <div class="page"><div class="column">
      <${Top} back=${to("people")} name=${contact.name} line=${lineOf(contact)} items=${items}
        picture=${html`<${Avatar} id=${person} name=${contact.name} online=${isOnline(contact)} size=${56} />`}>
        ${blocked ? html`<${Button} text=${t("people.allow")} kind="primary"
          onClick=${() => block(contact, false)} />` : html`
          <${Button} icon="message-circle" text=${t("people.message")} kind="primary"
            onClick=${() => go(to("messages", `person:${person}`))} />
          <${Button} icon="share-2" text=${t("people.share")} onClick=${() => go(`${to("share")}?to=${person}`)} />
          <${Button} icon="library" text=${t("people.browse")} onClick=${() => go(to("inbox", "browse", person))} />`}
      <//>
      ${contact.state === "contact" && html`<${Words} contact=${contact} />`}
      <${Computers} contact=${contact} />
      <${Shared} contact=${contact} />
      <p class="soft">${t("people.since", { when: moment(contact.added_s) })}</p>
    </div></div>`;
}
