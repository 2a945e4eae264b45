// Categories and labels, the words by which people sort their torrents: which torrents are shown by them, and how they
// are seen.

import { computed, html } from "../../app/view.js";
import { openDialog } from "../../app/dialog.js";
import { Icon } from "../../app/icons.js";
import { kept } from "../../app/kept.js";
import { torrents } from "../../app/node.js";
import { Menu } from "../../app/parts.js";
import { t } from "../../app/texts.js";
import { ManageDialog } from "./sorting-dialogs.js";

const KINDS = { category: ({ category }) => (category ? [category] : []), label: ({ labels }) => labels ?? [] };

/** Of which words torrents are shown: `kind` is "category", "label", or "" for all; `name` "": those without one. */
export const sorted = kept("transfers.sorted", { kind: "", name: "" },
  (value) => typeof value?.name === "string" && (value.kind === "" || Object.hasOwn(KINDS, value.kind)));

/** Whether a torrent is among those. */
export const isSorted = (torrent) => {
  const { kind, name } = sorted.value;
  if (kind === "") return true;
  const words = KINDS[kind](torrent);
  return name === "" ? words.length === 0 : words.includes(name);
};

const { compare } = new Intl.Collator(undefined, { numeric: true, sensitivity: "base" });

/** How many torrents have each word, by kind: `[name, count]`, those without one first, by name. */
export const inUse = computed(() => {
  const found = { category: new Map([["", 0]]), label: new Map([["", 0]]) };
  for (const torrent of torrents.list("labels", "category")) {
    for (const [kind, words] of Object.entries(KINDS)) {
      const all = words(torrent);
      for (const word of all.length > 0 ? all : [""]) found[kind].set(word, (found[kind].get(word) ?? 0) + 1);
    }
  }
  const list = (counts) => [...counts].sort(([a], [b]) => compare(a, b));
  return { category: list(found.category), label: list(found.label) };
});

/** The words of a torrent, behind what else is said of it. */
export const Tags = ({ torrent }) => {
  const { category, labels = [] } = torrent;
  return (category || labels.length > 0) && html`
    <span class="tags">
      ${category && html`<span class="tag of-category" title=${t("sorting.in", { name: category })}>
        <${Icon} name="folder" size=${12} />${category}</span>`}
      ${labels.map((label) => html`<span class="tag" key=${label}>${label}</span>`)}
    </span>`;
};

/** Whose words torrents are shown of. */
export function SortedBy() {
  const { kind: now, name: which } = sorted.value;
  const items = [{ text: t("sorting.all"), on: now === "", act: () => { sorted.value = { kind: "", name: "" }; } }];
  for (const [kind, used] of Object.entries(inUse.value)) {
    // What is chosen stays there, also where nothing has it any more.
    const known = now !== kind || used.some(([name]) => name === which);
    const all = (known ? used : [...used, [which, 0]])
      .filter(([name, count]) => count > 0 || (now === kind && name === which));
    if (all.every(([name]) => name === "") && now !== kind) continue;
    items.push({ title: t(`sorting.kind.${kind}`) });
    for (const [name, count] of all) {
      items.push({ text: name || t(`sorting.without.${kind}`), count, on: now === kind && which === name,
        act: () => { sorted.value = { kind, name }; } });
    }
  }
  items.push(null, { text: t("sorting.manage"), icon: "settings", act: () => openDialog(ManageDialog) });
  return html`<${Menu} icon="tag" label=${t("sorting.by")} items=${items}
    text=${now === "" ? undefined : which || t(`sorting.without.${now}`)} kind=${now === "" ? "quiet" : "plain"} />`;
}
