// The contacts, and who would like to be one.

import { html } from "../../app/view.js";
import { openDialog } from "../../app/dialog.js";
import { Icon } from "../../app/icons.js";
import { chats, contacts } from "../../app/node.js";
import { Button, Empty } from "../../app/parts.js";
import { Avatar, friends, isOnline } from "../../app/people.js";
import { to } from "../../app/router.js";
import { t } from "../../app/texts.js";
import { titleOf } from "../messages/list.js";
import { AddContactDialog, InviteDialog } from "./dialogs.js";

const Row = ({ contact, note }) => html`
  <li><a class="item" href=${to("people", "contact", contact.person)}>
    <${Avatar} id=${contact.person} name=${contact.name} online=${isOnline(contact)} />
    <span class="what"><b>${contact.name}</b><small>${note}</small></span>
    ${contact.verified && html`<span class="tag up"><${Icon} name="shield" size=${13} />${t("people.verified")}</span>`}
    <${Icon} name="chevron-right" />
  </a></li>`;

const nodesOf = (contact) =>
  isOnline(contact) ? t("people.online") : t("people.computers", { count: contact.nodes.length });

const Part = ({ title, all, note }) => all.length > 0 && html`
  <section class="block">
    ${title && html`<h2>${title}</h2>`}
    <ul class="card items">${all.map((contact) => html`<${Row} key=${contact.person} contact=${contact}
      note=${note(contact)} />`)}</ul>
  </section>`;

/** Conversations that somebody began who is no contact; follows them. */
export const requests = () => chats.list("request").filter(({ request }) => request);

function Requests() {
  const all = requests();
  return all.length > 0 && html`
    <section class="block">
      <h2>${t("people.requests")}</h2>
      <ul class="card items">${all.map((chat) => html`
        <li key=${chat.id}><a class="item" href=${to("messages", chat.id)}>
          <${Avatar} id=${chat.person ?? ""} name=${titleOf(chat)} />
          <span class="what"><b>${titleOf(chat)}</b><small>${t("people.request")}</small></span>
          <${Icon} name="chevron-right" /></a></li>`)}</ul>
    </section>`;
}

export function Contacts() {
  const all = contacts.list("name", "state", "nodes", "verified");
  const byName = (state) => all.filter((contact) => contact.state === state).sort((a,
    b) => a.name.localeCompare(b.name));
  if (all.length + requests().length === 0) {
    return html`
      <${Empty} icon="users" title=${t("people.empty.title")} text=${t("people.empty.text")}>
        <${Button} icon="user-plus" text=${t("people.invite")} kind="primary"
          onClick=${() => openDialog(InviteDialog)} />
        <${Button} icon="link" text=${t("people.add")} onClick=${() => openDialog(AddContactDialog)} /><//>`;
  }
  return html`
    <div class="column">
      <${Requests} />
      <${Part} title=${requests().length > 0 && t("people.section.contacts")}
        all=${friends.value.map(({ person }) => contacts.get(person))} note=${nodesOf} />
      <${Part} title=${t("people.asked")} all=${byName("asked")} note=${() => t("people.asked-text")} />
      <${Part} title=${t("people.blocked")} all=${byName("blocked")} note=${() => t("people.blocked-text")} />
    </div>`;
}
