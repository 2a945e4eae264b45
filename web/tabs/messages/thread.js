// A conversation: its head, what was said, and where one says more.

import { classes, html, useEffect, useLayoutEffect, useMemo, useRef, useState } from "../../app/view.js";
import { api } from "../../app/api.js";
import { ask, openDialog } from "../../app/dialog.js";
import { Icon } from "../../app/icons.js";
import { chats, contacts } from "../../app/node.js";
import { Button, Menu, Words } from "../../app/parts.js";
import { isOnline, namesOf } from "../../app/people.js";
import { go, to } from "../../app/router.js";
import { locale, t } from "../../app/texts.js";
import { attempt, tell, tellProblem } from "../../app/toast.js";
import { dropped } from "../../app/upload.js";
import { Compose, sendFiles } from "./compose.js";
import { RoomDialog, TimerDialog } from "./dialogs.js";
import { Face, titleOf } from "./list.js";
import { Message, timerText } from "./message.js";
import { draftOf, Talk } from "./talk.js";

/**
 * How near to an edge counts as at it, in pixels. Arbitrary: less than a line, and some screens' worth for reading
 * ahead.
 */
const AT_END = 40;
const AHEAD = 600;

/** After how long words of the same person stand apart, in milliseconds. Arbitrary: a pause in a talk. */
const PAUSE_MS = 5 * 60_000;

const day = new Intl.DateTimeFormat(locale, { weekday: "long", year: "numeric", month: "long", day: "numeric" });

const save = (chat, format) => {
  const link = Object.assign(document.createElement("a"), {
    href: api.url(`/chats/${encodeURIComponent(chat.id)}/export?format=${format}`),
    download: `${titleOf(chat)}.${format === "mbox" ? "mbox" : "jsonl"}`,
  });
  link.click();
};

const mute = (chat) => attempt(async () => chats.answer(await api.patch(`/chats/${encodeURIComponent(chat.id)}`,
  { muted: !chat.muted }), ["muted"]));

function Top({ chat, talk }) {
  const writes = talk.typing.value;
  const contact = chat.person && contacts.get(chat.person);
  const sub = writes.length > 0 ? t("messages.types", { count: writes.length, who: namesOf(writes) })
    : chat.group ? namesOf([t("messages.you"), ...chat.people]) : isOnline(contact) ? t("people.online") : "";
  const items = [
    chat.group ? { text: t("messages.show-group"), icon: "users", act: () => go(to("people", "group", chat.group)) }
      : { text: t("messages.show-contact"), icon: "user", act: () => go(to("people", "contact", chat.person)),
        off: !contact },
    ...(chat.group ? [{ text: t("messages.new-room"), icon: "hash",
      act: () => openDialog(RoomDialog, { group: chat.group }) }] : []),
    { text: t(chat.muted ? "messages.unmute" : "messages.mute"), icon: chat.muted ? "bell" : "bell-off",
      act: () => mute(chat) },
    { text: t("messages.timer"), icon: "hourglass", act: () => openDialog(TimerDialog,
      { chat: { id: chat.id, timer_s: chat.timer_s } }) },
    null,
    { text: t("messages.export-json"), icon: "download", act: () => save(chat, "json") },
    { text: t("messages.export-mbox"), icon: "download", act: () => save(chat, "mbox") },
  ];
  return html`
    <header class="thread-head">
      <a class="back" href=${to("messages")} aria-label=${t("messages.back")}><${Icon} name="chevron-left" /></a>
      <${Face} chat=${chat} size=${36} />
      <div class="what"><h2>${titleOf(chat)}</h2><p class="soft" aria-live="polite">${sub}</p></div>
      ${chat.timer_s && html`<span class="tag" title=${t("messages.disappears")}><${Icon} name="hourglass"
        size=${13} />${timerText(chat.timer_s)}</span>`}
      <${Menu} label=${t("messages.about", { name: titleOf(chat) })} items=${items} />
    </header>`;
}

const Request = ({ chat, talk }) => {
  const accept = () => attempt(async () => chats.answer(await api.post(`${talk.path}/accept`), ["request"]));
  const refuse = async () => {
    const yes = await ask({
      title: t("messages.refuse-title", { name: titleOf(chat) }),
      text: t("messages.refuse-text"),
      action: t("messages.refuse"), danger: true,
    });
    if (yes && await attempt(() => api.post(`${talk.path}/refuse`))) {
      go(to("messages"));
      tell(t("messages.refused"));
    }
  };
  return html`
    <div class="ask-request" role="region" aria-label=${t("messages.request")}>
      <p>${t("messages.request-text", { name: titleOf(chat) })}</p>
      <span><${Button} text=${t("messages.refuse")} onClick=${refuse} /><${Button} text=${t("messages.accept")}
        kind="primary" onClick=${accept} /></span>
    </div>`;
};

/** The rows: days, where the new ones begin, messages. */
function rowsOf(talk) {
  const rows = [];
  let before = null;
  const unread = talk.firstUnread.value;
  for (const id of talk.ids.value) {
    const message = talk.messages.row(id)?.value;
    if (!message) continue;
    const date = new Date(message.written_at_ms);
    const newDay = !before || new Date(before.written_at_ms).toDateString() !== date.toDateString();
    if (newDay) rows.push({ key: `day-${date.toDateString()}-${id}`, day: day.format(date) });
    if (id === unread) rows.push({ key: "unread", unread: true });
    const follows = before && !newDay && id !== unread && before.kind !== "timer" && before.kind !== "opening"
      && before.person === message.person && message.written_at_ms - before.written_at_ms < PAUSE_MS;
    rows.push({ key: id, message, first: !follows });
    before = message;
  }
  return rows;
}

function Said({ talk, chat, found, acts }) {
  const scroller = useRef();
  const atEnd = useRef(true);
  const before = useRef(null);
  const rows = rowsOf(talk);
  const newest = talk.ids.value.at(-1);
  const seen = () => {
    if (atEnd.current && !document.hidden && !talk.moreAfter.peek()) talk.markRead().catch(() => {});
  };
  useLayoutEffect(() => {
    const box = scroller.current;
    if (before.current !== null) {
      // Older ones came above: what was looked at stays where it is.
      box.scrollTop += box.scrollHeight - before.current;
      before.current = null;
    } else if (found && talk.ready.value && atEnd.current) {
      const message = box.querySelector(`[id="message-${found}"]`);
      message?.scrollIntoView({ block: "center" });
      if (message) atEnd.current = false;
    } else if (atEnd.current) {
      box.scrollTop = box.scrollHeight;
    }
  }, [rows.length, newest, found, talk.ready.value]);
  useEffect(() => {
    seen();
    document.addEventListener("visibilitychange", seen);
    return () => document.removeEventListener("visibilitychange", seen);
  }, [newest, talk.ready.value, chat?.request]);
  useEffect(() => {
    const box = scroller.current;
    const observer = new ResizeObserver(() => {
      if (atEnd.current) box.scrollTop = box.scrollHeight;
    });
    observer.observe(box);
    return () => observer.disconnect();
  }, []);
  const scroll = async () => {
    const box = scroller.current;
    const rest = box.scrollHeight - box.scrollTop - box.clientHeight;
    const was = atEnd.current;
    atEnd.current = rest < AT_END && !talk.moreAfter.peek();
    if (!was && atEnd.current) seen();
    if (rest < AHEAD) talk.newer();
    if (box.scrollTop < AHEAD && talk.moreBefore.peek() && before.current === null) {
      const height = box.scrollHeight;
      const more = talk.older();
      before.current = height;
      if (!await more) before.current = null;
    }
  };
  const down = async () => {
    if (talk.moreAfter.peek()) await talk.newest();
    atEnd.current = true;
    scroller.current.scrollTop = scroller.current.scrollHeight;
  };
  const named = Boolean(chat?.group);
  return html`
    <div class="said-in" ref=${scroller} onScroll=${scroll} tabindex="0" role="log" aria-label=${t("messages.thread")}>
      ${talk.problem.value && html`<${Words} problem=${talk.problem.value} />`}
      ${talk.ready.value && rows.length === 0 && html`
        <div class="empty"><p>${t("messages.begin", { name: chat ? titleOf(chat) : "" })}</p></div>`}
      <div class="rows-of">
        ${rows.map((row) => row.day ? html`<p class="day" key=${row.key}>${row.day}</p>`
          : row.unread ? html`<p class="new-ones" key=${row.key}>${t("messages.new-ones")}</p>`
          : html`<${Message} key=${row.key} talk=${talk} message=${row.message} first=${row.first} named=${named}
              found=${row.key === found} ...${acts} />`)}
      </div>
    </div>
    ${talk.moreAfter.value && html`<div class="to-newest"><${Button} icon="arrow-down" text=${t("messages.to-newest")}
      onClick=${down} /></div>`}`;
}

/** Takes files that are dropped on the conversation. */
function useDrop(talk) {
  const [over, setOver] = useState(false);
  const holds = (event) => event.dataTransfer.types.includes("Files");
  return [over, {
    onDragOver: (event) => { if (holds(event)) { event.preventDefault(); setOver(true); } },
    onDragLeave: (event) => { if (!event.currentTarget.contains(event.relatedTarget)) setOver(false); },
    onDrop: (event) => {
      if (!holds(event)) return;
      event.preventDefault();
      setOver(false);
      dropped(event.dataTransfer).then((files) => sendFiles(talk, files), tellProblem);
    },
  }];
}

export function Thread({ id, found }) {
  const talk = useMemo(() => new Talk(id, found), [id, found]);
  useEffect(() => () => talk.end(), [talk]);
  const [about, setAbout] = useState({});
  const [over, drop] = useDrop(talk);
  const chat = talk.info.value;
  const begun = useMemo(() => draftOf(id), [id]);
  useEffect(() => {
    // What was to be answered or changed before a reload.
    const message = talk.messages.row(begun.edits?.id ?? begun.answers)?.peek();
    if (!message || about.answers || about.edits) return;
    setAbout(begun.edits ? { edits: message, written: begun.edits.text } : { answers: message });
  }, [talk.ready.value]);
  // As it is now: it may be taken back meanwhile.
  const current = (message) => ({ ...message, text: "", attachment: null, ...talk.messages.get(message.id) });
  const shown = about.answers ? { answers: current(about.answers) } : about;
  const acts = {
    onReply: (message) => setAbout({ answers: message }),
    onEdit: (message) => setAbout({ edits: message }),
    onGo: (which) => {
      const message = document.getElementById(`message-${which}`);
      if (message) message.scrollIntoView({ block: "center", behavior: "smooth" });
      else go(to("messages", id, which));
    },
  };
  return html`
    <section class=${classes("thread", over && "over")} aria-label=${chat ? titleOf(chat) : t("messages.thread")}
      ...${drop}>
      ${chat && html`<${Top} chat=${chat} talk=${talk} />`}
      <${Said} talk=${talk} chat=${chat} found=${found} acts=${acts} />
      ${chat?.request ? html`<${Request} chat=${chat} talk=${talk} />`
        : chat && html`<${Compose} talk=${talk} name=${titleOf(chat)} ...${shown} onDone=${() => setAbout({})} />`}
    </section>`;
}
