// The files of a torrent as a tree of folders, whose sums are kept as files change.

import { batch, computed, signal } from "../../app/view.js";
import { Collection } from "../../app/collection.js";

const compare = new Intl.Collator(undefined, { numeric: true, sensitivity: "base" }).compare;

/** Below how many files all folders are open at first. Arbitrary: what fits a screen or two. */
const OPEN_BELOW = 60;

/**
 * Each row is a file or a folder: `{ key, name, depth, folder, index, path, size, done, count, priorities }`, where
 * `priorities` counts the files of each priority.
 */
export class FileTree {
  rows = new Collection("key");
  /** The keys of the folders that are open. */
  open = signal(new Set());
  #files = [];
  #byIndex = new Map();
  #children = new Map();
  #parents = new Map();

  /** The keys of all rows that are in no closed folder, in order. */
  keys = computed(() => {
    const found = [];
    const walk = (key) => {
      for (const child of this.#children.get(key) ?? []) {
        found.push(child);
        if (this.open.value.has(child)) walk(child);
      }
    };
    walk("");
    return found;
  });

  constructor(files) {
    this.#files = files.map((file) => ({ ...file }));
    this.#byIndex = new Map(this.#files.map((file) => [file.index, file]));
    const folders = new Map();
    const children = new Map([["", []]]);
    const folderOf = (parts) => {
      const path = parts.join("/");
      if (path === "") return "";
      const key = `d${path}`;
      if (!folders.has(key)) {
        const parent = folderOf(parts.slice(0, -1));
        const name = parts.at(-1);
        folders.set(key, { key, name, path, depth: parts.length - 1, folder: true, size: 0, done: 0, count: 0,
          priorities: {} });
        children.set(key, []);
        children.get(parent).push(key);
        this.#parents.set(key, parent);
      }
      return key;
    };
    const rows = new Map(folders);
    for (const file of this.#files) {
      const parts = file.path.split("/");
      const parent = folderOf(parts.slice(0, -1));
      const key = `f${file.index}`;
      rows.set(key, { key, name: parts.at(-1), path: file.path, depth: parts.length - 1, folder: false,
        index: file.index,
        size: file.size_bytes, done: file.done_bytes, count: 1, priorities: { [file.priority]: 1 } });
      children.get(parent).push(key);
      this.#parents.set(key, parent);
      for (let at = parent; at !== ""; at = this.#parents.get(at)) {
        const sum = folders.get(at);
        sum.size += file.size_bytes;
        sum.done += file.done_bytes;
        sum.count += 1;
        sum.priorities[file.priority] = (sum.priorities[file.priority] ?? 0) + 1;
      }
    }
    for (const [key, folder] of folders) rows.set(key, folder);
    for (const list of children.values()) {
      list.sort((a, b) => rows.get(b).folder - rows.get(a).folder || compare(rows.get(a).name, rows.get(b).name));
    }
    this.#children = children;
    this.rows.reset([...rows.values()]);
    // A single folder that holds everything is open in any case.
    const top = children.get("");
    this.open.value = new Set(files.length < OPEN_BELOW ? folders.keys() : top.length === 1 ? top : []);
  }

  /** Whether these are the same files. */
  fits(files) {
    return files.length === this.#files.length && files.every((file, at) => file.path === this.#files[at].path);
  }

  /** How many files there are. */
  get size() {
    return this.#files.length;
  }

  /** Takes what changed about some files. */
  progress(changes) {
    batch(() => {
      for (const { index, done_bytes: done, priority } of changes) {
        const file = this.#byIndex.get(index);
        if (!file || (file.done_bytes === done && file.priority === priority)) continue;
        const more = done - file.done_bytes;
        for (let key = `f${index}`; key !== ""; key = this.#parents.get(key)) {
          const row = this.rows.row(key).peek();
          const priorities = { ...row.priorities };
          if (priority !== file.priority) {
            priorities[file.priority] -= 1;
            if (priorities[file.priority] === 0) delete priorities[file.priority];
            priorities[priority] = (priorities[priority] ?? 0) + 1;
          }
          this.rows.change(key, { done: row.done + more, priorities });
        }
        file.done_bytes = done;
        file.priority = priority;
      }
    });
  }

  /** The numbers of the files of a row. */
  files(key) {
    if (key.startsWith("f")) return [Number(key.slice(1))];
    return this.#children.get(key).flatMap((child) => this.files(child));
  }

  /** All numbers. */
  all() {
    return this.#files.map(({ index }) => index);
  }

  toggle(key) {
    const next = new Set(this.open.value);
    if (!next.delete(key)) next.add(key);
    this.open.value = next;
  }
}
