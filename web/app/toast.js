// Short words at the edge of the page: what was done, what went wrong. They lie over everything, cover nothing (what is
// below makes room for them), and go by their button or by Escape.

import { classes, html, signal, useEffect, useLayoutEffect, useRef } from "./view.js";
import { Icon } from "./icons.js";
import { t } from "./texts.js";

/** How long words stay, in milliseconds; a problem stays until it is closed. Arbitrary: time to read a line twice. */
const STAY_MS = 5000;

/** How many are shown at once; the oldest goes first. Arbitrary. */
const MOST = 4;

const shown = signal([]);
let number = 0;

function show(toast) {
  number += 1;
  const one = { ...toast, number };
  shown.value = [...shown.value.filter(({ text }) => text !== one.text), one].slice(-MOST);
  if (!one.bad) setTimeout(() => hide(one.number), STAY_MS);
}

const hide = (which) => {
  shown.value = shown.value.filter((one) => one.number !== which);
};

/** Says that something was done; `action`: `{ text, act }`, a button beside it. */
export const tell = (text, action) => show({ text, action });

/** Says what went wrong. */
export const tellProblem = (problem) => {
  if (problem?.name === "AbortError") return;
  if (!problem?.status && problem?.name !== "Problem") console.error(problem);
  show({ text: problem.message, bad: true });
};

/** Does something and says what went wrong with it; -> its result, or undefined. */
export async function attempt(act, done) {
  try {
    const result = await act();
    if (done) tell(done);
    return result ?? true;
  } catch (problem) {
    tellProblem(problem);
    return undefined;
  }
}

/** Where words can be shown: the page, and each open dialog. The last one shows them: the rest is out of reach. */
const places = signal([]);

/** What the words need of the window's height, for what makes room: `--toasts` in the styles. */
const takeRoom = (pixels) => document.documentElement.style.setProperty("--toasts", `${pixels}px`);

/** The words, in the top layer of the browser: stands once in the page, and once in each dialog. */
export function Toasts() {
  const root = useRef();
  const here = places.value.at(-1) === root;
  const all = here ? shown.value : [];
  useLayoutEffect(() => {
    places.value = [...places.peek(), root];
    return () => { places.value = places.peek().filter((one) => one !== root); };
  }, []);
  useLayoutEffect(() => {
    if (!here) return undefined;
    const { current: box } = root;
    // What opened last lies on top. It is open without words, too: a screen reader hears what comes into it.
    if (box.matches(":popover-open")) box.hidePopover();
    box.showPopover();
    takeRoom(all.length > 0 ? box.offsetHeight : 0);
    return undefined;
  }, [here, all]);
  useEffect(() => {
    // Within a dialog Escape closes that.
    const press = (event) => {
      if (event.key !== "Escape" || event.defaultPrevented || places.peek().length > 1 || !shown.peek().length) return;
      hide(shown.peek().at(-1).number);
    };
    document.addEventListener("keydown", press);
    return () => document.removeEventListener("keydown", press);
  }, []);
  return html`
    <div class="toasts" role="status" aria-live="polite" popover="manual" ref=${root}>
      ${all.map(({ number: key, text, bad, action }) => html`
        <div key=${key} class=${classes("toast", bad && "bad")}>
          <${Icon} name=${bad ? "circle-alert" : "circle-check"} />
          <p>${text}</p>
          ${action && html`<button type="button" class="plain"
            onClick=${() => { hide(key); action.act(); }}>${action.text}</button>`}
          <button type="button" class="quiet round" aria-label=${t("close")} onClick=${() => hide(key)}>
            <${Icon} name="x" size=${16} /></button>
        </div>`)}
    </div>`;
}
