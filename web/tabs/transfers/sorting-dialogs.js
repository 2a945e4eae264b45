// What is asked about categories and labels: of some torrents, and which there are.

import { batch, effect, html, signal, useEffect, useId, useMemo, useState } from "../../app/view.js";
import { api } from "../../app/api.js";
import { ask, Dialog, lasting, openDialog } from "../../app/dialog.js";
import { useDraft, useDraftSignal } from "../../app/draft.js";
import { FolderField } from "../../app/folder.js";
import { node, torrents } from "../../app/node.js";
import { Button, Field, Words } from "../../app/parts.js";
import { t } from "../../app/texts.js";
import { attempt, tell } from "../../app/toast.js";
import { eachOf } from "./each.js";

/** What was written as labels: parted by commas, since none has one. */
const labelsIn = (text) => text.split(",").map((label) => label.trim()).filter(Boolean);

/** The category and the labels of some torrents, as somebody changes them. */
export class Sorting {
  /** The name of the category; "": none; null: they are in different ones, and stay there. */
  category = signal("");
  /** By label whether all get it (true), none (false), or it stays with those that have it (null). */
  labels = signal(new Map());
  /** What is being written: it counts as a label. */
  text = signal("");
  /** The categories that there are. */
  categories = signal([]);

  constructor(all) {
    const first = all[0]?.category ?? "";
    this.before = {
      category: all.every(({ category }) => (category ?? "") === first) ? first : null,
      labels: new Map([...new Set(all.flatMap(({ labels = [] }) => labels))].map((label) =>
        [label, all.every(({ labels = [] }) => labels.includes(label)) ? true : null])),
    };
    this.category.value = this.before.category;
    this.labels.value = new Map(this.before.labels);
  }

  /** Asks which words there are. */
  async ask() {
    const [labels, categories] = await Promise.all([api.get("/labels"), api.get("/categories")]);
    const known = new Map(labels.map(({ name }) => [name, false]));
    batch(() => {
      this.before.labels = new Map([...known, ...this.before.labels]);
      this.labels.value = new Map([...known, ...this.labels.peek()]);
      this.categories.value = categories;
    });
  }

  /** What was changed so far, as plain data; null: nothing. */
  get written() {
    const labels = [...this.labels.value].filter(([label, on]) => on !== (this.before.labels.get(label) ?? false));
    const [category, text] = [this.category.value, this.text.value];
    return labels.length === 0 && category === this.before.category && text === "" ? null : { labels, category, text };
  }

  /** Takes what was written before a reload. */
  set written({ labels, category, text }) {
    for (const [label, on] of labels) this.put(label, on);
    this.category.value = category;
    this.text.value = text;
  }

  put(label, on) {
    this.labels.value = new Map(this.labels.peek()).set(label, on);
  }

  /** Makes labels of what was written. */
  take() {
    for (const label of labelsIn(this.text.peek())) this.put(label, true);
    this.text.value = "";
  }

  /** What the API is told; null: nothing changed. Follows what is chosen. */
  change() {
    const now = new Map(this.labels.value);
    for (const label of labelsIn(this.text.value)) now.set(label, true);
    const other = [...now].filter(([label, on]) => on !== (this.before.labels.get(label) ?? false));
    const change = {
      labels: { add: other.filter(([, on]) => on === true).map(([label]) => label),
        remove: other.filter(([, on]) => on === false).map(([label]) => label) },
    };
    const category = this.category.value;
    if (category !== null && category.trim() !== this.before.category) change.category = category.trim();
    return other.length === 0 && change.category === undefined ? null : change;
  }

  /** Where the content of a new torrent of this category goes; null: where that of all others does. */
  folder() {
    const folder = this.categories.value.find(({ name }) => name === this.category.value?.trim())?.folder;
    if (!folder) return null;
    const { download_folder: all = "" } = node.settings.value ?? {};
    const slash = all.includes("\\") ? "\\" : "/";
    return /^([\\/]|[a-z]:)/i.test(folder) ? folder : `${all}${slash}${folder}`;
  }
}

/** The category and the labels of some torrents, as a dialog changes them: they outlive a reload. */
export function useSorting(all) {
  const draft = useDraftSignal("sorting", null);
  const sorting = useMemo(() => {
    const made = new Sorting(all);
    if (Array.isArray(draft.peek()?.labels)) made.written = draft.peek();
    return made;
  }, []);
  useEffect(() => effect(() => { draft.value = sorting.written; }), []);
  return sorting;
}

function Label({ sorting, label, on }) {
  return html`
    <label class=${on === false ? "tag pickable" : "tag pickable on"}>
      <input type="checkbox" checked=${on === true} ref=${(box) => { if (box) box.indeterminate = on === null; }}
        onChange=${(event) => sorting.put(label, event.target.checked)} />${label}</label>`;
}

/** The fields for it. */
export function SortingFields({ sorting }) {
  const list = useId();
  const enter = (event) => {
    if (event.key !== "Enter" || sorting.text.value.trim() === "") return;
    event.preventDefault();
    sorting.take();
  };
  const all = [...sorting.labels.value];
  return html`
    <${Field} label=${t("sorting.category")} hint=${t("sorting.category-hint")}>${(id, hint) => html`
      <input id=${id} aria-describedby=${hint} list=${list} autocomplete="off" value=${sorting.category.value ?? ""}
        placeholder=${sorting.category.value === null ? t("sorting.several") : t("sorting.none")}
        onInput=${(event) => { sorting.category.value = event.target.value; }} />
      <datalist id=${list}>${sorting.categories.value.map(({ name }) => html`
        <option key=${name} value=${name}></option>`)}</datalist>`}<//>
    <${Field} label=${t("sorting.labels")} hint=${t("sorting.labels-hint")}>${(id, hint) => html`
      ${all.length > 0 && html`<div class="tags all" role="group" aria-label=${t("sorting.labels")}>
        ${all.map(([label, on]) => html`
          <${Label} key=${label} sorting=${sorting} label=${label} on=${on} />`)}</div>`}
      <span class="with-button">
        <input id=${id} aria-describedby=${hint} autocomplete="off" value=${sorting.text.value}
          placeholder=${t("sorting.new-label")} onKeyDown=${enter}
          onInput=${(event) => { sorting.text.value = event.target.value; }} />
        <${Button} text=${t("add")} disabled=${sorting.text.value.trim() === ""} onClick=${() => sorting.take()} />
      </span>`}<//>`;
}

/** Gives one torrent what was changed. */
export async function sortOne(id, change) {
  torrents.answer(await api.patch(`/torrents/${id}`, change), ["labels", "category"]);
}

/** Asks for the category and the labels of some torrents. */
export function SortDialog({ ids, close }) {
  const sorting = useSorting(ids.map((id) => torrents.row(id)?.peek()).filter(Boolean));
  const [problem, setProblem] = useState(null);
  useEffect(() => { sorting.ask().catch(setProblem); }, []);
  const submit = async () => {
    const change = sorting.change();
    if (!change) return;
    const { good, problem: first } = await eachOf(ids, (id) => sortOne(id, change));
    if (first) throw first;
    tell(t("sorting.done", { count: good }));
  };
  const name = ids.length === 1 ? torrents.row(ids[0])?.peek().name : t("transfers.chosen", { count: ids.length });
  return html`
    <${Dialog} title=${t("sorting.title")} close=${close} submit=${submit} action=${t("sorting.keep")}>
      <p class="soft">${name}</p>
      ${problem && html`<${Words} problem=${problem} />`}
      <${SortingFields} sorting=${sorting} />
    <//>`;
}

/** Counts what was changed about categories here; no event tells of it. */
const changes = signal(0);

function CategoryDialog({ category, close }) {
  const [name, setName] = useDraft("name", category?.name ?? "");
  const [folder, setFolder] = useDraft("folder", category?.folder ?? "");
  const submit = async () => {
    await api.put("/categories", { name: name.trim(), folder: folder.trim() || null });
    changes.value += 1;
  };
  return html`
    <${Dialog} title=${category?.name ?? t("sorting.new")} close=${close} submit=${submit} action=${t("sorting.keep")}
      disabled=${!name.trim()}>
      ${!category && html`<${Field} label=${t("sorting.name")}>${(id) => html`
        <input id=${id} autofocus autocomplete="off" value=${name}
          onInput=${(event) => setName(event.target.value)} />`}<//>`}
      <${FolderField} label=${t("sorting.folder")} hint=${t("sorting.folder-hint")} value=${folder}
        onChange=${setFolder} placeholder=${node.settings.value?.download_folder} />
    <//>`;
}

const Row = ({ name, line, children }) => html`
  <li class="item"><span class="what"><b>${name}</b><small>${line}</small></span>
    <span class="does">${children}</span></li>`;

/** Shows which categories and labels there are, and changes them. */
export function ManageDialog({ close }) {
  const [all, setAll] = useState({ categories: null, labels: [] });
  const [problem, setProblem] = useState(null);
  const look = () => Promise.all([api.get("/categories"), api.get("/labels")])
    .then(([categories, labels]) => setAll({ categories, labels }), setProblem);
  useEffect(() => { look(); }, [changes.value]);
  const edit = (category) => openDialog(CategoryDialog, { category });
  const drop = async (kind, { name, torrents: count }) => {
    const yes = await ask({ title: t(`sorting.drop.${kind}`, { name }), text: t(`sorting.drop.${kind}-text`, { count }),
      action: t("transfers.remove"), danger: true });
    if (!yes) return;
    await attempt(() => api.delete(`/${kind}/${encodeURIComponent(name)}`));
    await look();
  };
  const trash = (kind, one) => html`<${Button} icon="trash" kind="quiet" small
    label=${t(`sorting.drop.${kind}`, { name: one.name })} onClick=${() => drop(kind, one)} />`;
  const used = ({ torrents: count }) => t("sorting.used", { count });
  return html`
    <${Dialog} title=${t("sorting.manage")} close=${close}>
      ${problem && html`<${Words} problem=${problem} />`}
      <section class="block"><div class="with-button"><h3 class="grow">${t("sorting.kind.category")}</h3>
        <${Button} icon="plus" text=${t("sorting.new")} small onClick=${() => edit()} /></div>
        ${all.categories?.length > 0 ? html`<ul class="card items">${all.categories.map((one) => html`
          <${Row} key=${one.name} name=${one.name} line=${[used(one), one.folder].filter(Boolean).join(" · ")}>
            <${Button} icon="pencil" kind="quiet" small label=${t("sorting.change", { name: one.name })}
              onClick=${() => edit(one)} />${trash("categories", one)}<//>`)}</ul>`
          : all.categories && html`<p class="soft">${t("sorting.no-categories")}</p>`}
      </section>
      <section class="block"><h3>${t("sorting.kind.label")}</h3>
        ${all.labels.length > 0 ? html`<ul class="card items">${all.labels.map((one) => html`
          <${Row} key=${one.name} name=${one.name} line=${used(one)}>${trash("labels", one)}<//>`)}</ul>`
          : html`<p class="soft">${t("sorting.no-labels")}</p>`}
      </section>
    <//>`;
}

lasting({ "sorting.of": SortDialog, "sorting.category": CategoryDialog, "sorting.manage": ManageDialog });
