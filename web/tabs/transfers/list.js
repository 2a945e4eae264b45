// Which torrents are shown, and in which order.

import { computed, effect, signal } from "../../app/view.js";
import { kept } from "../../app/kept.js";
import { told, torrents } from "../../app/node.js";
import { isSorted, sorted } from "./sorting.js";

/** What belongs to each filter. */
export const FILTERS = {
  all: () => true,
  downloading: ({ state }) => state === "downloading" || state === "metadata" || state === "checking",
  seeding: ({ state }) => state === "seeding",
  active: (torrent) => torrent.download_bytes_per_s > 0 || torrent.upload_bytes_per_s > 0,
  paused: ({ state }) => state === "paused",
  failed: ({ state }) => state === "failed",
};

/** The fields by which each column sorts; a torrent without the value comes last. */
export const ORDERS = {
  name: { of: ({ name }) => name },
  progress: { of: ({ progress }) => progress, fields: ["progress"] },
  download: { of: (torrent) => torrent.download_bytes_per_s, fields: ["download_bytes_per_s"], down: true },
  upload: { of: (torrent) => torrent.upload_bytes_per_s, fields: ["upload_bytes_per_s"], down: true },
  left: { of: ({ left_s: left }) => left ?? Infinity, fields: ["left_s"] },
  peers: { of: ({ peers }) => peers, fields: ["peers"], down: true },
  ratio: { of: ({ ratio }) => ratio, fields: ["ratio"], down: true },
  size: { of: (torrent) => torrent.total_bytes, fields: ["total_bytes"], down: true },
  category: { of: ({ category }) => category ?? "\uffff", fields: ["category"] },
  added: { of: (torrent) => torrent.added_at_s, fields: ["added_at_s"], down: true },
};

export const filter = kept("transfers.filter", "all", (value) => Object.hasOwn(FILTERS, value));
export const sort = kept("transfers.sort", { by: "added", down: true }, (value) => Object.hasOwn(ORDERS, value?.by));
export const search = kept("transfers.search", "", undefined, { here: true, typed: true });
const chosenBefore = kept("transfers.chosen", [], Array.isArray, { here: true });
export const chosen = signal(new Set(chosenBefore.peek()));
export const current = kept("transfers.current", null, (value) => value === null || typeof value === "string",
  { here: true });

effect(() => { chosenBefore.value = [...chosen.value]; });

/** How many belong to each filter. */
export const counts = computed(() => {
  const found = Object.fromEntries(Object.keys(FILTERS).map((name) => [name, 0]));
  const { kind } = sorted.value;
  for (const torrent of torrents.list("state", "download_bytes_per_s", "upload_bytes_per_s",
    ...(kind ? ["labels", "category"] : []))) {
    if (!isSorted(torrent)) continue;
    for (const name in FILTERS) if (FILTERS[name](torrent)) found[name] += 1;
  }
  return found;
});

const words = computed(() => search.value.toLowerCase().split(/\s+/).filter(Boolean));

const inSight = (torrent) => {
  const name = torrent.name.toLowerCase();
  return isSorted(torrent) && words.value.every((word) => name.includes(word) || torrent.id.startsWith(word));
};

const FOLLOWED = {
  all: [], downloading: ["state"], seeding: ["state"], paused: ["state"], failed: ["state"],
  active: ["download_bytes_per_s", "upload_bytes_per_s"],
};

const compareNames = new Intl.Collator(undefined, { numeric: true, sensitivity: "base" }).compare;

/** The ids in the order in which they are shown: found anew only when something changed that matters to it. */
export const ids = computed(() => {
  const { of, fields = [] } = ORDERS[sort.value.by];
  const fits = FILTERS[filter.value];
  const sign = sort.value.down ? -1 : 1;
  const found = torrents
    .list("name", ...(sorted.value.kind ? ["labels", "category"] : []), ...fields, ...FOLLOWED[filter.value])
    .filter((torrent) => fits(torrent) && inSight(torrent));
  const values = new Map(found.map((torrent) => [torrent.id, of(torrent)]));
  const byValue = sort.value.by === "name"
    ? (a, b) => sign * compareNames(a.name, b.name)
    : (a, b) => {
        const [first, second] = [values.get(a.id), values.get(b.id)];
        return first === second ? compareNames(a.name, b.name) : sign * (first < second ? -1 : 1);
      };
  return found.sort(byValue).map(({ id }) => id);
});

// What is gone, or out of sight, is not chosen.
effect(() => {
  if (!told.value) return;
  const shown = new Set(ids.value);
  const left = [...chosen.peek()].filter((id) => shown.has(id));
  if (left.length < chosen.peek().size) chosen.value = new Set(left);
});
