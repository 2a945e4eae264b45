// Torrents that were looked at before they are added, and about which nobody decided yet.

import { kept } from "../../app/kept.js";
import { torrents } from "../../app/node.js";

const isList = (value) => Array.isArray(value) && value.every((id) => typeof id === "string");

/** Those of this browser, whichever tab looked at them. */
const all = kept("transfers.undecided", [], isList, { shared: true });

/** Remembers that one is looked at. */
export function remember(id) {
  if (!all.peek().includes(id)) all.value = [...all.peek(), id];
}

/** Forgets that one was looked at: it was started, or removed. */
export function decided(id) {
  if (all.peek().includes(id)) all.value = all.peek().filter((one) => one !== id);
}

/** Whether nobody decided about a torrent yet; follows it. */
export const isUndecided = (torrent) => all.value.includes(torrent.id) && torrent.done_bytes === 0
  && (torrent.state === "paused" || torrent.state === "metadata");

/** Whether one that was looked at before a reload is still to be decided about. */
export const isOpen = (id) => {
  const torrent = torrents.row(id)?.peek();
  return torrent !== undefined && isUndecided(torrent);
};

/** Forgets what was decided elsewhere meanwhile. */
export function tidyUndecided() {
  for (const id of all.peek()) if (!isOpen(id)) decided(id);
}
