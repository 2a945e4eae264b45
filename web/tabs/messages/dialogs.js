// What is asked and told beside a conversation.

import { html } from "../../app/view.js";
import { api } from "../../app/api.js";
import { Dialog, lasting, openDialog } from "../../app/dialog.js";
import { useDraft } from "../../app/draft.js";
import { chats, contacts, groups, node, take } from "../../app/node.js";
import { Choice, Field, Switch } from "../../app/parts.js";
import { Avatar, friends, groupName, isOnline, ownGroups } from "../../app/people.js";
import { go, to } from "../../app/router.js";
import { t } from "../../app/texts.js";
import { tell } from "../../app/toast.js";
import { AddContactDialog } from "../people/dialogs.js";
import { pathOf } from "./talk.js";

/** A link by which one becomes a contact. */
const INVITATION = /^compeer:contact\?/i;

const STAGE_ORDER = ["read", "delivered", "in_mailbox", "waiting"];

export const DeliveryDialog = ({ message, close }) => html`
  <${Dialog} title=${t("messages.details")} close=${close}>
    ${message.delivery.length === 0 && html`<p class="soft">${t("messages.for-nobody")}</p>`}
    ${STAGE_ORDER.map((stage) => ({ stage, who: message.delivery.filter((one) => one.stage === stage) }))
      .filter(({ who }) => who.length > 0).map(({ stage, who }) => html`
        <section key=${stage} class="block"><h3>${t(`messages.stage.${stage}`)}</h3>
          <ul>${who.map(({ person, name }) => html`<li key=${person} class="option">
            <${Avatar} id=${person} name=${name} size=${28} /><span
              class="name">${name}</span></li>`)}</ul></section>`)}
  <//>`;

/** Chooses with whom to talk: somebody who is known, or whoever a link leads to. */
export function NewDialog({ close, link: given = "" }) {
  const [link, setLink] = useDraft("link", given);
  const meet = async () => {
    // Whoever was invited is to become a contact, not a stranger who writes.
    if (INVITATION.test(link.trim())) {
      openDialog(AddContactDialog, { link: link.trim() });
      return;
    }
    const chat = await api.post("/chats", { link: link.trim() });
    // Until they are written to, nothing but the link tells how they call themselves.
    const name = new URLSearchParams(link.trim().replace(/^[^?]*\?/, "")).get("name");
    chats.answer(chat.name === chat.id && name ? { ...chat, name } : chat, ["name"]);
    go(to("messages", chat.id));
  };
  const open = (id) => {
    close();
    go(to("messages", id));
  };
  const row = (key, id, picture, name) => html`
    <li key=${key}><button type="button" class="quiet option" onClick=${() => open(id)}>${picture}<span
      class="name">${name}</span></button></li>`;
  return html`
    <${Dialog} title=${t("messages.new")} close=${close} submit=${meet} action=${t("messages.meet")}
      disabled=${!link.trim()}>
      ${friends.value.length + ownGroups.value.length === 0 && html`
        <p>${t("messages.nobody")} <a href=${to("people")} onClick=${() => close()}>${t("messages.to-people")}</a></p>`}
      <ul class="choose-one">
        ${friends.value.map(({ person, name }) => row(person, `person:${person}`,
          html`<${Avatar} id=${person} name=${name} online=${isOnline(contacts.get(person))} size=${30} />`, name))}
        ${ownGroups.value.map((group) => row(group.id, `group:${group.id}/main`,
          html`<${Avatar} id=${group.id} name=${groupName(group)} group size=${30} />`, groupName(group)))}
      </ul>
      <${Field} label=${t("messages.link")} hint=${t("messages.link-hint")}>
        ${(id, hint) => html`<input id=${id} aria-describedby=${hint} autofocus=${given !== ""} autocomplete="off"
          spellcheck=${false} placeholder="compeer:person?…" value=${link}
          onInput=${(event) => setLink(event.target.value)} />`}<//>
    <//>`;
}

export function RoomDialog({ group, close }) {
  const [name, setName] = useDraft("name", "");
  const submit = async () => {
    const room = await api.post(`/groups/${group}/rooms`, { name: name.trim() });
    chats.answer(room.chat);
    go(to("messages", room.chat.id));
  };
  return html`
    <${Dialog} title=${t("messages.new-room")} close=${close} submit=${submit} action=${t("messages.open-room")}
      disabled=${!name.trim()}>
      <p class="soft">${groupName(groups.get(group))}</p>
      <${Field} label=${t("messages.room-name")} hint=${t("messages.room-hint")}>
        ${(id, hint) => html`<input id=${id} aria-describedby=${hint} autofocus maxlength="32" autocomplete="off"
          value=${name}
          onInput=${(event) => setName(event.target.value)} />`}<//>
    <//>`;
}

const TIMES = ["0", "3600", "86400", "604800", "2592000"];

export function TimerDialog({ chat, close }) {
  const [seconds, setSeconds] = useDraft("seconds", String(chat.timer_s ?? 0));
  const submit = () => api.post(`${pathOf(chat.id)}/messages`, { timer: { seconds: Number(seconds) || null } });
  return html`
    <${Dialog} title=${t("messages.timer")} close=${close} submit=${submit} action=${t("messages.timer-action")}>
      <p>${t("messages.timer-text")}</p>
      <${Choice} label=${t("messages.timer")} value=${seconds} onChange=${setSeconds} class="wraps"
        options=${TIMES.map((value) => ({ value, text: t(`messages.timer-for.${value}`) }))} />
    <//>`;
}

/** What others are told; as the node's settings have it. */
export function PrivacyDialog({ close }) {
  const settings = node.settings.value ?? {};
  const [receipts, setReceipts] = useDraft("receipts", settings.read_receipts ?? true);
  const [typing, setTyping] = useDraft("typing", settings.typing ?? true);
  const submit = async () => {
    take("node", { settings: await api.patch("/settings", { read_receipts: receipts, typing }) });
    tell(t("messages.privacy-done"));
  };
  return html`
    <${Dialog} title=${t("messages.privacy")} close=${close} submit=${submit} action=${t("messages.keep")}>
      <${Switch} label=${t("messages.receipts")} hint=${t("messages.receipts-hint")} checked=${receipts}
        onChange=${setReceipts} />
      <${Switch} label=${t("messages.typing-switch")} hint=${t("messages.typing-hint")} checked=${typing}
        onChange=${setTyping} />
    <//>`;
}

lasting({
  "messages.new": NewDialog, "messages.room": RoomDialog, "messages.timer": TimerDialog,
  "messages.privacy": PrivacyDialog,
});
