// The way through the tab: lists, and what one of a list is.

import { html } from "../../app/view.js";
import { openDialog } from "../../app/dialog.js";
import { groups, node } from "../../app/node.js";
import { Button, Head, Sections } from "../../app/parts.js";
import { friends, isSomebody, Nobody } from "../../app/people.js";
import { to } from "../../app/router.js";
import { t } from "../../app/texts.js";
import { Contact } from "./contact.js";
import { Contacts } from "./contacts.js";
import { AddContactDialog, InviteDialog, JoinGroupDialog, NewGroupDialog } from "./dialogs.js";
import { Group } from "./group.js";
import { Groups } from "./groups.js";
import { Invitations } from "./invitations.js";
import { addComputer, Nodes } from "./nodes.js";

const add = (icon, text, view, kind) => html`
  <${Button} icon=${icon} text=${text} kind=${kind} onClick=${() => openDialog(view)} />`;

const SECTIONS = {
  contacts: {
    view: Contacts, count: () => friends.value.length,
    actions: () => [add("link", t("people.add"), AddContactDialog), add("user-plus", t("people.invite-short"),
      InviteDialog, "primary")],
  },
  groups: {
    view: Groups, count: () => groups.size,
    actions: () => [add("link", t("groups.join"), JoinGroupDialog), add("plus", t("groups.new"), NewGroupDialog,
      "primary")],
  },
  invitations: {
    view: Invitations, count: () => (node.invites.value ?? []).filter(({ state }) => state === "open").length,
    actions: () => [add("user-plus", t("people.invite-short"), InviteDialog, "primary")],
  },
  nodes: {
    view: Nodes, count: () => (node.nodes.value ?? []).filter(({ revoked }) => !revoked).length,
    actions: () => [html`<${Button} icon="plus" text=${t("nodes.add")} kind="primary" onClick=${addComputer} />`],
  },
};

export function People({ place: [what = "contacts", id] }) {
  if (!isSomebody()) return html`<${Head} title=${t("tabs.people")} /><${Nobody} />`;
  if (what === "contact") return html`<${Contact} key=${id} person=${id} />`;
  if (what === "group") return html`<${Group} key=${id} id=${id} />`;
  const at = Object.hasOwn(SECTIONS, what) ? what : "contacts";
  const { view: View, actions } = SECTIONS[at];
  const sections = Object.entries(SECTIONS).map(([name, { count }]) => ({
    id: name, text: t(`people.section.${name}`), href: to("people", name), count: count(),
  }));
  return html`
    <${Head} title=${t("tabs.people")}>${actions()}<//>
    <${Sections} label=${t("tabs.people")} sections=${sections} at=${at} />
    <div class="page"><${View} key=${at} /></div>`;
}
