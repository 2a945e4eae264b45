// One message: its words or its file, what others put to it, how far it is.

import { classes, html } from "../../app/view.js";
import { api } from "../../app/api.js";
import { ask, lasting, openDialog } from "../../app/dialog.js";
import { IntoDialog } from "../../app/folder.js";
import { bytes, percent } from "../../app/format.js";
import { Icon } from "../../app/icons.js";
import { torrents } from "../../app/node.js";
import { Bar, Button, copy, Menu } from "../../app/parts.js";
import { Avatar, namesOf } from "../../app/people.js";
import { to } from "../../app/router.js";
import { locale, t } from "../../app/texts.js";
import { attempt } from "../../app/toast.js";
import { DeliveryDialog } from "./dialogs.js";
import { pathOf } from "./talk.js";
import { Text } from "./text.js";

/** What can be put to a message by one press. Arbitrary: what people use most. */
const REACTIONS = ["👍", "❤️", "😂", "😮", "😢", "🙏"];

const STAGES = { waiting: "clock", in_mailbox: "mail", delivered: "check", read: "check-check" };

const clock = new Intl.DateTimeFormat(locale, { timeStyle: "short" });
export const timeOf = (message) => clock.format(new Date(message.written_at_ms));

const react = (talk, message, reaction) => {
  const mine = message.reactions.find((one) => one.reaction === reaction)?.mine;
  attempt(() => talk.say({ reaction: { to: message.id, reaction, take_away: Boolean(mine) } }));
};

async function remove(talk, message) {
  const yes = await ask({
    title: t("messages.delete-title"),
    text: t("messages.delete-text"),
    action: t("messages.delete"), danger: true,
  });
  if (yes) attempt(() => talk.say({ deletion: message.id }));
}

async function fetchFile({ chat, id, name }, folder) {
  const path = `${pathOf(chat)}/messages/${id}/fetch`;
  return attempt(() => api.post(path, { folder }), t("messages.fetching", { name }));
}

/** Asks into which folder it goes. */
const FetchDialog = ({ bytes: size, close, ...what }) => html`
  <${IntoDialog} title=${t("messages.fetch-title", what)} action=${t("messages.fetch")} bytes=${size}
    act=${(folder) => fetchFile(what, folder)} close=${close} />`;

lasting({ "messages.fetch": FetchDialog });

function FileOf({ talk, message }) {
  const { name, bytes: size, torrent: id } = message.attachment;
  const torrent = id ? torrents.get(id) : undefined;
  const arrives = torrent && !torrent.complete;
  return html`
    <div class="file">
      <span class="sign"><${Icon} name=${torrent?.complete ? "folder-open" : "file"} size=${20} /></span>
      <div class="what">
        <b>${name}</b>
        <small>${torrent?.error ?? bytes(size)}${arrives && !torrent.error ? ` · ${percent(torrent.progress)}` : ""}
          </small>
        ${arrives && html`<${Bar} part=${torrent.progress} kind=${torrent.error ? "bad" : "down"}
          label=${t("messages.fetching", { name })} />`}
      </div>
      ${!message.mine && !torrent && id && html`
        <span class="does">
          <${Button} icon="download" text=${t("messages.fetch")} small kind="primary"
            onClick=${() => fetchFile({ chat: talk.id, id: message.id, name }, null)} />
          <${Button} icon="folder" label=${t("messages.fetch-into")} small kind="quiet"
            onClick=${() => openDialog(FetchDialog, { chat: talk.id, id: message.id, name, bytes: size })} /></span>`}
      ${torrent && !message.mine && html`<a class="small-link"
        href=${to("transfers", id)}>${t("messages.show-transfer")}</a>`}
    </div>`;
}

const Reactions = ({ talk, message }) => message.reactions.length > 0 && html`
  <div class="reactions">${message.reactions.map(({ reaction, by, mine }) => html`
    <button key=${reaction} type="button" class=${classes("reaction", mine && "mine")} aria-pressed=${mine}
      title=${namesOf(by)}
      aria-label=${t("messages.reaction", { reaction, by: namesOf(by) })}
        onClick=${() => react(talk, message, reaction)}>
      ${reaction}${by.length > 1 && html`<span class="count">${by.length}</span>`}</button>`)}</div>`;

const Stage = ({ message }) => message.mine && message.stage && html`
  <button type="button" class=${classes("stage", message.stage)} title=${t(`messages.stage.${message.stage}`)}
    aria-label=${t(`messages.stage.${message.stage}`)} onClick=${() => openDialog(DeliveryDialog, { message })}>
    <${Icon} name=${STAGES[message.stage]} size=${14} /></button>`;

function Tools({ talk, message, onReply, onEdit }) {
  const items = [
    { text: t("messages.reply"), icon: "reply", act: () => onReply(message) },
    message.text && { text: t("messages.copy"), icon: "copy", act: () => copy(message.text) },
    message.mine && message.kind === "text" && { text: t("messages.edit"), icon: "pencil", act: () => onEdit(message) },
    message.mine && { text: t("messages.details"), icon: "eye", act: () => openDialog(DeliveryDialog, { message }) },
    message.mine && { text: t("messages.delete"), icon: "trash", danger: true, act: () => remove(talk, message) },
  ].filter(Boolean);
  const reactions = REACTIONS.map((reaction) => ({ text: reaction, act: () => react(talk, message, reaction) }));
  return html`
    <div class="tools-of">
      <span class="reacts"><${Menu} icon="thumbs-up" label=${t("messages.react")} items=${reactions} small
        end=${message.mine} /></span>
      <${Button} icon="reply" label=${t("messages.reply")} kind="quiet" small class="reply-button"
        onClick=${() => onReply(message)} />
      <${Menu} label=${t("messages.more")} items=${items} small end=${message.mine} />
    </div>`;
}

const Quote = ({ quote, onGo }) => html`
  <button type="button" class="quote" onClick=${() => onGo(quote.id)} disabled=${!quote.from}>
    <b>${quote.from ?? t("messages.quote-gone")}</b><span>${quote.text}</span></button>`;

/** What is no message of words: a room was opened, messages are kept for another time. */
const Remark = ({ message }) => html`
  <p class="remark">${message.kind === "opening" ? t("messages.opened", { name: message.from })
    : message.timer_s ? t("messages.timer-set", { name: message.from, time: timerText(message.timer_s) })
    : t("messages.timer-off", { name: message.from })}</p>`;

/** For how long messages are kept, in words. */
export function timerText(seconds) {
  const unit = [[86_400, "days"], [3600, "hours"], [60, "minutes"]].find(([length]) => seconds % length === 0)
    ?? [1, "seconds"];
  return t(`messages.time.${unit[1]}`, { count: seconds / unit[0] });
}

/**
 * A message. `first` of those that one person wrote in a row; `named`: who wrote it is said, as in rooms.
 */
export function Message({ talk, message, first, named, found, ...acts }) {
  if (message.kind === "timer" || message.kind === "opening") return html`<${Remark} message=${message} />`;
  const { mine, deleted } = message;
  return html`
    <article id=${`message-${message.id}`} class=${classes("message", mine && "mine", first && "first", found
      && "found")}
      aria-label=${t("messages.by", { name: mine ? t("messages.you") : message.from, time: timeOf(message) })}>
      ${named && !mine && html`<span class="face">${first && html`<${Avatar} id=${message.person} name=${message.from}
        size=${30} />`}</span>`}
      <div class="body">
        ${named && !mine && first && html`<b class="author">${message.from}</b>`}
        <div class="line">
          <div class=${classes("bubble", deleted && "deleted")}>
            ${message.answers && html`<${Quote} quote=${message.answers} onGo=${acts.onGo} />`}
            ${deleted ? html`<p class="said">${t("messages.deleted")}</p>` : html`
              ${message.attachment && html`<${FileOf} talk=${talk} message=${message} />`}
              ${message.text && html`<${Text} text=${message.text} />`}`}
            <span class="meta">
              ${message.until_ms && html`<span title=${t("messages.disappears")}><${Icon} name="hourglass"
                size=${12} /></span>`}
              ${message.edited && !deleted && t("messages.edited")} <time>${timeOf(message)}</time>
              <${Stage} message=${message} />
            </span>
          </div>
          ${!deleted && html`<${Tools} talk=${talk} message=${message} ...${acts} />`}
        </div>
        <${Reactions} talk=${talk} message=${message} />
      </div>
    </article>`;
}
