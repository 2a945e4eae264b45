// Where a message is written: its words, what it answers, files that go with it.

import { effect, html, signal, useEffect, useLayoutEffect, useRef, useState } from "../../app/view.js";
import { api, Problem } from "../../app/api.js";
import { Dialog, lasting, openDialog } from "../../app/dialog.js";
import { useDraft } from "../../app/draft.js";
import { FolderField } from "../../app/folder.js";
import { percent } from "../../app/format.js";
import { Icon } from "../../app/icons.js";
import { kept } from "../../app/kept.js";
import { jobs, told } from "../../app/node.js";
import { Bar, Button, Menu, Note } from "../../app/parts.js";
import { t } from "../../app/texts.js";
import { attempt, tellProblem } from "../../app/toast.js";
import { nameOf, picked, upload } from "../../app/upload.js";
import { draftOf, keepDraft, pathOf } from "./talk.js";

/** How often it is said that somebody writes on, in milliseconds. */
const TYPING_MS = 4000;

/** How high the field grows, in pixels. Arbitrary: some eight lines. */
const HIGHEST = 180;

/** The longest message (crates/chat, MAX_TEXT), in bytes. */
const MAX_TEXT = 16 * 1024;

const isSent = (one) => typeof one?.chat === "string" && typeof one.name === "string";

/** What was on its way when the page was loaded anew: `{ chat, name, job }`; without a job it did not get there. */
const before = kept("messages.underway", [], (all) => Array.isArray(all) && all.every(isSent), { here: true });

/** Files that a reload kept from the node, which no browser keeps: `{ chat, name }`. */
const lost = signal(before.peek().filter(({ job }) => !job));

let key = 0;

/** Files on their way: `{ key, chat, name, part, stop?, job? }`. */
const underway = signal(before.peek().filter(({ job }) => job).map((one) => {
  key += 1;
  return { ...one, key, part: 0 };
}));

effect(() => {
  before.value = [...lost.value, ...underway.value].map(({ chat, name, job }) => ({ chat, name, job }));
});

const change = (which, fields) => {
  underway.value = underway.value.map((one) => (one.key === which ? { ...one, ...fields } : one));
};
const done = (which) => {
  underway.value = underway.value.filter((one) => one.key !== which);
};

async function attach(chat, path, name, which) {
  const job = await api.post(`${pathOf(chat)}/attachments`, { path, caption: "" });
  jobs.answer(job);
  if (which) change(which, { job: job.id, stop: null });
  else {
    key += 1;
    underway.value = [...underway.value, { key, chat, name, part: 0, job: job.id }];
  }
}

/** A file or folder of the node's computer, to be sent as it lies there. */
function PathDialog({ chat, close }) {
  const [path, setPath] = useDraft("path", "");
  const submit = () => attach(chat, path.trim(), path.trim().split(/[\\/]/).filter(Boolean).pop());
  return html`
    <${Dialog} title=${t("messages.attach-path")} close=${close} submit=${submit} action=${t("messages.attach")}
      disabled=${!path.trim()}>
      <${FolderField} label=${t("messages.path")} hint=${t("messages.path-hint")} value=${path} onChange=${setPath} />
    <//>`;
}

lasting({ "messages.path": PathDialog });

/** Sends files of this computer: to the node first, then with a message. */
export async function sendFiles(talk, files) {
  key += 1;
  const which = key;
  const stop = new AbortController();
  const total = files.reduce((sum, { file }) => sum + file.size, 0);
  underway.value = [...underway.value, { key: which, chat: talk.id, name: nameOf(files), part: 0, stop }];
  try {
    const path = await upload(files, (sent) => change(which, { part: total ? sent / total : 0 }), stop.signal);
    await attach(talk.id, path, nameOf(files), which);
  } catch (problem) {
    done(which);
    if (problem.name !== "AbortError") tellProblem(problem);
  }
}

function Underway({ one }) {
  const job = one.job ? jobs.get(one.job) : null;
  // A node that began anew knows nothing of it.
  const ended = one.job && told.value && job?.state !== "running";
  useEffect(() => {
    if (!ended) return;
    done(one.key);
    if (job?.state === "failed") tellProblem(new Problem(job.problem ?? { detail: t("messages.attach-failed") }));
  }, [ended]);
  const part = job ? (job.total_bytes ? job.done_bytes / job.total_bytes : 0) : one.part;
  const stop = () => {
    one.stop?.abort();
    if (one.job) attempt(() => api.delete(`/jobs/${one.job}`));
  };
  return html`
    <li class="underway"><${Icon} name="file" size=${16} /><span class="name">${one.name}</span>
      <${Bar} part=${part} label=${one.name} /><span class="num">${percent(part)}</span>
      <${Button} icon="x" label=${t("messages.attach-stop", { name: one.name })} kind="quiet" small
        onClick=${stop} /></li>`;
}

/** Tells the others that something is written, every few seconds, and when that ends. */
function useTyping(talk) {
  const last = useRef(0);
  const say = (typing) => {
    last.current = typing ? Date.now() : 0;
    api.post(`${talk.path}/typing`, { typing }).catch(() => {});
  };
  useEffect(() => () => { if (last.current) say(false); }, [talk]);
  return (text) => {
    if (text && Date.now() - last.current > TYPING_MS) say(true);
    else if (!text && last.current) say(false);
  };
}

const tooLong = (text) => new TextEncoder().encode(text).length > MAX_TEXT;

const Lost = ({ one }) => html`
  <${Note} icon="circle-alert">${t("messages.lost", one)} <${Button} text=${t("close")} small
    onClick=${() => { lost.value = lost.value.filter((other) => other !== one); }} /><//>`;

/** `answers`, `edits`: the message that is answered, or changed, `written`: to what so far; `onDone` ends that. */
export function Compose({ talk, name, answers, edits, written, onDone }) {
  const field = useRef();
  const files = useRef();
  const [draft, setDraft] = useState(() => draftOf(talk.id).text);
  const [edited, setEdited] = useState("");
  const [busy, setBusy] = useState(false);
  const types = useTyping(talk);
  const text = edits ? edited : draft;
  useEffect(() => { if (edits) setEdited(written ?? edits.text); }, [edits?.id]);
  useEffect(() => { if (answers || edits) field.current.focus(); }, [answers?.id, edits?.id]);
  // At once: a reload may follow.
  useLayoutEffect(() => keepDraft(talk.id, {
    text: draft, answers: answers?.id ?? null, edits: edits && edited ? { id: edits.id, text: edited } : null,
  }), [draft, answers?.id, edits?.id, edited]);
  useLayoutEffect(() => {
    field.current.style.height = "auto";
    field.current.style.height = `${Math.min(HIGHEST, field.current.scrollHeight + 2)}px`;
  }, [text]);
  const write = (value) => {
    if (edits) setEdited(value);
    else setDraft(value);
    types(value);
  };
  const send = async () => {
    const words = text.trim();
    if (!words || busy || tooLong(words)) return;
    setBusy(true);
    const what = edits ? { edit: { of: edits.id, text: words } } : { text: words, answers: answers?.id ?? null };
    if (await attempt(() => talk.say(what))) {
      if (edits) setEdited("");
      else setDraft("");
      types("");
      onDone();
    }
    setBusy(false);
    field.current?.focus();
  };
  const press = (event) => {
    const touch = matchMedia("(pointer: coarse)").matches;
    if (event.key === "Enter" && !event.shiftKey && !event.isComposing && !touch) {
      event.preventDefault();
      send();
    } else if (event.key === "Escape" && (answers || edits)) {
      event.stopPropagation();
      onDone();
    }
  };
  const paste = (event) => {
    if (event.clipboardData.files.length === 0) return;
    event.preventDefault();
    sendFiles(talk, picked(event.clipboardData.files));
  };
  const choose = () => {
    const chosen = picked(files.current.files);
    files.current.value = "";
    if (chosen.length > 0) sendFiles(talk, chosen);
  };
  const items = [
    { text: t("messages.attach-files"), icon: "upload", act: () => files.current.click() },
    { text: t("messages.attach-path"), icon: "folder-open", act: () => openDialog(PathDialog,
      { chat: talk.id }) },
  ];
  const mine = underway.value.filter(({ chat }) => chat === talk.id);
  return html`
    <form class="compose" onSubmit=${(event) => { event.preventDefault(); send(); }}>
      ${mine.length > 0 && html`<ul class="items">${mine.map((one) => html`<${Underway} key=${one.key}
        one=${one} />`)}</ul>`}
      ${lost.value.filter(({ chat }) => chat === talk.id).map((one) => html`<${Lost} one=${one} />`)}
      ${(answers || edits) && html`
        <div class="about"><${Icon} name=${edits ? "pencil" : "reply"} size=${16} />
          <p><b>${edits ? t("messages.editing") : answers.from}</b> ${(edits ?? answers).text
            || answers?.attachment?.name}</p>
          <${Button} icon="x" label=${t("cancel")} kind="quiet" small onClick=${onDone} /></div>`}
      <div class="write">
        <span class="up"><${Menu} icon="paperclip" label=${t("messages.attach")} items=${items} end=${false} /></span>
        <input ref=${files} type="file" hidden multiple onChange=${choose} />
        <textarea ref=${field} rows="1" aria-label=${t("messages.write-to", { name })}
          placeholder=${t("messages.write-to", { name })}
          value=${text} onInput=${(event) => write(event.target.value)} onKeyDown=${press} onPaste=${paste}></textarea>
        <button type="submit" class="primary round" aria-label=${t("messages.send")} title=${t("messages.send")}
          disabled=${!text.trim() || busy || tooLong(text)}><${Icon} name=${edits ? "check" : "send"} /></button>
      </div>
      ${tooLong(text) && html`<p class="hint" role="alert">${t("messages.too-long")}</p>`}
    </form>`;
}
