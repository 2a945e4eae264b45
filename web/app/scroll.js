// Where the page was scrolled to: after a reload it is there again, in every list and text.

import { kept } from "./kept.js";
import { route } from "./router.js";

/** For how long a place is waited for that has to be loaded first, in milliseconds. Arbitrary. */
const WAIT_MS = 30_000;

/** For how many pictures of the screen a place has to stay before it is left alone. Arbitrary: a third of a second. */
const HELD = 20;

/** How many places are remembered. Arbitrary: a page has a few. */
const MOST = 20;

const isPlace = (value) => typeof value?.of === "string" && Number.isInteger(value.nth) && Number.isFinite(value.at);

/**
 * What was scrolled when the page was left: the tab, and by element where it was; `at` is counted from the end in what
 * grows at its end, as conversations do.
 */
const left = kept("scroll", { tab: "", places: [] },
  (value) => typeof value?.tab === "string" && Array.isArray(value.places) && value.places.every(isPlace),
  { here: true });

const grows = (element) => element.getAttribute("role") === "log";
const room = (element) => element.scrollHeight - element.clientHeight;

/** A selector for elements like this one: what they are, and what kind of them. */
const like = ({ localName, classList }) => [localName, ...[...classList].slice(0, 1).map(CSS.escape)].join(".");

function remember() {
  const found = [];
  for (const element of document.querySelectorAll("#page main *, #page dialog *")) {
    if (element.scrollTop === 0 && !(grows(element) && room(element) > 0)) continue;
    const of = like(element);
    const nth = [...document.querySelectorAll(of)].indexOf(element);
    const at = grows(element) ? room(element) - element.scrollTop : element.scrollTop;
    found.push({ of, nth, at: Math.round(at) });
  }
  left.value = { tab: route.peek().tab, places: found.slice(0, MOST) };
}

/** Puts one where it was, as far as it can be; -> whether it is there. */
function put({ of, nth, at }) {
  const element = document.querySelectorAll(of)[nth];
  if (!element) return false;
  const top = grows(element) ? room(element) - at : at;
  if (Math.abs(element.scrollTop - top) > 1) element.scrollTop = Math.max(0, top);
  return Math.abs(element.scrollTop - top) <= 1;
}

/** Remembers from now on, and goes where it was before a reload; whoever scrolls meanwhile is let alone. */
export function keepScroll() {
  window.addEventListener("pagehide", remember);
  document.addEventListener("visibilitychange", () => document.hidden && remember());
  const { tab, places } = left.peek();
  if (tab !== route.peek().tab || places.length === 0) return;
  const waiting = places.map((place) => ({ place, held: 0 }));
  const end = performance.now() + WAIT_MS;
  let over = false;
  const stop = () => { over = true; };
  for (const name of ["wheel", "touchstart", "pointerdown", "keydown", "hashchange"]) {
    window.addEventListener(name, stop, { once: true, passive: true, capture: true });
  }
  const step = () => {
    if (over || performance.now() > end || route.peek().tab !== tab) return;
    const late = waiting.filter(({ held }) => held < HELD);
    for (const one of late) one.held = put(one.place) ? one.held + 1 : 0;
    if (late.length > 0) requestAnimationFrame(step);
  };
  requestAnimationFrame(step);
}
