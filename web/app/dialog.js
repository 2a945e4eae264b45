// Dialogs: the browser's own, so that the focus is kept inside, Escape closes, and the rest is out of reach. Those that
// are lasting are open again after a reload, with what was typed into them.

import {
  classes, html, signal, useEffect, useErrorBoundary, useId, useLayoutEffect, useRef, useState,
} from "./view.js";
import { forget, forgetAllBut, Scope } from "./draft.js";
import { Icon } from "./icons.js";
import { kept } from "./kept.js";
import { told } from "./node.js";
import { Words } from "./parts.js";
import { t } from "./texts.js";
import { Toasts } from "./toast.js";

const opened = signal([]);

/** The lasting ones by their names. */
const views = new Map();

const isRecord = (value) => typeof value?.view === "string" && typeof value.number === "number";

/** Those that were open before a reload, and are now: `{ number, view, props }`. */
const remembered = kept("dialogs", [], (value) => Array.isArray(value) && value.every(isRecord), { here: true });

let number = Math.max(0, ...remembered.peek().map((one) => one.number));

/** How the scopes of what is typed into dialogs begin. */
const SCOPE = "dialog ";

const scopeOf = (which) => `${SCOPE}${which}/`;

/**
 * Names dialogs that a reload does not close: their props are plain data, no secrets, and what follows from them is
 * done by themselves.
 */
export function lasting(named) {
  for (const [name, view] of Object.entries(named)) views.set(name, view);
}

function show(one) {
  one.closed = new Promise((resolve) => {
    one.close = (result) => {
      if (!opened.peek().includes(one)) return;
      opened.value = opened.peek().filter((other) => other !== one);
      remembered.value = remembered.peek().filter((other) => other.number !== one.number);
      forget(one.scope);
      resolve(result);
    };
  });
  opened.value = [...opened.peek(), one];
  const name = [...views.keys()].find((key) => views.get(key) === one.view);
  if (name) remembered.value = [...remembered.peek(), { number: one.number, view: name, props: one.props }];
  return one.closed;
}

/**
 * Opens a dialog: `view` gets the props, and `close(result)`. -> What it was closed with; undefined: it was left.
 * `scope`: the name of what is typed into it, for one that whoever opened it opens again after a reload.
 */
export function openDialog(view, props = {}, { scope } = {}) {
  const same = scope && opened.peek().find((one) => one.scope === scope);
  if (same) return same.closed;
  number += 1;
  return show({ number, view, props, scope: scope ?? scopeOf(number) });
}

/** Opens those again that a reload closed. */
function reopen() {
  const isOpen = (record) => opened.peek().some((one) => one.number === record.number);
  const before = remembered.peek().filter((record) => !isOpen(record));
  remembered.value = remembered.peek().filter(isOpen);
  for (const { number: which, view, props } of before) {
    if (views.has(view)) show({ number: which, view: views.get(view), props, scope: scopeOf(which) });
  }
  forgetAllBut(SCOPE, opened.peek().map(({ scope }) => scope));
}

/** Whether a dialog is open. */
export const dialogOpen = () => opened.peek().length > 0;

let again = false;

/** One of them, with what is typed into it. One that cannot be drawn goes: what it was about is gone. */
function Open({ one: { view: View, props, scope, close } }) {
  useErrorBoundary((failure) => {
    console.error(failure);
    close();
  });
  return html`<${Scope.Provider} value=${scope}><${View} ...${props} close=${close} /><//>`;
}

/** All that are open. */
export function Dialogs() {
  useEffect(() => {
    // They show what the node tells.
    if (!told.value || again) return;
    again = true;
    reopen();
  }, [told.value]);
  return opened.value.map((one) => html`<${Open} key=${one.number} one=${one} />`);
}

/**
 * The frame of a dialog: a title, the content, and buttons at its foot.
 * `submit`: what Enter and the main button do; what it throws is shown. `wide`: for lists.
 */
export function Dialog({ title, close, submit, action, danger, disabled, wide, secondary, children }) {
  const ref = useRef();
  const id = useId();
  const [problem, setProblem] = useState(null);
  const [busy, setBusy] = useState(false);
  useLayoutEffect(() => {
    const before = document.activeElement;
    ref.current.showModal();
    ref.current.querySelector("[autofocus]")?.focus();
    return () => before?.focus?.({ preventScroll: true });
  }, []);
  const run = async (event) => {
    event.preventDefault();
    if (busy || disabled || !submit) return;
    setBusy(true);
    setProblem(null);
    try {
      const result = await submit();
      if (result !== false) close(result ?? true);
    } catch (failure) {
      setProblem(failure);
    } finally {
      setBusy(false);
    }
  };
  return html`
    <dialog ref=${ref} class=${classes("dialog", wide && "wide")} aria-labelledby=${id}
      onCancel=${(event) => { event.preventDefault(); close(); }}
      onPointerDown=${(event) => event.target === ref.current && outside(ref.current, event) && close()}>
      <form onSubmit=${run}>
        <header>
          <h2 id=${id}>${title}</h2>
          <button type="button" class="quiet round" aria-label=${t("close")} onClick=${() => close()}>
            <${Icon} name="x" /></button>
        </header>
        <div class="content">
          ${children}
          ${problem && html`<${Words} problem=${problem} />`}
        </div>
        ${(submit || secondary) && html`
          <footer>
            ${secondary}
            <span class="grow"></span>
            <button type="button" class="plain" onClick=${() => close()}>${t("cancel")}</button>
            ${submit && html`
              <button type="submit" class=${danger ? "danger" : "primary"} disabled=${disabled || busy}>
                ${busy && html`<${Icon} name="loader-circle" class="turning" />`}${action}
              </button>`}
          </footer>`}
      </form>
      <${Toasts} />
    </dialog>`;
}

function outside(dialog, { clientX, clientY }) {
  const box = dialog.getBoundingClientRect();
  return clientX < box.left || clientX > box.right || clientY < box.top || clientY > box.bottom;
}

/** Asks for a yes. `text` says what follows from it; -> whether it came. */
export async function ask({ title, text, action, danger, children }) {
  const view = ({ close }) => html`
    <${Dialog} title=${title} close=${close} submit=${() => true} action=${action} danger=${danger}>
      ${text && html`<p>${text}</p>`}${children}
    <//>`;
  return (await openDialog(view)) === true;
}
