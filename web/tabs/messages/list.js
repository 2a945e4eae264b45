// The conversations, the latest first, and what was found in them.

import { classes, computed, html, useEffect, useState } from "../../app/view.js";
import { api } from "../../app/api.js";
import { openDialog } from "../../app/dialog.js";
import { Icon } from "../../app/icons.js";
import { kept } from "../../app/kept.js";
import { chats, contacts, groups } from "../../app/node.js";
import { Button, Empty, Head, Menu, Search, Words } from "../../app/parts.js";
import { Avatar, groupName, isOnline, showOwnLink } from "../../app/people.js";
import { to } from "../../app/router.js";
import { locale, t } from "../../app/texts.js";
import { NewDialog, PrivacyDialog } from "./dialogs.js";
import { draftOf } from "./talk.js";

/** How long typing has to rest before it is searched, in milliseconds. Arbitrary: faster than a thought. */
const REST_MS = 200;

/** How many finds are shown. Arbitrary: more than are looked through. */
const FINDS = 100;

export const search = kept("messages.search", "", undefined, { here: true, typed: true });

const byTime = computed(() =>
  chats.list("last", "name", "unread", "request", "muted")
    .sort((a, b) => (b.last?.at_ms ?? 0) - (a.last?.at_ms ?? 0))
    .map(({ id }) => id));

const today = () => new Date().toDateString();
const clock = new Intl.DateTimeFormat(locale, { timeStyle: "short" });
const day = new Intl.DateTimeFormat(locale, { month: "short", day: "numeric" });

/** When something was, as short as it can be said: the time today, the day before. */
const shortWhen = (ms) => (new Date(ms).toDateString() === today() ? clock : day).format(new Date(ms));

/** The sign of a conversation. */
export const Face = ({ chat, size }) => html`
  <${Avatar} id=${chat.person ?? chat.group ?? ""} name=${titleOf(chat)} group=${Boolean(chat.group)} size=${size}
    online=${chat.person && isOnline(contacts.get(chat.person))} />`;

/** What a conversation is called: `Hiking club`, `Hiking club, tours`. */
export const titleOf = (chat) => {
  // Whoever is not known yet has no name but the id.
  if (!chat.group) return chat.name === chat.id ? t("messages.somebody", { id: chat.person.slice(0, 8) }) : chat.name;
  const group = groups.get(chat.group);
  const name = group ? groupName(group) : chat.name.split("/")[0];
  return chat.room && chat.room !== "main" ? `${name} · ${chat.room}` : name;
};

/** The last message in a line. */
function line(chat) {
  const draft = draftOf(chat.id).text.trim();
  if (draft) return html`<em>${t("messages.draft")}</em> ${draft}`;
  const { last } = chat;
  if (!last) return t("messages.nothing");
  const words = last.deleted ? t("messages.deleted") : last.kind === "text" || last.kind === "attachment"
    ? last.text : t(`messages.last.${last.kind}`);
  const who = last.mine ? t("messages.you") : chat.group ? last.from : "";
  return [who && `${who}: `, last.kind === "attachment" && !last.deleted && "📎 ", words];
}

function Row({ id, at }) {
  const chat = chats.get(id);
  if (!chat) return null;
  return html`
    <li><a class=${classes("item", chat.unread > 0 && "unread")} href=${to("messages", id)}
      aria-current=${at === id ? "page" : undefined}>
      <${Face} chat=${chat} size=${42} />
      <span class="what">
        <span class="first"><b>${titleOf(chat)}</b>${chat.muted && html`<${Icon} name="bell-off" size=${13} />`}
          <time>${chat.last ? shortWhen(chat.last.at_ms) : ""}</time></span>
        <span class="second"><small>${line(chat)}</small>
          ${chat.request ? html`<span class="tag wait">${t("messages.request")}</span>`
            : chat.unread > 0 && html`<span class=${classes("badge", chat.muted && "quiet")}
                aria-label=${t("messages.unread", { count: chat.unread })}>${chat.unread > 99
                  ? "99+" : chat.unread}</span>`}</span>
      </span></a></li>`;
}

const Find = ({ hit }) => html`
  <li><a class="item find" href=${to("messages", hit.chat, hit.id)}>
    <span class="what"><span class="first"><b>${hit.chat_name}</b><time>${shortWhen(hit.at_ms)}</time></span>
      <small>${hit.from}: ${hit.snippet.map(({ text, found }, index) => (found ? html`<mark
        key=${index}>${text}</mark>` : text))}</small></span></a></li>`;

function Finds({ words }) {
  const [hits, setHits] = useState(null);
  const [problem, setProblem] = useState(null);
  useEffect(() => {
    const stop = new AbortController();
    const timer = setTimeout(() => {
      api.get(`/messages?limit=${FINDS}&words=${encodeURIComponent(words)}`, { signal: stop.signal })
        .then((found) => {
          setHits(found);
          setProblem(null);
        }, (failure) => failure.name !== "AbortError" && setProblem(failure));
    }, REST_MS);
    return () => {
      clearTimeout(timer);
      stop.abort();
    };
  }, [words]);
  if (problem) return html`<${Words} problem=${problem} />`;
  if (!hits) return null;
  if (hits.length === 0) return html`<p class="soft nothing-found" role="status">${t("messages.not-found")}</p>`;
  return html`<ul class="items chats" aria-label=${t("messages.found")}>${hits.map((hit) => html`<${Find}
    key=${`${hit.chat}${hit.id}`} hit=${hit} />`)}</ul>`;
}

export const write = () => openDialog(NewDialog);

export function List({ at }) {
  const words = search.value.trim();
  return html`
    <section class="chat-list" aria-label=${t("messages.list")}>
      <${Head} title=${t("tabs.messages")}>
        <${Menu} label=${t("more")} items=${[
          { text: t("people.own-link"), icon: "qr-code", act: showOwnLink },
          { text: t("messages.privacy"), icon: "eye", act: () => openDialog(PrivacyDialog) }]} />
        <${Button} icon="plus" label=${t("messages.new")} kind="primary" onClick=${write} />
      <//>
      <div class="search-row"><${Search} label=${t("messages.search")} value=${search.value}
        onChange=${(text) => { search.value = text; }} /></div>
      ${words ? html`<${Finds} words=${words} />`
        : byTime.value.length === 0 ? html`
          <${Empty} icon="message-circle" title=${t("messages.empty.title")} text=${t("messages.empty.text")}>
            <${Button} icon="plus" text=${t("messages.new")} kind="primary" onClick=${write} /><//>`
        : html`<ul class="items chats">${byTime.value.map((id) => html`<${Row} key=${id} id=${id} at=${at} />`)}</ul>`}
    </section>`;
}
