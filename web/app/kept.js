// What one browser remembers of how its user likes the page; nothing of it is lost by a reload.

import { effect, signal } from "./view.js";

const PREFIX = "compeer.";

/** What forgets each thing that was typed. */
const forgetters = [];

/**
 * A signal whose value stays in this browser. What was written by another version and does not fit is forgotten.
 * `here`: it is of this tab alone, and goes with it; `shared`: what one tab writes, the others have at once;
 * `typed`: it was typed or chosen and not sent yet, and is nothing for who comes to this browser next.
 */
export function kept(name, otherwise, fits, { here, shared, typed } = {}) {
  const sound = fits ?? ((value) => typeof value === typeof otherwise);
  const read = (text) => {
    try {
      const value = JSON.parse(text);
      return text !== null && sound(value) ? value : otherwise;
    } catch {
      return otherwise;
    }
  };
  const held = signal(otherwise);
  try {
    held.value = read((here ? sessionStorage : localStorage).getItem(PREFIX + name));
  } catch {
    // No storage: it begins anew.
  }
  if (shared) {
    window.addEventListener("storage", ({ key, newValue }) => {
      if (key === PREFIX + name) held.value = read(newValue);
    });
  }
  effect(() => {
    const text = JSON.stringify(held.value);
    try {
      (here ? sessionStorage : localStorage).setItem(PREFIX + name, text);
    } catch {
      // A browser that keeps nothing: the page works, it only forgets.
    }
  });
  if (typed) forgetters.push(() => { held.value = otherwise; });
  return held;
}

/** Forgets what was typed and not sent yet. */
export function forgetTyped() {
  for (const forget of forgetters) forget();
}

/** `light`, `dark`, or `auto`: as the system is. */
export const theme = kept("theme", "auto", (value) => ["auto", "light", "dark"].includes(value));

effect(() => {
  if (theme.value === "auto") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme.value;
});
