// What is being shared: chosen, sent to the node where it is not there, hashed. It stays while one looks at other tabs.

import { computed, effect, signal } from "../../app/view.js";
import { api } from "../../app/api.js";
import { kept } from "../../app/kept.js";
import { jobs } from "../../app/node.js";
import { friends, ownGroups } from "../../app/people.js";
import { nameOf, upload } from "../../app/upload.js";

const EMPTY = { path: "", who: "public", to: [], groups: [], note: "", category: "", labels: [] };

/** What was chosen so far; a reload loses nothing of it but dropped files, which no browser keeps. */
export const draft = kept("share.draft", EMPTY,
  (value) => ["to", "groups", "labels"].every((list) => Array.isArray(value?.[list])), { typed: true });

export const change = (fields) => {
  draft.value = { ...draft.value, ...fields };
};

/** Dropped or chosen files, which are to be sent: `{ path, file }`. */
export const files = signal([]);

/** What they are called. A reload loses the files themselves. */
const called = kept("share.files", "", undefined, { here: true });

/** What was chosen when the page was loaded anew, and is to be chosen again; "": nothing. */
export const lost = signal(called.peek());

effect(() => {
  if (files.value.length > 0) lost.value = "";
  called.value = files.value.length > 0 ? nameOf(files.value) : lost.value;
});

/** The last thing that was begun: `{ job, path, who, written }`; null: nothing. */
const begun = kept("share.begun", null, (value) => value === null || typeof value?.job === "number");

/** Files that are on their way to the node: `{ name, done, total, stop }`. */
export const sending = signal(null);

/** Why the last try could not begin. */
export const problem = signal(null);

/** The job of what was begun, as it stands; numbers begin anew with the node, so the path has to fit, too. */
export const job = computed(() => {
  const last = begun.value;
  if (!last) return null;
  const found = jobs.get(last.job);
  return found?.kind === "share" && found.path === last.path ? { ...found, who: last.who } : null;
});

/** Those who were chosen and are still there to be chosen: a draft outlives contacts and groups. */
const chosen = computed(() => {
  const { to, groups } = draft.value;
  return {
    people: to.filter((person) => friends.value.some((friend) => friend.person === person)),
    group: groups.filter((id) => ownGroups.value.some((group) => group.id === id)),
  };
});

/** Whether enough was chosen. */
export const ready = computed(() => {
  const { path, who } = draft.value;
  const something = files.value.length > 0 || path.trim() !== "";
  return something && (who === "public" || chosen.value[who].length > 0);
});

async function begin(path) {
  const { who, note, category, labels } = draft.value;
  const request = { path, labels };
  if (category) request.category = category;
  if (who === "people") request.to = chosen.value.people;
  if (who === "group") request.groups = chosen.value.group;
  if (who !== "public" && note.trim()) request.note = note.trim();
  const made = await api.post("/shares", request);
  jobs.answer(made);
  begun.value = { job: made.id, path: made.path, who, written: { path, note, category, labels } };
  files.value = [];
  change({ path: "", note: "", category: "", labels: [] });
}

/** Shares what was chosen. */
export async function start() {
  problem.value = null;
  try {
    let { path } = draft.value;
    if (files.value.length > 0) {
      const all = files.value;
      const stop = new AbortController();
      const total = all.reduce((sum, { file }) => sum + file.size, 0);
      sending.value = { name: nameOf(all), done: 0, total, stop };
      path = await upload(all, (done) => { sending.value = { ...sending.value, done }; }, stop.signal);
    }
    await begin(path.trim());
  } catch (failure) {
    if (failure.name !== "AbortError") problem.value = failure;
  } finally {
    sending.value = null;
  }
}

/** Stops what goes on. */
export async function cancel() {
  sending.value?.stop.abort();
  if (job.value?.state === "running") await api.delete(`/jobs/${job.value.id}`);
  mend();
}

/** Shows the form again. */
export const another = () => {
  begun.value = null;
};

/** Shows the form again with what was written, so that what was wrong in it can be changed. */
export function mend() {
  change(begun.value?.written ?? {});
  begun.value = null;
}
