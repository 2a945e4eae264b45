// What is in torrents that are about to be added. The node fetches their descriptions and nothing else
// (`metadata_only`); what is not wanted then is forgotten without a trace. After a reload it is asked about again.

import { batch, html, signal, useEffect, useLayoutEffect, useMemo } from "../../app/view.js";
import { api, Problem } from "../../app/api.js";
import { bytes } from "../../app/format.js";
import { Dialog, lasting } from "../../app/dialog.js";
import { useDraft, useDraftSignal } from "../../app/draft.js";
import { FolderField } from "../../app/folder.js";
import { Grid } from "../../app/grid.js";
import { Icon } from "../../app/icons.js";
import { kept } from "../../app/kept.js";
import { node, take, torrents } from "../../app/node.js";
import { Fold, Note } from "../../app/parts.js";
import { go, to } from "../../app/router.js";
import { t } from "../../app/texts.js";
import { tell, tellProblem } from "../../app/toast.js";
import { TreeName, treeKeys } from "./files.js";
import { SortingFields, sortOne, useSorting } from "./sorting-dialogs.js";
import { FileTree } from "./tree.js";
import { decided, isOpen, isUndecided, remember } from "./undecided.js";

const folder = kept("transfers.folder", "");

/** A file's bytes in base64. */
const base64 = (file) => new Promise((resolve, reject) => {
  const reader = new FileReader();
  reader.onload = () => resolve(reader.result.slice(reader.result.indexOf(",") + 1));
  reader.onerror = () => reject(reader.error);
  reader.readAsDataURL(file);
});

/** One that is about to be added. */
class Candidate {
  /** `asking`, `looking`, `here` (its files are known), `known` (it was added before), `failed`. */
  state = signal("asking");
  problem = signal(null);
  tree = signal(null);
  /** The numbers of the wanted files. */
  wanted = signal(new Set());
  id = null;
  /** Whether it was in the list before. */
  existed = false;

  constructor(source, options) {
    this.source = source;
    this.name = signal(source.name ?? nameOf(source.link));
    if (source.id) this.resume(source.id);
    else if (source.link || source.file) this.begin(source, options);
    else this.fail(new Problem({ detail: t("transfers.add.lost") }));
  }

  /** Where it comes from, as plain data for a reload; a file is none, until the node has it. */
  get plain() {
    this.state.value;
    const { link } = this.source;
    const name = this.name.value;
    if (this.existed || !this.id) return link ? { link, name } : { name };
    return { id: this.id, name };
  }

  fail(problem) {
    batch(() => {
      this.problem.value = problem;
      this.state.value = "failed";
    });
  }

  /** Goes on with one that is in the node already. */
  resume(id) {
    this.id = id;
    this.state.value = "looking";
    remember(id);
  }

  async begin(source, options) {
    try {
      const what = source.link ? { link: source.link } : { torrent_base64: await base64(source.file) };
      const { existed, torrent } = await api.post("/torrents", { ...what, ...options, metadata_only: true });
      torrents.answer(torrent);
      this.id = torrent.id;
      this.existed = existed && !isUndecided(torrent);
      if (!this.existed) remember(torrent.id);
      this.name.value = torrent.name;
      // Nothing of it was fetched: its files can still be chosen.
      const begun = existed && !(torrent.state === "paused" && torrent.done_bytes === 0);
      this.state.value = begun && torrent.state !== "metadata" ? "known" : "looking";
    } catch (problem) {
      this.fail(problem);
    }
  }

  /** Shows the files, as soon as they are known; those are wanted that were `chosen` before a reload. */
  async look(torrent, chosen) {
    if (this.state.peek() !== "looking" || !torrent?.total_bytes || this.asked) return;
    this.asked = true;
    try {
      const files = await api.get(`/torrents/${this.id}/files`);
      batch(() => {
        this.name.value = torrent.name;
        this.tree.value = new FileTree(files);
        const isWanted = ({ index, priority }) => (chosen ? chosen.includes(index) : priority !== "skip");
        this.wanted.value = new Set(files.filter(isWanted).map(({ index }) => index));
        this.state.value = "here";
      });
    } catch (problem) {
      this.asked = false;
      tellProblem(problem);
    }
  }

  async start() {
    const tree = this.tree.peek();
    if (tree) {
      const wanted = this.wanted.peek();
      const changes = tree.all().filter((index) => {
        const skipped = tree.rows.row(`f${index}`).peek().priorities.skip === 1;
        return skipped === wanted.has(index);
      });
      if (changes.length > 0) {
        const choice = (index) => ({ index, priority: wanted.has(index) ? "normal" : "skip" });
        await api.patch(`/torrents/${this.id}/files`, changes.map(choice));
      }
    }
    await api.post(`/torrents/${this.id}/resume`);
    decided(this.id);
  }

  /** Forgets it, unless it was there before. */
  async forget() {
    if (this.id && !this.existed) await forgetUndecided(this.id);
  }

  size() {
    const rows = this.tree.value?.rows;
    return rows ? [...this.wanted.value].reduce((sum, index) => sum + rows.row(`f${index}`).peek().size, 0) : 0;
  }
}

/** Removes one that was only looked at. */
export async function forgetUndecided(id) {
  decided(id);
  await api.delete(`/torrents/${id}?with_data=true`).catch(() => {});
  take("removed", { id });
}

function nameOf(link) {
  try {
    return new URL(link).searchParams.get("dn") ?? link.slice(0, 60);
  } catch {
    return link.slice(0, 60);
  }
}

function Wanted({ row, candidate }) {
  const files = candidate.tree.value.files(row.key);
  const count = files.filter((index) => candidate.wanted.value.has(index)).length;
  const turn = (event) => {
    const next = new Set(candidate.wanted.value);
    for (const index of files) if (event.target.checked) next.add(index); else next.delete(index);
    candidate.wanted.value = next;
  };
  return html`<input type="checkbox" tabindex="-1" aria-label=${t("choose", { name: row.name })}
    checked=${count === files.length}
    ref=${(box) => { if (box) box.indeterminate = count > 0 && count < files.length; }} onChange=${turn} />`;
}

function Tree({ candidate }) {
  const current = useDraftSignal(`row of ${candidate.id}`, null);
  const tree = candidate.tree.value;
  const columns = [
    { id: "name", title: t("transfers.column.name"), width: "minmax(0, 1fr)", cell: (row) => html`
      <${TreeName} row=${row} tree=${tree}><${Wanted} row=${row} candidate=${candidate} /><//>` },
    { id: "size", title: t("transfers.column.size"), width: "90px", end: true,
      cell: (row) => html`<span class="num">${bytes(row.size)}</span>` },
  ];
  const fold = treeKeys(tree, current);
  const press = (event) => {
    if (event.key !== " " || !current.value) return fold(event);
    event.preventDefault();
    document.querySelector(".preview .row[data-current=true] input")?.click();
    return undefined;
  };
  return html`
    <div class="preview"><${Grid} label=${t("transfers.section.files")} keys=${tree.keys.value}
      row=${(key) => tree.rows.row(key)}
      columns=${columns} height=${36} current=${current} onKey=${press} /></div>`;
}

const SAYS = {
  asking: ["loader-circle", "add.asking"], looking: ["loader-circle", "add.looking"], known: ["info", "add.known"],
};

function One({ candidate, alone }) {
  const state = candidate.state.value;
  const torrent = torrents.get(candidate.id);
  const chosen = useDraftSignal(`wanted of ${candidate.id}`, null);
  useEffect(() => { candidate.look(torrent, chosen.peek()); }, [torrent, state]);
  useLayoutEffect(() => {
    if (state === "here") chosen.value = [...candidate.wanted.value];
  }, [state, candidate.wanted.value]);
  const [icon, words] = SAYS[state] ?? [];
  const turns = icon === "loader-circle" && "turning";
  return html`
    <section class="candidate" aria-label=${candidate.name.value}>
      <div class="first"><b>${candidate.name.value}</b>
        ${state === "here" && html`<span class="num soft">
          ${t("transfers.add.chosen", { count: candidate.wanted.value.size, size: bytes(candidate.size()) })}</span>`}
      </div>
      ${words && html`<p class="soft with-icon"><${Icon} name=${icon} size=${16}
        class=${turns} />${t(`transfers.${words}`)}</p>`}
      ${state === "failed" && html`
        <p class="bad">${candidate.source.file && t("transfers.add.broken")} ${candidate.problem.value.message}</p>`}
      ${state === "here" && (alone || candidate.tree.value.size > 1) && html`<${Tree} candidate=${candidate} />`}
    </section>`;
}

/**
 * Asks about links, torrent files, and torrents that were `begun` to be looked at. `offered`: how many there were, if
 * these are the first of them.
 */
export function PreviewDialog({ links = [], files = [], begun = [], offered = 0, close }) {
  const [at, setAt] = useDraft("folder", folder.peek());
  const sources = useDraftSignal("sources", null);
  const candidates = useMemo(() => {
    const options = folder.peek() ? { folder: folder.peek() } : {};
    const asked = sources.peek()?.filter(({ id }) => !id || isOpen(id))
      ?? [...begun.map((id) => ({ id, name: torrents.row(id)?.peek().name ?? id })),
        ...links.map((link) => ({ link })), ...files.map((file) => ({ file, name: file.name }))];
    return asked.map((source) => new Candidate(source, options));
  }, []);
  const plain = JSON.stringify(candidates.map((candidate) => candidate.plain));
  useLayoutEffect(() => { sources.value = JSON.parse(plain); }, [plain]);
  // Before a reload there was something to decide, and meanwhile it was decided elsewhere.
  useEffect(() => { if (candidates.length === 0) close(); }, []);
  const alone = candidates.length === 1;
  const sorting = useSorting([]);
  // A node that cannot tell them has none: the fields take what is written.
  useEffect(() => { sorting.ask().catch(() => {}); }, []);
  const into = at.trim() || sorting.folder();
  const ready = candidates.filter(({ state }) => ["looking", "here"].includes(state.value));
  const waiting = candidates.some(({ state }) => state.value === "asking");
  const nothing = ready.every(({ state, wanted }) => state.value === "here" && wanted.value.size === 0);
  const forget = () => {
    for (const candidate of candidates) candidate.forget();
    close();
  };
  const submit = async () => {
    folder.value = at.trim();
    const change = sorting.change();
    for (const candidate of ready) {
      if (into && torrents.get(candidate.id)?.folder !== into) {
        await api.post(`/torrents/${candidate.id}/move`, { folder: into });
      }
      if (change) await sortOne(candidate.id, change);
      await candidate.start();
    }
    tell(t("transfers.add.done", { count: ready.length }), alone && {
      text: t("transfers.add.show"), act: () => go(to("transfers", ready[0].id)),
    });
  };
  const known = alone && candidates[0].state.value === "known";
  const show = () => go(to("transfers", candidates[0].id));
  return html`
    <${Dialog} title=${t("transfers.add.title")} close=${(result) => (result ? close(result) : forget())} wide
      submit=${known ? show : submit} action=${t(known ? "transfers.add.show" : "transfers.add.start")}
      disabled=${!known && (waiting || ready.length === 0 || nothing)}>
      ${offered > candidates.length && html`
        <${Note}>${t("transfers.add.most", { offered, count: candidates.length })}<//>`}
      ${candidates.map((candidate, index) => html`<${One} key=${index} candidate=${candidate} alone=${alone} />`)}
      ${ready.length > 0 && html`
        <${FolderField} label=${t("transfers.add.folder")} value=${at} onChange=${setAt}
          placeholder=${sorting.folder() ?? node.settings.value?.download_folder
            ?? torrents.get(ready[0].id)?.folder} />
        <${Fold} summary=${t("sorting.title")}>
          <div class="fields"><${SortingFields} sorting=${sorting} /></div><//>`}
    <//>`;
}

lasting({ "transfers.preview": PreviewDialog });
