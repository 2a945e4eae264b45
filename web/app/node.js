// What the node tells: the page's picture of it, which the stream of events keeps true.

import { batch, signal } from "./view.js";
import { Collection } from "./collection.js";
import { follow } from "./stream.js";

/** How the stream stands: `connecting` before the first answer, then `open` or `lost`. */
export const connection = signal("connecting");

/** Whether the node told how everything is. */
export const told = signal(false);

export const torrents = new Collection("id");
export const jobs = new Collection("id");
export const groups = new Collection("id");
export const contacts = new Collection("person");
export const inbox = new Collection("torrent");
export const chats = new Collection("id");

/** Everything together: `download_bytes_per_s`, `upload_bytes_per_s`, `connections`, `disk_used_bytes`, `at_s`. */
export const rates = signal(null);

/** The node and the people around it, a signal a field of the API's NodeView; null: it told nothing of it. */
export const node = Object.fromEntries(
  [
    "identity", "nodes", "invites", "shares", "rules", "libraries", "connections", "gate", "budget", "schedule",
    "offers", "settings",
  ].map((name) => [name, signal(null)]),
);

const collections = { torrents, jobs, groups, inbox, chats };

const takers = new Map([
  ["snapshot", snapshot],
  ["added", (torrent) => torrents.put(torrent)],
  ["changed", ({ id, changed }) => torrents.change(id, changed)],
  ["removed", ({ id }) => torrents.remove(id)],
  ["job", (job) => jobs.put(job)],
  ["group", (group) => groups.put(group)],
  ["group_removed", ({ id }) => groups.remove(id)],
  ["inbox", (entry) => inbox.put(entry)],
  ["inbox_removed", ({ torrent }) => inbox.remove(torrent)],
  ["chat", (chat) => chats.put(chat)],
  ["node", takeNode],
  ["contact", (contact) => contacts.put(contact)],
  ["contact_removed", ({ person }) => contacts.remove(person)],
  ["rates", (now) => { rates.value = now; }],
]);
const listeners = new Map();

/** Calls `take` with the data of each event of that name, after the page's own picture has it; -> ends it. */
export function onEvent(name, take) {
  if (!listeners.has(name)) listeners.set(name, new Set());
  listeners.get(name).add(take);
  return () => listeners.get(name).delete(take);
}

/** Begins to follow the node. */
export function begin() {
  return follow("/events", takeAll, (state) => {
    connection.value = state;
  });
}

/** Applies what a call did at once, rather than with the next event. What it answered of one thing, `answer` takes. */
export const take = (event, data) => takeAll([{ event, data }]);

function takeAll(events) {
  batch(() => {
    for (const { event, data } of events) {
      takers.get(event)?.(data);
      for (const listener of listeners.get(event) ?? []) listener(data);
    }
  });
}

function snapshot(all) {
  for (const [name, collection] of Object.entries(collections)) collection.reset(all[name] ?? []);
  contacts.reset(all.node?.contacts ?? []);
  for (const [name, field] of Object.entries(node)) field.value = all.node?.[name] ?? null;
  told.value = true;
}

function takeNode(changed) {
  for (const [name, value] of Object.entries(changed)) if (node[name]) node[name].value = value;
}

/** Keeps the sum of all torrents' rates where the node tells none itself. */
export function sumRates() {
  const sum = { download_bytes_per_s: 0, upload_bytes_per_s: 0 };
  for (const torrent of torrents.list("download_bytes_per_s", "upload_bytes_per_s")) {
    sum.download_bytes_per_s += torrent.download_bytes_per_s;
    sum.upload_bytes_per_s += torrent.upload_bytes_per_s;
  }
  return sum;
}
