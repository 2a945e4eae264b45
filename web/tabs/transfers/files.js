// The files of a torrent: how far each is, how much it is wanted, and to play it.

import { html, useLayoutEffect } from "../../app/view.js";
import { api } from "../../app/api.js";
import { useDraft, useDraftSignal } from "../../app/draft.js";
import { bytes, percent } from "../../app/format.js";
import { Grid } from "../../app/grid.js";
import { Icon } from "../../app/icons.js";
import { Bar, Button, Empty } from "../../app/parts.js";
import { t } from "../../app/texts.js";
import { tellProblem } from "../../app/toast.js";
import { canPlay, play } from "./play.js";

const PRIORITIES = ["high", "normal", "low", "skip"];

const KINDS = [
  ["film", /\.(mp4|mkv|webm|avi|mov|m4v|mpe?g|ogv|wmv|ts)$/i],
  ["file-music", /\.(mp3|flac|ogg|oga|opus|m4a|aac|wav|mka)$/i],
  ["file-image", /\.(jpe?g|png|gif|webp|svg|tiff?|bmp)$/i],
  ["file-archive", /\.(zip|tar|gz|xz|zst|7z|rar|bz2)$/i],
  ["file-text", /\.(txt|pdf|md|epub|srt|vtt|nfo|docx?|odt)$/i],
];

export const iconOfFile = (name) => KINDS.find(([, pattern]) => pattern.test(name))?.[0] ?? "file";

const priorityOf = ({ priorities }) => {
  const all = Object.keys(priorities);
  return all.length === 1 ? all[0] : "mixed";
};

/** A row's name, set in by how deep it lies, and what more is said of it; a folder opens and closes. */
export const TreeName = ({ row, tree, sub, children }) => html`
  <span class="tree-name" style=${{ paddingLeft: `${row.depth * 18}px` }}>
    ${row.folder
      ? html`<button type="button" class="quiet round tiny" tabindex="-1" aria-expanded=${tree.open.value.has(row.key)}
          aria-label=${t("files.open", { name: row.name })} onClick=${() => tree.toggle(row.key)}>
          <${Icon} name=${tree.open.value.has(row.key) ? "chevron-down" : "chevron-right"} size=${16} /></button>`
      : html`<span class="tiny"></span>`}
    ${children}
    <${Icon} name=${row.folder ? "folder" : iconOfFile(row.name)} size=${17} class="soft" />
    <span class="names"><span class="title" title=${row.path}>${row.name}</span>
      ${sub && html`<span class="sub">${sub}</span>`}</span>
  </span>`;

/** Opens and closes folders with the arrows, as trees do. */
export const treeKeys = (tree, current) => (event) => {
  const row = tree.rows.row(current.value)?.peek();
  if (!row?.folder || tree.open.value.has(row.key) === (event.key === "ArrowRight")) return;
  if (event.key !== "ArrowRight" && event.key !== "ArrowLeft") return;
  tree.toggle(row.key);
  event.preventDefault();
};

async function want(torrent, tree, row, priority) {
  const files = tree.files(row.key);
  try {
    await api.patch(`/torrents/${torrent.id}/files`, files.map((index) => ({ index, priority })));
    tree.progress(files.map((index) => ({ index, priority, done_bytes: tree.rows.row(`f${index}`).peek().done })));
  } catch (problem) {
    tellProblem(problem);
  }
}

const Priority = ({ torrent, tree, row }) => {
  const now = priorityOf(row);
  return html`
    <select class=${`priority ${now}`} tabindex="-1" aria-label=${t("files.priority", { name: row.name })} value=${now}
      onChange=${(event) => want(torrent, tree, row, event.target.value)}>
      ${now === "mixed" && html`<option value="mixed" disabled>${t("files.mixed")}</option>`}
      ${PRIORITIES.map((name) => html`<option key=${name} value=${name}>${t(`files.${name}`)}</option>`)}
    </select>`;
};

const part = (row) => (row.size > 0 ? row.done / row.size : 1);

function columns(torrent, tree) {
  const playing = (row) => !row.folder && canPlay(row.name) && html`
    <${Button} icon="play" label=${t("files.play", { name: row.name })} kind="quiet" small tabindex="-1"
      onClick=${() => play(torrent, row)} />`;
  const progress = (row) => html`
    <span class="part"><${Bar} part=${part(row)}
      kind=${priorityOf(row) === "skip" ? "rest" : row.done >= row.size ? "up" : "down"}
      label=${t("transfers.column.progress")} /><span class="num">${percent(part(row))}</span></span>`;
  const size = (row) => html`<span class="num">${bytes(row.size)}</span>`;
  return [
    { id: "name", title: t("transfers.column.name"), width: "minmax(120px, 1fr)",
      cell: (row) => html`<${TreeName} row=${row} tree=${tree}
        sub=${`${percent(part(row))} · ${bytes(row.size)}`} />` },
    { id: "play", title: "", width: "46px", cell: playing },
    { id: "progress", title: t("transfers.column.progress"), width: "112px", from: 440, cell: progress },
    { id: "size", title: t("transfers.column.size"), width: "80px", end: true, from: 520, cell: size },
    { id: "priority", title: t("files.wanted"), width: "108px",
      cell: (row) => html`<${Priority} torrent=${torrent} tree=${tree} row=${row} />` },
  ];
}

export function Files({ torrent, followed }) {
  const current = useDraftSignal(`file of ${torrent.id}`, null);
  const [open, setOpen] = useDraft(`folders of ${torrent.id}`, null);
  const tree = followed.tree.value;
  const shown = tree?.open.value;
  useLayoutEffect(() => { if (tree && open) tree.open.value = new Set(open); }, [tree]);
  useLayoutEffect(() => { if (shown) setOpen([...shown]); }, [shown]);
  if (!tree) {
    return html`<${Empty} icon="file" title=${t("files.none.title")} text=${t("files.none.text")} />`;
  }
  return html`
    <div class="files"><${Grid} label=${t("transfers.section.files")} keys=${tree.keys.value}
      row=${(key) => tree.rows.row(key)} height=${42}
      columns=${columns(torrent, tree)} current=${current} onKey=${treeKeys(tree, current)}
      rowClass=${(row) => (priorityOf(row) === "skip" ? "skipped" : "")}
      onOpen=${(key) => key.startsWith("d") && tree.toggle(key)} /></div>`;
}
