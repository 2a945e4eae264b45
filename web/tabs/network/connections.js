// Everybody at the other end of a connection, as a table.

import { computed, effect, html, useEffect, useMemo } from "../../app/view.js";
import { Collection } from "../../app/collection.js";
import { useDraftSignal } from "../../app/draft.js";
import { bytes, duration, milliseconds, rate } from "../../app/format.js";
import { Grid, inOrder } from "../../app/grid.js";
import { kept } from "../../app/kept.js";
import { Empty, Menu } from "../../app/parts.js";
import { t } from "../../app/texts.js";
import { entryOf } from "../../app/usage.js";
import { block } from "../controls/block.js";
import { neighbours, relayName } from "./data.js";
import { carrierName, nameOf, serviceName } from "./drawing.js";

const ORDERS = {
  name: (one) => nameOf(one).toLowerCase(), download: (one) => one.down, upload: (one) => one.up,
  downloaded: (one) => one.downloaded, uploaded: (one) => one.uploaded, age: (one) => one.age,
};

const sort = kept("network.connections", { by: "download", down: true }, (value) => Object.hasOwn(ORDERS, value?.by));

const way = (one) => (one.relay
  ? t("network.by-relay", { relay: relayName(one.relay) })
  : one.way ?? one.address ?? "");

const column = (id, width, from, cell, more) => ({ id, title: t(`network.column.${id}`), sort: id in ORDERS,
  down: id !== "name",
  width, from, cell, ...more });

const Actions = ({ one }) => html`
  <${Menu} small label=${t("network.more", { name: nameOf(one) })} items=${[
    { text: t("network.block"), icon: "ban", danger: true, off: !one.node && !one.address,
      act: () => block({ entry: entryOf(one), name: nameOf(one) }) },
    ...(one.person ? [{ text: t("network.block-person"), icon: "ban", danger: true,
      act: () => block({ entry: `person:${one.person}`, name: one.name ?? one.person }) }] : []),
  ]} />`;

const COLUMNS = [
  column("name", "minmax(150px, 1.4fr)", 0, (one) => html`
    <span class="title" title=${one.node ?? one.address}>${nameOf(one)}</span>
    <span class="sub">${[...one.services].map(serviceName).join(", ")}</span>`),
  column("way", "minmax(140px, 1fr)", 620, (one) => html`
    <span class="title plain">${one.relay ? t("network.relayed") : [...one.carriers].map(carrierName).join(", ")}</span>
    <span class="sub" title=${way(one)}>${way(one)}${one.rtt ? ` · ${milliseconds(one.rtt)}` : ""}</span>`),
  column("download", "92px", 0, (one) => html`<span class="num down">${rate(one.down)}</span>`, { end: true }),
  column("upload", "92px", 0, (one) => html`<span class="num up">${rate(one.up)}</span>`, { end: true }),
  column("downloaded", "86px", 760, (one) => html`<span class="num">${bytes(one.downloaded)}</span>`, { end: true }),
  column("uploaded", "86px", 840, (one) => html`<span class="num">${bytes(one.uploaded)}</span>`, { end: true }),
  column("age", "92px", 920, (one) => html`<span class="num">${duration(one.age)}</span>`, { end: true }),
  { id: "more", title: "", width: "50px", cell: (one) => html`<${Actions} one=${one} />` },
];

const Card = (one) => html`
  <span class="title">${nameOf(one)}</span>
  <span class="sub">${[[...one.services].map(serviceName).join(", "),
    one.relay ? t("network.relayed") : [...one.carriers].map(carrierName).join(", ")]
    .join(" · ")}</span>
  <span class="last num"><span class="down">${rate(one.down) && `↓ ${rate(one.down)}`}</span><span class="up">
    ${rate(one.up) && `↑ ${rate(one.up)}`}</span><span class="grow"></span><${Actions} one=${one} /></span>`;

export function Connections() {
  const rows = useMemo(() => new Collection("key"), []);
  const current = useDraftSignal("connection", null);
  useEffect(() => effect(() => rows.reset(neighbours.value)), []);
  const keys = useMemo(() => computed(() => {
    const { by, down } = sort.value;
    return [...neighbours.value].sort(inOrder(ORDERS[by], down, ({ key }) => key)).map(({ key }) => key);
  }), []);
  if (keys.value.length === 0) return html`<${Empty} icon="network" title=${t("network.none.title")}
    text=${t("network.none.text")} />`;
  return html`
    <${Grid} label=${t("network.section.connections")} keys=${keys.value} row=${(key) => rows.row(key)}
      columns=${COLUMNS}
      card=${Card}
      cardsBelow=${520} cardHeight=${94} sort=${sort} current=${current} />`;
}
