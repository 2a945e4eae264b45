// The words of a message: text alone. Links can be followed by whoever means to; nothing is loaded by itself.

import { html } from "../../app/view.js";
import { openDialog } from "../../app/dialog.js";
import { Button } from "../../app/parts.js";
import { t } from "../../app/texts.js";
import { AddContactDialog, JoinGroupDialog } from "../people/dialogs.js";
import { addTorrents } from "../transfers/add.js";
import { NewDialog } from "./dialogs.js";

const LINK = /(https?:\/\/[^\s<>"]+|compeer:[a-z]+\?[^\s<>"]+|magnet:\?[^\s<>"]+)/gi;

/** What can be done with a link that is none of the web. */
const ACTS = [
  [/^compeer:group\?/i, "users", "messages.join", (link) => openDialog(JoinGroupDialog, { link })],
  [/^compeer:contact\?/i, "user-plus", "messages.add-contact", (link) => openDialog(AddContactDialog, { link })],
  [/^compeer:person\?/i, "message-circle", "messages.write", (link) => openDialog(NewDialog, { link })],
  [/^magnet:\?/i, "magnet", "messages.add-transfer", (link) => addTorrents({ links: [link] })],
];

function Link({ link }) {
  const known = ACTS.find(([form]) => form.test(link));
  if (known) {
    const [, icon, text, act] = known;
    return html`<${Button} icon=${icon} text=${t(text)} small title=${link} onClick=${() => act(link)} />`;
  }
  if (!/^https?:/i.test(link)) return link;
  return html`<a href=${link} target="_blank" rel="noopener noreferrer">${link}</a>`;
}

/** A full stop behind a link is none of it. */
const trimmed = (link) => link.replace(/[.,;:!?)\]}'»”]+$/, "");

export function Text({ text }) {
  const parts = [];
  let at = 0;
  for (const { 0: found, index } of text.matchAll(LINK)) {
    const link = trimmed(found);
    parts.push(text.slice(at, index), html`<${Link} link=${link} />`);
    at = index + link.length;
  }
  parts.push(text.slice(at));
  return html`<p class="said">${parts}</p>`;
}
