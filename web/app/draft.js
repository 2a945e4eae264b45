// What was typed and chosen in fields, and not sent yet: it outlives a reload, and goes with the browser's tab.
// Secrets are never written with it: a field of theirs is a plain `useState`.

import { createContext, signal, useContext, useMemo } from "./view.js";
import { kept } from "./kept.js";

/** How many fields are remembered at most; the oldest is forgotten first. Arbitrary: more than anybody leaves open. */
const MOST = 300;

const isMap = (value) => value !== null && typeof value === "object" && !Array.isArray(value);

/** By the field's name, behind the scope that it is in. */
const drafts = kept("drafts", {}, isMap, { here: true, typed: true });

/** In what the fields below stand: a dialog, a row. Its name ends with a slash. */
export const Scope = createContext("");

/** The name of a scope within the one around. */
export const useScope = (name) => `${useContext(Scope)}${name}/`;

const same = (a, b) => JSON.stringify(a) === JSON.stringify(b);

/** Whether a value can stand for the first one: what another version wrote may not fit. */
const fits = (value, first) => first === null || value === null
  || (typeof value === typeof first && Array.isArray(value) === Array.isArray(first));

function write(key, value, first) {
  const { [key]: old, ...others } = drafts.peek();
  // What is as it was is nothing that was typed.
  if (same(value, first)) {
    if (old !== undefined) drafts.value = others;
    return;
  }
  const all = Object.entries({ ...others, [key]: value });
  drafts.value = Object.fromEntries(all.slice(-MOST));
}

/** Forgets all that was typed in a scope. */
export function forget(scope) {
  const all = Object.entries(drafts.peek());
  const left = all.filter(([key]) => !key.startsWith(scope));
  if (left.length < all.length) drafts.value = Object.fromEntries(left);
}

/** Forgets the scopes that begin so, but for those. */
export function forgetAllBut(beginning, scopes) {
  for (const key of Object.keys(drafts.peek())) {
    if (key.startsWith(beginning) && !scopes.some((scope) => key.startsWith(scope))) forget(key);
  }
}

/** A signal that outlives a reload, and forgets when it has its first value again; `first` may be a function. */
class Draft {
  #held;
  #key;
  #first;

  constructor(key, first) {
    this.#key = key;
    this.#first = typeof first === "function" ? first() : first;
    const found = drafts.peek()[key];
    this.#held = signal(found !== undefined && fits(found, this.#first) ? found : this.#first);
  }

  get value() {
    return this.#held.value;
  }

  set value(value) {
    // Who says it again, maybe after it was forgotten, changes nothing.
    if (same(value, this.#held.peek())) return;
    this.#held.value = value;
    write(this.#key, value, this.#first);
  }

  peek() {
    return this.#held.peek();
  }
}

/** The draft of a field, as something like a signal; its value is plain data. */
export function useDraftSignal(name, first) {
  const key = useContext(Scope) + name;
  return useMemo(() => new Draft(key, first), [key]);
}

/** Like `useState`, for what somebody types or chooses: `name` tells the field from others in its scope. */
export function useDraft(name, first) {
  const draft = useDraftSignal(name, first);
  const put = useMemo(() => (next) => {
    draft.value = typeof next === "function" ? next(draft.peek()) : next;
  }, [draft]);
  return [draft.value, put];
}
