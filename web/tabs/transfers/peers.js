// The peers of a torrent: who they are, how they were found and reached, and what goes to and fro.

import { computed, html, useMemo } from "../../app/view.js";
import { useDraftSignal } from "../../app/draft.js";
import { bytes, percent, rate } from "../../app/format.js";
import { Grid, inOrder } from "../../app/grid.js";
import { kept } from "../../app/kept.js";
import { Bar, Empty, Menu } from "../../app/parts.js";
import { lookUp, t } from "../../app/texts.js";
import { entryOf, hostOf } from "../../app/usage.js";
import { block } from "../controls/block.js";

/** The field by which each column sorts. */
const ORDERS = {
  address: "address", progress: "progress", download: "download_bytes_per_s", upload: "upload_bytes_per_s",
  downloaded: "downloaded_bytes", uploaded: "uploaded_bytes",
};

const sort = kept("transfers.peers", { by: "download", down: true }, (value) => Object.hasOwn(ORDERS, value?.by));

const sourceOf = ({ source }) => lookUp(`transfers.source.${source}`) ?? source;

/** What is going on with a peer, in words. */
function doing(peer) {
  const words = [];
  if (peer.interesting) words.push(t(peer.choking_us ? "peers.waits" : "peers.serves-us"));
  if (peer.interested) words.push(t(peer.choked ? "peers.we-wait" : "peers.served"));
  if (peer.snubbed) words.push(t("peers.snubbed"));
  return words.join(" · ") || t("peers.idle");
}

/** What is to be known of a peer, in a line. */
const about = (peer) =>
  [t("peers.has", { part: percent(peer.progress) }), peer.client, doing(peer)].filter(Boolean).join(" · ");

const Flags = ({ peer }) => html`
  <span class="flags">
    <span class=${`flag ${peer.carrier}`} title=${t("peers.carrier")}>${t(`carrier.${peer.carrier}`)}</span>
    <span class="flag" title=${t("peers.source")}>${sourceOf(peer)}</span>
    ${peer.encryption !== "none" && html`<span class="flag" title=${t(`peers.encryption.${peer.encryption}`)}>
      ${t("peers.encrypted")}</span>`}
  </span>`;

const Actions = ({ peer }) => html`
  <${Menu} label=${t("peers.more", { address: peer.address })} small
    items=${[{ text: t("peers.block"), icon: "ban", danger: true,
      act: () => block({ entry: entryOf(peer), name: hostOf(peer.address) }) }]} />`;

const column = (id, width, from, cell, more) => ({
  id, title: t(`peers.column.${id}`), sort: id in ORDERS, down: id !== "address", width, from, cell, ...more,
});

const COLUMNS = [
  column("address", "minmax(150px, 1.2fr)", 0, (peer) => html`
    <span class="title" title=${peer.node ?? peer.address}>${peer.address}</span>
    <span class="sub" title=${about(peer)}>${about(peer)}</span>`),
  column("flags", "minmax(110px, 1fr)", 520, (peer) => html`<${Flags} peer=${peer} />`),
  column("progress", "96px", 700, (peer) => html`
    <span class="part"><${Bar} part=${peer.progress} kind=${peer.progress >= 1 ? "up" : "down"}
      label=${t("transfers.column.progress")} /><span class="num">${percent(peer.progress)}</span></span>`),
  column("download", "86px", 0, (peer) => html`<span class="num down">${rate(peer.download_bytes_per_s)}</span>`,
    { end: true }),
  column("upload", "86px", 0, (peer) => html`<span class="num up">${rate(peer.upload_bytes_per_s)}</span>`,
    { end: true }),
  column("downloaded", "84px", 800, (peer) => html`<span class="num">${bytes(peer.downloaded_bytes)}</span>`,
    { end: true }),
  column("uploaded", "84px", 880, (peer) => html`<span class="num">${bytes(peer.uploaded_bytes)}</span>`,
    { end: true }),
  { id: "more", title: "", width: "46px", cell: (peer) => html`<${Actions} peer=${peer} />` },
];

const Card = (peer) => html`
  <span class="title">${peer.address}</span>
  <span class="sub">${[peer.client, rate(peer.download_bytes_per_s) && `↓ ${rate(peer.download_bytes_per_s)}`,
    rate(peer.upload_bytes_per_s) && `↑ ${rate(peer.upload_bytes_per_s)}`,
    percent(peer.progress)].filter(Boolean).join(" · ")}</span>
  <span class="last"><${Flags} peer=${peer} /><${Actions} peer=${peer} /></span>`;

export function Peers({ followed }) {
  const current = useDraftSignal(`peer of ${followed.id}`, null);
  const keys = useMemo(() => computed(() => {
    const { by, down } = sort.value;
    const of = (peer) => peer[ORDERS[by]];
    return followed.peers.list(ORDERS[by]).sort(inOrder(of, down, ({ number }) => number)).map(({ number }) => number);
  }), [followed]);
  if (keys.value.length === 0) {
    return html`<${Empty} icon="users" title=${t("peers.none.title")} text=${t("peers.none.text")} />`;
  }
  return html`
    <${Grid} label=${t("transfers.section.peers")} keys=${keys.value} row=${(key) => followed.peers.row(key)}
      columns=${COLUMNS}
      card=${Card} cardsBelow=${460} cardHeight=${94} height=${52} sort=${sort} current=${current} />`;
}
