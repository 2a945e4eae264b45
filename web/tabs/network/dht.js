// The health of the DHT: how many nodes answer, where they lie in the table, what goes over the wire.

import { classes, computed, html, useEffect, useMemo, useState } from "../../app/view.js";
import { sentence } from "../../app/api.js";
import { useDraftSignal } from "../../app/draft.js";
import { bytes, duration, milliseconds, number } from "../../app/format.js";
import { Grid, inOrder } from "../../app/grid.js";
import { kept } from "../../app/kept.js";
import { Empty } from "../../app/parts.js";
import { t } from "../../app/texts.js";
import { dht, dhtNodes, healthOf } from "./data.js";

/** How often it is drawn anew how long nodes were silent, in milliseconds. Arbitrary: it may be thousands of nodes. */
const SILENCE_MS = 10_000;

/** How many nodes a bucket has at most (BEP 5). */
const BUCKET = 8;

/** The table as a picture: a bar a bucket, the far ones on the left; what answered lately,
  and what has to show that it is there. */
function Buckets({ buckets, label }) {
  const tall = Math.max(BUCKET, ...buckets.map(({ good, questionable }) => good + questionable));
  return html`
    <div class="buckets" role="img" aria-label=${label}>
      <div class="bars">${buckets.map(({ bits, good, questionable }) => html`
        <span key=${bits} title=${t("network.dht.bucket", { bits, good, questionable })}>
          <i class="soft-bar" style=${{ height: `${(questionable / tall) * 100}%` }}></i>
          <i style=${{ height: `${(good / tall) * 100}%` }}></i></span>`)}</div>
      <div class="ends"><small>${t("network.dht.far")}</small><small>${t("network.dht.near")}</small></div>
    </div>`;
}

const fact = (name, value) => value !== null && value !== undefined && value !== "" && html`
  <div key=${name}><dt>${t(`network.dht.${name}`)}</dt><dd>${value}</dd></div>`;

function Family({ name, family }) {
  const { traffic } = family;
  return html`
    <section class="panel">
      <h2>${name}</h2>
      ${family.message && html`<p class="soft">${sentence(family.message)}</p>`}
      ${family.good + family.questionable > 0 && html`<${Buckets} buckets=${family.buckets}
        label=${t("network.dht.table", { good: family.good, questionable: family.questionable,
          count: family.buckets.length })} />`}
      <dl class="facts">
        ${fact("answer", number(family.good))}
        ${fact("questionable", number(family.questionable))}
        ${fact("waiting", number(family.replacements))}
        ${fact("size", family.network_size ? t("network.dht.about", { count: family.network_size }) : null)}
        ${fact("address", family.external)}
        ${fact("id", t(family.secure ? "network.dht.secure" : "network.dht.insecure"))}
        ${fact("serves", family.read_only ? t("network.dht.read-only")
          : t("network.dht.stored", { swarms: family.stored_swarms, items: family.stored_items }))}
        ${fact("received", t("network.dht.queries", { bytes: bytes(traffic.bytes_in), queries: traffic.queries_in }))}
        ${fact("sent", t("network.dht.queries", { bytes: bytes(traffic.bytes_out), queries: traffic.queries_out }))}
      </dl>
    </section>`;
}

const ORDERS = { address: ({ address }) => address, bits: ({ bits }) => bits, rtt: ({ rtt_ms: rtt }) => rtt ?? Infinity,
  heard: ({ heard_at: at }) => (at === null ? Infinity : -at) };
const sort = kept("network.dht", { by: "bits", down: true }, (value) => Object.hasOwn(ORDERS, value?.by));

const stateOf = (one) => (one.replacement ? "replacement" : one.good ? "good" : "questionable");
const column = (id, width, from, cell, more) => ({ id, title: t(`network.dht.column.${id}`), sort: id in ORDERS,
  down: id === "bits",
  width, from, cell, ...more });

/** The columns, of which one tells how long it is since a node was heard of. */
const columnsAt = (now) => [
  column("address", "minmax(170px, 1fr)", 0, (one) => html`<span class="title plain"
    title=${one.id}>${one.address}</span>`),
  column("state", "minmax(110px, 150px)", 480, (one) => html`
    <i class=${classes("dot", stateOf(one))}></i> ${t(`network.dht.state.${stateOf(one)}`)}`),
  column("bits", "116px", 0, (one) => html`<span class="num">${one.bits}</span>`, { end: true }),
  column("rtt", "104px", 0, (one) => html`
    <span class="num">${one.rtt_ms === null ? "" : milliseconds(one.rtt_ms)}</span>`,
    { end: true }),
  column("heard", "100px", 560, (one) => html`<span
    class="num">${one.heard_at === null ? "" : duration(Math.max(0, now - one.heard_at) / 1000)}</span>`,
    { end: true }),
];

function Nodes() {
  const current = useDraftSignal("node of the DHT", null);
  const [now, setNow] = useState(Date.now);
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), SILENCE_MS);
    return () => clearInterval(timer);
  }, []);
  const columns = useMemo(() => columnsAt(now), [now]);
  const keys = useMemo(() => computed(() => {
    const { by, down } = sort.value;
    return dhtNodes.list("bits", "rtt_ms", "heard_at").sort(inOrder(ORDERS[by], down, ({ key }) => key))
      .map(({ key }) => key);
  }), []);
  if (keys.value.length === 0) return null;
  return html`
    <h2>${t("network.dht.nodes", { count: keys.value.length })}</h2>
    <div class="panel grid-panel"><${Grid} label=${t("network.dht.nodes", { count: keys.value.length })}
      keys=${keys.value}
      row=${(key) => dhtNodes.row(key)} columns=${columns} height=${38} sort=${sort} current=${current} /></div>`;
}

export function Dht() {
  const info = dht.value;
  if (info === null) return html`<${Empty} icon="hash" title=${t("network.dht.off.title")}
    text=${t("network.dht.off.text")} />`;
  const health = healthOf(info);
  return html`
    <div class="page parts" tabindex="0">
      <p class=${classes("health", health)} role="status"><i class=${classes("dot", health)}></i>
        <b>${t(`network.health.${health}`)}.</b> ${t(`network.health-text.${health}`)}</p>
      ${info && html`
        <div class="side-by-side">
          ${info.v4 && html`<${Family} name="IPv4" family=${info.v4} />`}
          ${info.v6 && html`<${Family} name="IPv6" family=${info.v6} />`}
        </div>
        <${Nodes} />`}
    </div>`;
}
