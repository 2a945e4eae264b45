// Who uses what now, and what was used on the days before.

import { html, useEffect, useState } from "../../app/view.js";
import { api, sentence } from "../../app/api.js";
import { bytes, perSecond, rate } from "../../app/format.js";
import { kept } from "../../app/kept.js";
import { node, rates, sumRates } from "../../app/node.js";
import { Button, Choice, Fold, Menu, Words } from "../../app/parts.js";
import { to } from "../../app/router.js";
import { locale, t } from "../../app/texts.js";
import { entryOf, usage } from "../../app/usage.js";
import { nameOf, serviceName } from "../network/drawing.js";
import { neighbours } from "../network/data.js";
import { block, changeGate } from "./block.js";
import { change } from "./state.js";

/** How many users are listed here; Network has all. Arbitrary: a glance. */
const MOST = 8;

/** Stops everything, and lets it go on. */
export function Pause() {
  const { paused } = node.gate.value;
  const turn = () => change(() => changeGate({ paused: !paused }), t(paused ? "controls.goes-on" : "controls.paused"),
    () => changeGate({ paused }));
  return html`<${Button} icon=${paused ? "play" : "pause"} text=${t(paused ? "controls.go-on" : "controls.pause")}
    kind=${paused ? "primary" : "plain"} onClick=${turn} />`;
}

function standing() {
  const { paused, resting } = node.gate.value;
  const { window, now } = node.budget.value;
  if (paused) return t("controls.now.paused");
  if (resting) return t("controls.now.resting");
  const words = [];
  if (window) words.push(t("controls.now.window", { window }));
  if (now.download_bytes_per_s) words.push(t("controls.now.down", { rate: rate(now.download_bytes_per_s) }));
  if (now.upload_bytes_per_s) words.push(t("controls.now.up", { rate: rate(now.upload_bytes_per_s) }));
  return sentence(words.join(" · ") || t("controls.now.free"));
}

/** Sums flows by service, or by person. */
function grouped(by) {
  const all = new Map();
  for (const one of neighbours.value) {
    const keys = by === "service" ? [...one.services] : [one.person ?? ""];
    for (const key of keys) {
      const sum = all.get(key) ?? { key,
        name: by === "service" ? serviceName(key) : one.name ?? t("controls.now.strangers"), down: 0,
        up: 0, count: 0, person: one.person };
      if (by === "person") Object.assign(sum, { down: sum.down + one.down, up: sum.up + one.up, count: sum.count + 1 });
      all.set(key, sum);
    }
  }
  if (by === "service") {
    for (const flow of usage.value?.connections ?? []) {
      const sum = all.get(flow.service);
      if (!sum) continue;
      sum.down += flow.download_bytes_per_s;
      sum.up += flow.upload_bytes_per_s;
      sum.count += 1;
    }
  }
  return [...all.values()].sort((a, b) => b.down + b.up - (a.down + a.up) || (a.name < b.name ? -1 : 1));
}

const by = kept("controls.now", "connection", (value) => ["connection", "person", "service"].includes(value));

const rows = () => (by.value === "connection"
  ? neighbours.value.map((one) => ({ key: one.key, name: nameOf(one),
    what: [...one.services].map(serviceName).join(", "),
    down: one.down,
    up: one.up, entry: one.node || one.address ? entryOf(one) : null }))
  : grouped(by.value).map((one) => ({ ...one, what: t("controls.now.connections", { count: one.count }),
    entry: by.value === "person" && one.person ? `person:${one.person}` : null })));

export function Now() {
  const all = rows();
  const now = rates.value ?? sumRates();
  return html`
    <div class="numbers">
      <p><small>${t("controls.now.receiving")}</small><b class="num down">${perSecond(now.download_bytes_per_s)}</b></p>
      <p><small>${t("controls.now.sending")}</small><b class="num up">${perSecond(now.upload_bytes_per_s)}</b></p>
      <p><small>${t("controls.now.standing")}</small><b
        class="num">${now.connections ?? node.gate.value.connections}</b></p>
      <p><small>${t("controls.now.disk")}</small><b
        class="num">${bytes(now.disk_used_bytes ?? node.budget.value.disk_used_bytes)}</b></p>
      <p class="wide"><small>${t("controls.now.holds")}</small><b>${standing()}</b></p>
    </div>
    <${Choice} label=${t("controls.now.by")} value=${by.value} onChange=${(value) => { by.value = value; }}
      options=${["connection", "person", "service"].map((value) => ({ value, text: t(`controls.now.by-${value}`) }))} />
    ${all.length === 0 ? html`<p class="soft">${t("network.nobody")}</p>` : html`
      <table>
        <thead><tr><th scope="col">${t("network.column.name")}</th><th scope="col"
          class="end">${t("network.column.download")}</th>
          <th scope="col" class="end">${t("network.column.upload")}</th><th><span
            class="unseen">${t("more")}</span></th></tr></thead>
        <tbody>${all.slice(0, MOST).map((row) => html`
          <tr key=${row.key}>
            <td><span class="who">${row.name}</span><small>${row.what}</small></td>
            <td class="num end down">${rate(row.down)}</td><td class="num end up">${rate(row.up)}</td>
            <td class="end">${row.entry && html`<${Menu} small label=${t("network.more", { name: row.name })} items=${[
              { text: t("controls.block.do"), icon: "ban", danger: true,
                act: () => block({ entry: row.entry, name: row.name }) }]} />`}</td>
          </tr>`)}</tbody>
      </table>
      ${all.length > MOST && html`<p><a href=${to("network", "connections")}>${t("controls.now.all",
        { count: all.length })}</a></p>`}`}`;
}

/** How many days are shown. Arbitrary: a month. */
const DAYS = 30;

const dayName = (day, style) => new Intl.DateTimeFormat(locale, style).format(new Date(`${day}T12:00:00`));

/** The days up to now, the oldest first, with those on which nothing was. */
function calendar(totals) {
  const days = new Map();
  for (let back = DAYS - 1; back >= 0; back -= 1) {
    const date = new Date();
    date.setDate(date.getDate() - back);
    const day = [date.getFullYear(), date.getMonth() + 1, date.getDate()]
      .map((part) => String(part).padStart(2, "0")).join("-");
    days.set(day, { day, down: 0, up: 0, parts: [] });
  }
  for (const total of totals) {
    const one = days.get(total.day);
    if (!one) continue;
    one.down += total.downloaded_bytes;
    one.up += total.uploaded_bytes;
    one.parts.push(total);
  }
  return [...days.values()];
}

export function Days() {
  const [totals, setTotals] = useState(null);
  const [problem, setProblem] = useState(null);
  useEffect(() => { api.get(`/usage/days?days=${DAYS}`).then(setTotals, setProblem); }, []);
  if (problem) return html`<${Words} problem=${problem} />`;
  if (!totals) return null;
  const days = calendar(totals);
  const most = Math.max(1, ...days.map(({ down, up }) => Math.max(down, up)));
  const used = days.filter(({ down, up }) => down + up > 0).reverse();
  return html`
    <div class="bars" aria-hidden="true">${days.map(({ day, down, up }) => html`
      <span key=${day} title=${`${dayName(day, { dateStyle: "medium" })}: ↓ ${bytes(down)}, ↑ ${bytes(up)}`}>
        <i class="down" style=${{ height: `${(down / most) * 100}%` }}></i><i class="up"
          style=${{ height: `${(up / most) * 100}%` }}></i>
      </span>`)}</div>
    <p class="ends" aria-hidden="true"><small>${dayName(days[0].day, { day: "numeric", month: "short" })}</small>
      <small class="legend"><i class="down"></i>${t("controls.now.receiving")} <i
        class="up"></i>${t("controls.now.sending")}</small>
      <small>${t("controls.days.today")}</small></p>
    ${used.length === 0 ? html`<p class="soft">${t("controls.days.none")}</p>` : html`
      <${Fold} summary=${t("controls.days.table")}>
        <table>
          <thead><tr><th scope="col">${t("controls.days.day")}</th><th scope="col"
            class="end">${t("network.column.downloaded")}</th>
            <th scope="col" class="end">${t("network.column.uploaded")}</th></tr></thead>
          <tbody>${used.map(({ day, down, up, parts }) => html`
            <tr key=${day}><th scope="row">${dayName(day, { weekday: "short", day: "numeric", month: "short" })}
              <small>${[...new Set(parts.map((part) => part.name ?? serviceName(part.service)))].join(", ")}</small>
                </th>
              <td class="num end">${bytes(down)}</td><td class="num end">${bytes(up)}</td></tr>`)}</tbody>
        </table>
      <//>`}`;
}
