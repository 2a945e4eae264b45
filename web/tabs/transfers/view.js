// The list of torrents, and what stands around it.

import { classes, html, useEffect, useRef } from "../../app/view.js";
import { bytes, duration, percent, rate, ratio } from "../../app/format.js";
import { Grid, Pick } from "../../app/grid.js";
import { connection, torrents } from "../../app/node.js";
import { Bar, Button, Choice, Empty, Head, Menu, Search } from "../../app/parts.js";
import { go, route, to } from "../../app/router.js";
import { t } from "../../app/texts.js";
import { copyLinks, pause, recheck, remove, resume, sortThem } from "./actions.js";
import { addTorrents } from "./add.js";
import { Detail } from "./detail.js";
import { changeGoal } from "./goal.js";
import { chosen, counts, current, filter, FILTERS, ids, ORDERS, search, sort } from "./list.js";
import { sorted, SortedBy, Tags } from "./sorting.js";
import { amount, iconOf, kindOf, line, words } from "./state.js";

const Progress = ({ torrent }) => html`
  <${Bar} part=${torrent.progress} kind=${kindOf(torrent)} label=${t("transfers.column.progress")} />`;

const column = (id, width, from, cell, more) => ({
  id, title: t(`transfers.column.${id}`), sort: true, down: ORDERS[id]?.down, width, from, cell, ...more,
});

const COLUMNS = [
  { id: "pick", width: "48px",
    cell: (torrent, on) => html`<${Pick} icon=${iconOf(torrent)} kind=${kindOf(torrent)} name=${torrent.name}
      chosen=${on} />` },
  column("name", "minmax(180px, 1fr)", 0, (torrent) => html`
    <span class="title" title=${torrent.name}>${torrent.name}</span>
    <span class="sub with-tags"><span>${[words(torrent), amount(torrent)].filter(Boolean).join(" · ")}</span>
      <${Tags} torrent=${torrent} /></span>`),
  column("progress", "minmax(110px, 160px)", 620, (torrent) => html`
    <span class="part"><${Progress} torrent=${torrent} /><span class="num">${percent(torrent.progress)}</span></span>`),
  column("download", "88px", 620, (torrent) => html`
    <span class="num down">${rate(torrent.download_bytes_per_s)}</span>`, { end: true }),
  column("upload", "88px", 620, (torrent) => html`<span class="num up">${rate(torrent.upload_bytes_per_s)}</span>`,
    { end: true }),
  column("left", "96px", 760, (torrent) => html`
    <span class="num">${torrent.state === "downloading" ? duration(torrent.left_s) : ""}</span>`, { end: true }),
  column("peers", "72px", 860, ({ peers, seeds }) => html`
    <span class="num" title=${t("transfers.peers", { peers, seeds })}>${peers || ""}</span>`, { end: true }),
  column("ratio", "72px", 940, (torrent) => html`<span class="num">${ratio(torrent.ratio)}</span>`, { end: true }),
  column("size", "84px", 1040, (torrent) => html`
    <span class="num">${torrent.total_bytes ? bytes(torrent.total_bytes) : ""}</span>`, { end: true }),
];

const Card = (torrent, on) => html`
  <${Pick} icon=${iconOf(torrent)} kind=${kindOf(torrent)} name=${torrent.name} chosen=${on} />
  <span class="title">${torrent.name}</span>
  <${Progress} torrent=${torrent} />
  <span class="sub with-tags"><span>${line(torrent)}</span><${Tags} torrent=${torrent} /></span>`;

const Chosen = () => {
  const all = [...chosen.value];
  const none = () => { chosen.value = new Set(); };
  return html`
    <div class="tools chosen" role="toolbar" aria-label=${t("transfers.chosen", { count: all.length })}>
      <${Button} icon="x" label=${t("transfers.none")} kind="quiet" onClick=${none} />
      <b>${t("transfers.chosen", { count: all.length })}</b>
      <span class="grow"></span>
      <${Button} icon="play" text=${t("transfers.resume")} onClick=${() => resume(all)} />
      <${Button} icon="pause" text=${t("transfers.pause")} onClick=${() => pause(all)} />
      <${Menu} label=${t("more")} items=${[
        { text: t("sorting.title"), icon: "tag", act: () => sortThem(all) },
        { text: t("goal.title"), icon: "hourglass", act: () => changeGoal(all) },
        { text: t("transfers.copy-link"), icon: "link", act: () => copyLinks(all) },
        { text: t("transfers.recheck"), icon: "list-checks", act: () => recheck(all) },
        null,
        { text: t("transfers.remove"), icon: "trash", danger: true, act: () => remove(all) },
      ]} />
    </div>`;
};

const Sort = () => {
  const { by, down } = sort.value;
  const items = Object.keys(ORDERS).map((name) => ({
    text: t(`transfers.column.${name}`), on: name === by,
    act: () => { sort.value = { by: name, down: Boolean(ORDERS[name].down) }; },
  }));
  items.push(null, { text: t("transfers.order.up"), on: !down, act: () => { sort.value = { by, down: false }; } },
    { text: t("transfers.order.down"), on: down, act: () => { sort.value = { by, down: true }; } });
  return html`<${Menu} icon="arrow-up-down" label=${t("transfers.sort")} items=${items} />`;
};

const Filters = () => {
  const options = Object.keys(FILTERS)
    .filter((value) => value === "all" || value === filter.value || counts.value[value] > 0)
    .map((value) => ({ value, text: t(`transfers.filter.${value}`), count: counts.value[value] }));
  return html`
    <div class="tools">
      <${Choice} label=${t("transfers.filters")} options=${options} value=${filter.value}
        onChange=${(value) => { filter.value = value; }} />
      <span class="grow"></span>
      <${SortedBy} /><${Sort} />
    </div>`;
};

const showAll = () => {
  search.value = "";
  filter.value = "all";
  sorted.value = { kind: "", name: "" };
};

const press = (event, keys) => {
  if (event.key === "Delete") remove(keys);
};

const open = (id) => {
  // Where one was among the parts of the last torrent, one is of the next.
  const [, section] = route.peek().rest;
  go(to("transfers", id, section));
};

const List = () => html`
  <${Grid} label=${t("transfers.list")} keys=${ids.value} row=${(id) => torrents.row(id)} columns=${COLUMNS}
    card=${Card}
    height=${56} cardHeight=${76} sort=${sort} chosen=${chosen} current=${current} onOpen=${open} onKey=${press} />`;

function Everything() {
  const nothing = torrents.size === 0;
  return html`
    <${Head} title=${t("tabs.transfers")}>
      ${!nothing && html`
        <${Search} label=${t("transfers.search")} value=${search.value}
          onChange=${(words) => { search.value = words; }} />`}
      <${Button} icon="plus" text=${t("add")} kind="primary" onClick=${() => addTorrents()} />
    <//>
    ${nothing && connection.value !== "connecting" ? html`
      <${Empty} icon="arrow-down-up" title=${t("transfers.empty.title")} text=${t("transfers.empty.text")}>
        <${Button} icon="plus" text=${t("transfers.add.title")} kind="primary" onClick=${() => addTorrents()} /><//>`
    : !nothing && html`
      ${chosen.value.size > 0 ? html`<${Chosen} />` : html`<${Filters} />`}
      ${ids.value.length === 0 ? html`
        <${Empty} icon="search" title=${t("transfers.nothing.title")} text=${t("transfers.nothing.text")}>
          <${Button} text=${t("transfers.nothing.clear")} onClick=${showAll} /><//>`
      : html`<${List} />`}`}`;
}

/** The list, and beside it the torrent that is looked at; where there is no room for both, the torrent. */
export function Transfers({ place }) {
  const [id, section] = place;
  const before = useRef(null);
  useEffect(() => {
    // Where none is looked at from the start, it stays where it was.
    if (id || before.current) current.value = id ?? null;
    before.current = id;
  }, [id]);
  return html`
    <div class=${classes("split", id && "both")}>
      <div class="list"><${Everything} /></div>
      ${id && html`<${Detail} key=${id} id=${id} section=${section} />`}
    </div>`;
}
