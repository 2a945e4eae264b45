// Where the page is, by the hash of its address: `#/transfers/ID/files?sort=name`.

import { signal } from "./view.js";

/** A part of the address; one that is broken stands for itself. */
function decode(part) {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

const read = () => {
  const [path, query = ""] = location.hash.replace(/^#\/?/, "").split("?");
  const [tab = "", ...rest] = path.split("/").map(decode);
  return { tab, rest, query: new URLSearchParams(query) };
};

/** Where the page is: `{ tab, rest: ["ID", "files"], query }`. */
export const route = signal(read());

window.addEventListener("hashchange", () => {
  route.value = read();
});

/** The address of a place of the page, for `href`. */
export const to = (...parts) => `#/${parts.filter((part) => part !== undefined).map(encodeURIComponent).join("/")}`;

/** Goes to a place; `replace`: the way back does not lead here. */
export function go(address, { replace = false } = {}) {
  if (replace) {
    history.replaceState(null, "", address);
    route.value = read();
  } else {
    location.hash = address;
  }
}
