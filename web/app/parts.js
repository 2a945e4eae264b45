// The small parts that every tab is made of.

import { classes, html, useEffect, useId, useLayoutEffect, useRef, useState } from "./view.js";
import { useDraft } from "./draft.js";
import { Icon } from "./icons.js";
import { t } from "./texts.js";
import { tell } from "./toast.js";

/** A button with an icon; without `text`, `label` says what it does. */
export function Button({ icon, text, label, kind = "plain", small, onClick, class: of, ...rest }) {
  const name = classes(kind, !text && "round", small && "small", of);
  return html`
    <button type="button" class=${name} aria-label=${text ? undefined : label} title=${text ? undefined : label}
      onClick=${onClick} ...${rest}>${icon && html`<${Icon} name=${icon} size=${small ? 16 : 18} />`}${text}</button>`;
}

/** What went wrong, where it went wrong. */
export const Words = ({ problem }) => html`
  <div class="words bad" role="alert"><${Icon} name="circle-alert" /><p>${problem.message}</p></div>`;

/** A remark that is no failure. */
export const Note = ({ icon = "info", children }) => html`
  <div class="words"><${Icon} name=${icon} /><div>${children}</div></div>`;

/** What stands where nothing is yet: what would be here, and how it comes. */
export const Empty = ({ icon, title, text, children }) => html`
  <div class="empty">
    <span class="sign"><${Icon} name=${icon} size=${28} /></span>
    <h2>${title}</h2>
    ${text && html`<p>${text}</p>`}
    ${children && html`<div class="actions">${children}</div>`}
  </div>`;

/** A field with its label; `hint` says more. `children` gets the id to put on the input. */
export function Field({ label, hint, children }) {
  const id = useId();
  return html`
    <div class="field">
      <label for=${id}>${label}</label>
      ${children(id, hint ? `${id}-hint` : undefined)}
      ${hint && html`<p class="hint" id=${`${id}-hint`}>${hint}</p>`}
    </div>`;
}

/** What is folded away until somebody looks; `begins`: it is open from the start. */
export function Fold({ summary, begins = false, class: of, children }) {
  const [open, setOpen] = useDraft(`open ${summary}`, begins);
  return html`
    <details class=${of} open=${open} onToggle=${(event) => setOpen(event.currentTarget.open)}>
      <summary>${summary}</summary>${children}</details>`;
}

/** A field to search in. */
export const Search = ({ label, value, onChange }) => html`
  <label class="search"><${Icon} name="search" size=${16} />
    <input type="search" placeholder=${label} aria-label=${label} value=${value}
      onInput=${(event) => onChange(event.target.value)} /></label>`;

/** A switch with its label. */
export function Switch({ label, hint, checked, onChange, disabled }) {
  // What was chosen shows while it is being done, whatever is told meanwhile.
  const [wished, setWished] = useState(null);
  const change = async (event) => {
    const on = event.target.checked;
    setWished(on);
    try {
      await onChange(on);
    } finally {
      setWished(null);
    }
  };
  return html`
    <label class="switch">
      <input type="checkbox" role="switch" checked=${wished ?? checked} disabled=${disabled} onChange=${change} />
      <span class="track" aria-hidden="true"></span>
      <span class="text">${label}${hint && html`<small>${hint}</small>`}</span>
    </label>`;
}

/** How far something is. `part` of 1; `kind` colours it. */
export const Bar = ({ part, kind = "", label }) => html`
  <span class=${classes("bar", kind)} role="progressbar" aria-label=${label} aria-valuemin="0" aria-valuemax="100"
    aria-valuenow=${Math.floor(part * 100)}><span style=${{ transform: `scaleX(${part})` }}></span></span>`;

/** Chooses one of a few: `options` are `{ value, text, icon?, count? }`. */
export const Choice = ({ label, options, value, onChange, class: of }) => html`
  <div class=${classes("choice", of)} role="group" aria-label=${label}>
    ${options.map((option) => html`
      <button type="button" key=${option.value} aria-pressed=${option.value === value}
        onClick=${() => onChange(option.value)}>
        ${option.icon && html`<${Icon} name=${option.icon} size=${16} />`}${option.text}
        ${option.count > 0 && html`<span class="count">${option.count}</span>`}
      </button>`)}
  </div>`;

/**
 * Chooses one of a few that need words: `options` are `{ value, title, hint?, icon? }`. `look`: `plain` lines, `boxes`
 * one below the other, or `tiles` side by side. `unseen`: the label is read aloud only.
 */
export function Radios({ label, options, value, onChange, look = "plain", unseen }) {
  const name = useId();
  return html`
    <fieldset class=${classes("radios", look)}><legend class=${unseen && "unseen"}>${label}</legend>
      ${options.map((option) => html`
        <label key=${option.value}>
          <input class=${look === "tiles" && "unseen"} type="radio" name=${name} checked=${option.value === value}
            onChange=${() => onChange(option.value)} />
          ${option.icon && html`<${Icon} name=${option.icon} size=${20} />`}
          <span><b>${option.title}</b>${option.hint && html`<small>${option.hint}</small>`}</span>
        </label>`)}
    </fieldset>`;
}

/** Tabs inside a tab: links to places; `at` is the id of the one shown. */
export function Sections({ label, sections, at }) {
  const root = useRef();
  // Where they do not all fit, the one that is shown is in sight.
  useLayoutEffect(() => {
    const { current: nav } = root;
    const link = nav.querySelector("[aria-current]");
    if (link) nav.scrollLeft = link.offsetLeft - nav.offsetLeft - (nav.clientWidth - link.offsetWidth) / 2;
  }, [at]);
  return html`
    <nav class="sections" aria-label=${label} ref=${root}>
      ${sections.map(({ id, text, href, count }) => html`
        <a key=${id} href=${href} aria-current=${id === at ? "page" : undefined}>
          ${text}${count > 0 && html`<span class="count">${count}</span>`}
        </a>`)}
    </nav>`;
}

/** Puts a text on the clipboard. */
export async function copy(text, done = t("copied")) {
  try {
    await navigator.clipboard.writeText(text);
    tell(done);
  } catch {
    window.prompt(t("copy-by-hand"), text);
  }
}

/**
 * A button that opens a list of things to do: `items` are `{ text, icon?, act, danger?, off?, on?, count? }`;
 * `{ title }`: a heading; null: a line.
 */
export function Menu({ icon = "ellipsis", text, label, items, kind = "quiet", small, end = true }) {
  const [open, setOpen] = useState(false);
  const root = useRef();
  const list = useRef();
  useEffect(() => {
    if (!open) return undefined;
    const away = (event) => !root.current.contains(event.target) && setOpen(false);
    document.addEventListener("pointerdown", away);
    return () => document.removeEventListener("pointerdown", away);
  }, [open]);
  useLayoutEffect(() => {
    // Where there is no room, in the page or in what scrolls around it, it opens to the other side.
    if (!open) return;
    let around = root.current.parentElement;
    while (around && getComputedStyle(around).overflowY === "visible") around = around.parentElement;
    const box = (around ?? document.body).getBoundingClientRect();
    const limit = { right: Math.min(innerWidth, box.right), bottom: Math.min(innerHeight, box.bottom) };
    const button = root.current.getBoundingClientRect();
    const { right, bottom, width, height } = list.current.getBoundingClientRect();
    if (bottom > limit.bottom && button.top - Math.max(0, box.top) > height) list.current.classList.add("above");
    if (right > limit.right) list.current.classList.add("end");
    else if (end && button.right - width < Math.max(0, box.left)) list.current.classList.remove("end");
    // Before the next key comes, however fast.
    list.current.querySelector("button:not(:disabled)")?.focus();
  }, [open]);
  const leave = () => {
    setOpen(false);
    root.current.querySelector("button")?.focus();
  };
  const keys = (event) => {
    const all = [...list.current.querySelectorAll("button:not(:disabled)")];
    const at = all.indexOf(document.activeElement);
    const next = { ArrowDown: at + 1, ArrowUp: at - 1 + all.length, Home: 0, End: all.length - 1 }[event.key];
    if (next !== undefined) all[next % all.length]?.focus();
    else if (event.key === "Escape") leave();
    else if (event.key !== "Tab") return;
    else setOpen(false);
    if (event.key !== "Tab") event.preventDefault();
    event.stopPropagation();
  };
  return html`
    <span class="menu" ref=${root}>
      <${Button} icon=${icon} text=${text} label=${label} kind=${kind} small=${small} aria-haspopup="menu"
        aria-expanded=${open} onClick=${(event) => { event.stopPropagation(); setOpen(!open); }} />
      ${open && html`
        <div class=${classes("list", end && "end")} role="menu" aria-label=${label ?? text} ref=${list}
          onKeyDown=${keys}>
          ${items.map((item, index) => item === null ? html`<hr key=${index} role="separator" />`
            : item.title ? html`<p key=${index} class="title" role="presentation">${item.title}</p>` : html`
            <button key=${index} type="button" role=${item.on === undefined ? "menuitem" : "menuitemradio"}
              aria-checked=${item.on} disabled=${item.off} class=${classes(item.danger && "danger")}
              onClick=${(event) => { event.stopPropagation(); leave(); item.act(); }}>
              ${item.on !== undefined
                ? html`<${Icon} name="check" size=${16} class=${item.on ? "" : "hidden"} />`
                : item.icon && html`<${Icon} name=${item.icon} size=${16} />`}<span class="grow">${item.text}</span>
              ${item.count > 0 && html`<span class="count">${item.count}</span>`}
            </button>`)}
        </div>`}
    </span>`;
}

/** The head of a tab: its title, and what can be done. */
export const Head = ({ title, children }) => html`
  <header class="head"><h1>${title}</h1><span class="grow"></span>${children}</header>`;
