// Fields for amounts and rates, as people write them, and for counts. What is written holds as soon as it is left, or
// Enter is pressed.

import { classes, html, useEffect, useId } from "../../app/view.js";
import { useDraft } from "../../app/draft.js";
import { bytes, perSecond } from "../../app/format.js";
import { t } from "../../app/texts.js";

const UNITS = { "": 1e3, k: 1e3, m: 1e6, g: 1e9, t: 1e12 };

/**
 * Reads `500`, `500 kB/s`, `20G`: bytes; a number alone counts in `unit`s. null: nothing; undefined: not understood.
 */
export function readBytes(text, unit = 1e3) {
  const trimmed = text.trim();
  if (trimmed === "") return null;
  const [, number, letter, rest] = /^([\d.,]+)\s*([kmgt]?)(.*)$/i.exec(trimmed) ?? [];
  const value = Number(number?.replace(",", "."));
  if (number === undefined || Number.isNaN(value)
    || !/^(i?b?(yte)?s?)?(\s*\/\s*s|\s*ps)?$/i.test(rest)) return undefined;
  const plain = letter === "" && /^b/i.test(rest);
  return Math.round(value * (plain ? 1 : letter === "" ? unit : UNITS[letter.toLowerCase()]));
}

/** Reads a count. */
export function readCount(text) {
  if (text.trim() === "") return null;
  return /^\d+$/.test(text.trim()) ? Number(text.trim()) : undefined;
}

/** How a kind of value is written and read. */
export const KINDS = {
  rate: { write: (value) => (value ? perSecond(value) : ""), read: (text) => readBytes(text),
    wrong: "controls.wrong.rate", mode: "text" },
  amount: { write: (value) => (value ? bytes(value) : ""), read: (text) => readBytes(text, 1e9),
    wrong: "controls.wrong.amount", mode: "text" },
  count: { write: (value) => (value ? String(value) : ""), read: readCount, wrong: "controls.wrong.count",
    mode: "numeric" },
};

/**
 * A field for a limit. `onChange(value)` gets what was written, null for nothing, when it is left; `live`: with each
 * letter, undefined for what is not understood, for dialogs. `now`: what holds at this moment, where it is another
 * one.
 */
export function Limit({ label, kind, value, onChange, live, none = t("controls.none"), hint }) {
  const id = useId();
  const { write, read, wrong, mode } = KINDS[kind];
  // What is being written; null: nothing, and the value itself is shown.
  const [typed, setTyped] = useDraft(`limit ${label}`, null);
  const text = typed ?? write(value);
  const understood = read(text);
  const bad = understood === undefined;
  // What was written before a reload counts.
  useEffect(() => { if (live && typed !== null) onChange(understood); }, []);
  const keep = () => {
    if (bad || live) return;
    setTyped(null);
    if (text !== write(value) && (understood || null) !== (value || null)) onChange(understood || null);
  };
  const put = (event) => {
    setTyped(event.target.value);
    if (live) onChange(read(event.target.value));
  };
  const press = (event) => {
    if (event.key === "Enter" && !live) keep();
    if (event.key === "Escape" && typed !== null && !live) {
      event.stopPropagation();
      setTyped(null);
    }
  };
  return html`
    <div class=${classes("limit", bad && "bad")}>
      <label for=${id}>${label}</label>
      <input id=${id} value=${text} inputmode=${mode} placeholder=${none} autocomplete="off" spellcheck=${false}
        aria-invalid=${bad}
        aria-describedby=${`${id}-more`} onInput=${put} onBlur=${keep} onKeyDown=${press} />
      <small id=${`${id}-more`} role=${bad ? "alert" : undefined}>${bad ? t(wrong) : hint}</small>
    </div>`;
}
