// Many things of a kind that change one by one: torrents, contacts, jobs. Each is a signal, so that a change draws what
// shows it and nothing else.

import { batch, signal } from "./view.js";

export class Collection {
  #key;
  #rows = new Map();
  #fields = new Map();
  #came = signal(0);

  /** `key` names the field that tells one from another. */
  constructor(key) {
    this.#key = key;
  }

  /** How many there are. */
  get size() {
    this.#came.value;
    return this.#rows.size;
  }

  /** The signal of one, or undefined. Reading it does not follow whether the thing comes or goes: `has` does. */
  row(key) {
    return this.#rows.get(key);
  }

  /** Follows whether it is there. */
  has(key) {
    this.#came.value;
    return this.#rows.has(key);
  }

  /** One as it is now; follows it. */
  get(key) {
    this.#came.value;
    return this.#rows.get(key)?.value;
  }

  /** All keys in the order in which they came; follows what comes and goes, but no change of a single one. */
  keys() {
    this.#came.value;
    return [...this.#rows.keys()];
  }

  /** All as they are now; follows what comes and goes, and these fields of each. */
  list(...fields) {
    this.#came.value;
    for (const field of fields) this.#field(field).value;
    return [...this.#rows.values()].map((row) => row.peek());
  }

  /** Replaces everything; what is the same stays the same signal. */
  reset(things) {
    batch(() => {
      const keys = new Set(things.map((thing) => thing[this.#key]));
      for (const key of this.#rows.keys()) if (!keys.has(key)) this.remove(key);
      for (const thing of things) this.put(thing);
    });
  }

  /** Adds one, or replaces it: what it does not tell of any more is not there. */
  put(thing) {
    const key = thing[this.#key];
    const row = this.#rows.get(key);
    if (row) return this.#set(row, thing);
    this.#rows.set(key, signal(thing));
    this.#came.value += 1;
  }

  /**
   * Takes what a call answered of one. An event may have told of it meanwhile, which is newer: of one that is there
   * only the fields are taken that the call `changed`.
   */
  answer(thing, changed = []) {
    const key = thing[this.#key];
    if (!this.#rows.has(key)) return this.put(thing);
    this.change(key, Object.fromEntries(changed.map((name) => [name, thing[name]])));
  }

  /** Changes some fields of one. */
  change(key, fields) {
    const row = this.#rows.get(key);
    if (row) this.#set(row, { ...row.peek(), ...fields });
  }

  remove(key) {
    if (this.#rows.delete(key)) this.#came.value += 1;
  }

  #set(row, thing) {
    const old = row.peek();
    const changed = Object.keys({ ...old, ...thing }).filter((name) => old[name] !== thing[name]);
    if (changed.length === 0) return;
    batch(() => {
      row.value = thing;
      for (const name of changed) this.#field(name).value += 1;
    });
  }

  #field(name) {
    if (!this.#fields.has(name)) this.#fields.set(name, signal(0));
    return this.#fields.get(name);
  }
}
