// The week: when other limits hold. A picture of it, and below the windows as a list, which is worked by keyboard.

import { classes, html, useEffect, useState } from "../../app/view.js";
import { Dialog, lasting, openDialog } from "../../app/dialog.js";
import { useDraft } from "../../app/draft.js";
import { rate } from "../../app/format.js";
import { node } from "../../app/node.js";
import { Button, Field, Radios } from "../../app/parts.js";
import { locale, t } from "../../app/texts.js";
import { Limit } from "./fields.js";
import { change, putSchedule } from "./state.js";

const DAYS = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
const MINUTES = 24 * 60;

/** The 1st of January 2024 was a Monday. */
const dayName = (index, weekday = "short") =>
  new Intl.DateTimeFormat(locale, { weekday, timeZone: "UTC" }).format(Date.UTC(2024, 0, 1 + index));

/** Reads `mon-fri,sun`, `sat-mon` or `all`: a flag a day. */
export function readDays(text) {
  const flags = DAYS.map(() => text.trim().toLowerCase() === "all");
  for (const part of text.split(",")) {
    const [first, last = first] = part.split("-").map((name) => DAYS.indexOf(name.trim().toLowerCase()));
    if (first < 0 || last < 0) continue;
    for (let span = 0; span <= (last + 7 - first) % 7; span += 1) flags[(first + span) % 7] = true;
  }
  return flags;
}

/** The stretches of days that follow one another, `[first, last]`. */
function runsOf(flags) {
  const runs = [];
  for (let day = 0; day < 7; day += 1) {
    if (!flags[day]) continue;
    const first = day;
    while (flags[day + 1]) day += 1;
    runs.push([first, day]);
  }
  return runs;
}

/** Writes flags as the node takes them. */
export const writeDays = (flags) => (flags.every(Boolean) ? "all"
  : runsOf(flags).map(([first, last]) => (first === last ? DAYS[first] : `${DAYS[first]}-${DAYS[last]}`)).join(","));

/** Days for people: `Mon–Fri, Sun`. */
function daysWords(text) {
  const flags = readDays(text);
  if (flags.every(Boolean)) return t("controls.schedule.every-day");
  return runsOf(flags).map(([first, last]) => (first === last ? dayName(first)
    : `${dayName(first)}${last === first + 1 ? ", " : "–"}${dayName(last)}`)).join(", ");
}

const minute = (text) => text.split(":").reduce((sum, part) => sum * 60 + Number(part), 0);

/** The stretches of a window on the days of the week, `[day, from, to]` in minutes; one over midnight has two. */
function stretches(window) {
  const [from, to] = [minute(window.from), minute(window.to)];
  return readDays(window.days).flatMap((on, day) => {
    if (!on) return [];
    if (from < to) return [[day, from, to]];
    return [[day, from, MINUTES], ...(to > 0 ? [[(day + 1) % 7, 0, to]] : [])];
  });
}

/** What a window does, in words. */
function effect(window) {
  if (window.pause) return t("controls.schedule.rests");
  const limit = (value, name) => value !== null && value !== undefined
    && (value === 0 ? t(`controls.schedule.free-${name}`) : t(`controls.now.${name}`, { rate: rate(value) }));
  return [limit(window.download_bytes_per_s, "down"), limit(window.upload_bytes_per_s, "up"),
    window.connections && t("controls.now.connections", { count: window.connections })].filter(Boolean).join(" · ")
    || t("controls.schedule.as-always");
}

function Picture({ windows }) {
  const [, tick] = useState(0);
  useEffect(() => {
    const timer = setInterval(() => tick((count) => count + 1), 60_000);
    return () => clearInterval(timer);
  }, []);
  const now = new Date();
  const today = (now.getDay() + 6) % 7;
  const at = (now.getHours() * 60 + now.getMinutes()) / MINUTES;
  // Of the windows that cover a moment the first counts: it is drawn last, on top.
  const all = windows.flatMap((window, index) => stretches(window)
    .map(([day, from, to]) => ({ window, index, day, from, to }))).reverse();
  return html`
    <div class="week" aria-hidden="true">
      <div class="hours">${[0, 6, 12, 18, 24].map((hour) => html`<small key=${hour}
        style=${{ left: `${(hour / 24) * 100}%` }}>${hour}</small>`)}</div>
      ${DAYS.map((name, day) => html`
        <div key=${name} class=${classes("weekday", day === today && "today")}><small>${dayName(day)}</small>
          <div class="stretch">
            ${all.filter((one) => one.day === day).map(({ window, index, from, to }) => html`
              <i key=${`${index} ${from}`}
                class=${classes(window.pause ? "rests" : "limits", window.active && "active")}
                title=${`${window.from}–${window.to}: ${effect(window)}`}
                style=${{ left: `${(from / MINUTES) * 100}%`, width: `${((to - from) / MINUTES) * 100}%` }}></i>`)}
            ${day === today && html`<b class="now" style=${{ left: `${at * 100}%` }}></b>`}
          </div></div>`)}
    </div>`;
}

const KINDS = ["limit", "free", "rest"];
const kindOf = (window) => (window.pause ? "rest"
  : window.download_bytes_per_s === 0 && window.upload_bytes_per_s === 0 && !window.connections ? "free" : "limit");

const FRESH = { days: "mon-fri", from: "08:00", to: "18:00", upload_bytes_per_s: null, download_bytes_per_s: null,
  connections: null, pause: false };

const plain = (windows) => windows.map(({ active, ...window }) => window);

const replace = (windows, before, done) => change(() => putSchedule(windows), done, () => putSchedule(before));

/** `index`: which window is changed; undefined: a new one is made. */
function WindowDialog({ index, close }) {
  const windows = node.schedule.value;
  const old = windows[index] ?? FRESH;
  const fresh = !windows[index];
  const [days, setDays] = useDraft("days", () => readDays(old.days));
  const [from, setFrom] = useDraft("from", old.from);
  const [to, setTo] = useDraft("to", old.to);
  const [kind, setKind] = useDraft("kind", kindOf(old));
  const [limited, setLimited] = useState(old);
  const put = (fields) => setLimited((before) => ({ ...before, ...fields }));
  const wrong = ["download_bytes_per_s", "upload_bytes_per_s", "connections"]
    .some((field) => field in limited && limited[field] === undefined);
  const submit = async () => {
    const limits = kind === "limit"
      ? { download_bytes_per_s: limited.download_bytes_per_s ?? null,
        upload_bytes_per_s: limited.upload_bytes_per_s ?? null,
        connections: limited.connections ?? null }
      : { download_bytes_per_s: kind === "free" ? 0 : null, upload_bytes_per_s: kind === "free" ? 0 : null,
        connections: null };
    const window = { days: writeDays(days), from, to: to === "00:00" ? "24:00" : to, pause: kind === "rest",
      ...limits };
    const before = plain(windows);
    const next = fresh ? [...before, window] : before.map((one, at) => (at === index ? window : one));
    // What is wrong with it is said in the dialog.
    await putSchedule(next);
    await replace(next, before, t("controls.schedule.done"));
  };
  const time = (value, set) => (id) => html`<input id=${id} type="time" required
    value=${value === "24:00" ? "00:00" : value} onInput=${(event) => set(event.target.value)} />`;
  const overnight = minute(to) <= minute(from) && to !== "24:00" && to !== "00:00";
  return html`
    <${Dialog} title=${t(fresh ? "controls.schedule.add" : "controls.schedule.edit")} close=${close} submit=${submit}
      action=${t("controls.keep")} disabled=${wrong || !days.some(Boolean) || !from || !to || from === to}>
      <fieldset class="days"><legend>${t("controls.schedule.days")}</legend>
        ${DAYS.map((day, index) => html`
          <label key=${day}><input type="checkbox" checked=${days[index]}
            onChange=${(event) => setDays(days.map((on, at) => (at === index ? event.target.checked : on)))} />
            <span aria-hidden="true">${dayName(index)}</span><span class="unseen">${dayName(index,
              "long")}</span></label>`)}
      </fieldset>
      <div class="times"><${Field} label=${t("controls.schedule.from")}>${time(from, setFrom)}<//>
        <${Field} label=${t("controls.schedule.to")}
          hint=${overnight ? t("controls.schedule.next-day") : undefined}>${time(to, setTo)}<//></div>
      <${Radios} label=${t("controls.schedule.then")} value=${kind} onChange=${setKind}
        options=${KINDS.map((value) => ({ value, title: t(`controls.schedule.kind.${value}`) }))} />
      ${kind === "limit" && html`
        <div class="fields">
          ${[["download_bytes_per_s", "rate"], ["upload_bytes_per_s", "rate"], ["connections", "count"]].map(([field,
            of]) => html`
            <${Limit} key=${field} live label=${t(`controls.limits.of.${field}`)} kind=${of} value=${old[field]}
              none=${t("controls.schedule.as-always")} onChange=${(value) => put({ [field]: value })} />`)}
        </div>`}
    <//>`;
}

lasting({ "controls.window": WindowDialog });

export function Week() {
  const windows = node.schedule.value;
  const before = plain(windows);
  const edit = (index) => openDialog(WindowDialog, { index });
  const remove = (index) => replace(before.filter((_, at) => at !== index), before, t("controls.schedule.removed"));
  const raise = (index) => {
    const next = [...before];
    [next[index - 1], next[index]] = [next[index], next[index - 1]];
    return replace(next, before, t("controls.schedule.done"));
  };
  return html`
    <${Picture} windows=${windows} />
    <ul class="entries">
      ${windows.map((window, index) => {
        const name = `${daysWords(window.days)}, ${window.from}–${window.to}`;
        return html`
          <li key=${index} class=${classes(window.active && "active")}>
            <i class=${classes("mark", window.pause ? "rests" : "limits")}></i>
            <span class="grow"><b>${name}</b> <small>
              ${effect(window)}${window.active ? ` · ${t("controls.schedule.active")}` : ""}</small></span>
            ${index > 0 && html`<${Button} small kind="quiet" icon="arrow-up" label=${t("controls.schedule.raise",
              { name })} onClick=${() => raise(index)} />`}
            <${Button} small kind="quiet" icon="pencil" label=${t("controls.schedule.change", { name })}
              onClick=${() => edit(index)} />
            <${Button} small kind="quiet" icon="trash" label=${t("controls.schedule.remove", { name })}
              onClick=${() => remove(index)} />
          </li>`;
      })}
      ${windows.length === 0 && html`<li class="soft">${t("controls.schedule.none")}</li>`}
    </ul>
    <p><${Button} icon="plus" text=${t("controls.schedule.add")} onClick=${() => edit()} />
      ${windows.length > 1 && html` <small>${t("controls.schedule.first")}</small>`}</p>`;
}
