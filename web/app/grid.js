// A table of any length: only the rows in sight are in the page, each follows its own thing, and all of it is worked
// with the keyboard (WAI-ARIA's grid, one stop for Tab).

import { classes, html, useEffect, useId, useLayoutEffect, useRef, useState } from "./view.js";
import { Icon } from "./icons.js";
import { t } from "./texts.js";

/** How many rows are drawn beyond each edge, so that scrolling shows no gap. Arbitrary. */
const BEYOND = 6;

function Row({ grid, id, index, thing, narrow, shown, chosen, current, template, height }) {
  const item = thing.value;
  const style = { transform: `translateY(${index * height}px)`, height: `${height}px`, gridTemplateColumns: template };
  return html`
    <div role="row" id=${id} class=${classes("row", grid.rowClass?.(item))} aria-rowindex=${index + 2} style=${style}
      aria-selected=${chosen} data-current=${current} data-index=${index}>
      ${narrow
        ? html`<div role="gridcell" class="cell card">${grid.card(item, chosen)}</div>`
        : shown.map((column) => html`
            <div role="gridcell" key=${column.id} class=${classes("cell", column.id, column.end && "end")}>
              ${column.cell(item, chosen)}
            </div>`)}
    </div>`;
}

/** Compares things by what `of` gives, the largest first if `down`; of those that are the same, by `key`. */
export const inOrder = (of, down, key) => (a, b) => {
  const [first, second] = [of(a), of(b)];
  if (first !== second) return (first < second) === Boolean(down) ? 1 : -1;
  return key(a) < key(b) ? -1 : 1;
};

/**
 * Shows many things in rows.
 * - `keys`: which, in order; `row(key)`: the signal of one.
 * - `columns`: `{ id, title, width, end?, sort?, from?, cell(item, chosen) }`; `from`: the width of the grid in
 *   pixels from which the column is shown; `card(item, chosen)`: a row where the grid is narrower than `cardsBelow`.
 * - `sort`: a signal of `{ by, down }`; `chosen`: a signal of the Set of chosen keys; `current`: a signal of one key.
 * - `onOpen(key)`, `onKey(event, keys)`, `rowClass(item)`, `label`.
 */
export function Grid(grid) {
  const { keys, columns, height = 52, cardHeight = 68, cardsBelow = 620, sort, chosen, current, label } = grid;
  const id = useId();
  const scroller = useRef();
  const [box, setBox] = useState({ width: 0, height: 0 });
  const [top, setTop] = useState(0);
  const anchor = useRef(null);

  useLayoutEffect(() => {
    const observer = new ResizeObserver(([{ contentRect }]) =>
      setBox({ width: contentRect.width, height: contentRect.height }));
    observer.observe(scroller.current);
    return () => observer.disconnect();
  }, []);

  const narrow = Boolean(grid.card) && box.width < cardsBelow;
  const rowHeight = narrow ? cardHeight : height;
  const shown = columns.filter(({ from = 0 }) => box.width >= from);
  const template = narrow ? "1fr" : shown.map(({ width }) => width).join(" ");
  const first = Math.max(0, Math.floor(top / rowHeight) - BEYOND);
  const last = Math.min(keys.length, Math.ceil((top + box.height) / rowHeight) + BEYOND);

  // Where rows went, the browser scrolls without telling.
  useEffect(() => {
    if (scroller.current.scrollTop !== top) setTop(scroller.current.scrollTop);
  }, [keys.length]);

  const reveal = (index) => {
    const head = scroller.current.querySelector(".columns")?.offsetHeight ?? 0;
    const from = index * rowHeight;
    const { scrollTop, clientHeight } = scroller.current;
    if (from < scrollTop) scroller.current.scrollTop = from;
    else if (from + rowHeight > scrollTop + clientHeight - head) {
      scroller.current.scrollTop = from + rowHeight - clientHeight + head;
    }
  };
  const choose = (index, event) => {
    const key = keys[index];
    if (event.shiftKey && chosen) {
      const from = Math.max(0, keys.indexOf(anchor.current ?? current.value));
      chosen.value = new Set(keys.slice(Math.min(from, index), Math.max(from, index) + 1));
    } else if ((event.ctrlKey || event.metaKey) && chosen) {
      toggle(key);
    } else {
      anchor.current = key;
      if (chosen?.value.size) chosen.value = new Set();
      current.value = key;
      grid.onOpen?.(key);
      return;
    }
    current.value = key;
  };
  const toggle = (key) => {
    const next = new Set(chosen.value);
    if (!next.delete(key)) next.add(key);
    chosen.value = next;
    anchor.current = key;
  };
  const click = (event) => {
    const row = event.target.closest("[role=row][data-index]");
    if (!row) return;
    const index = Number(row.dataset.index);
    if (event.target.closest(".pick") && chosen) {
      event.preventDefault();
      if (event.shiftKey) choose(index, event);
      else toggle(keys[index]);
      current.value = keys[index];
    } else if (!event.target.closest("button, a, input, select, .menu")) {
      choose(index, event);
    }
  };
  const press = (event) => {
    if (event.target !== scroller.current) return;
    const page = Math.max(1, Math.floor(box.height / rowHeight) - 1);
    const at = keys.indexOf(current.value);
    const next = { ArrowDown: at + 1, ArrowUp: at < 0 ? 0 : at - 1, PageDown: at + page, PageUp: at - page, Home: 0,
      End: keys.length - 1 }[event.key];
    if (next !== undefined && keys.length > 0) {
      const index = Math.min(keys.length - 1, Math.max(0, next));
      if (event.shiftKey) choose(index, event);
      else current.value = keys[index];
      reveal(index);
    } else if (event.key === " " && at >= 0 && chosen) toggle(keys[at]);
    else if (event.key === "Enter" && at >= 0) grid.onOpen?.(keys[at]);
    else if (event.key === "a" && (event.ctrlKey || event.metaKey) && chosen) chosen.value = new Set(keys);
    else if (event.key === "Escape" && chosen?.value.size) chosen.value = new Set();
    else {
      grid.onKey?.(event, chosen?.value.size ? [...chosen.value] : at >= 0 ? [keys[at]] : []);
      return;
    }
    event.preventDefault();
  };

  const rows = [];
  for (let index = first; index < last; index += 1) {
    const key = keys[index];
    const thing = grid.row(key);
    if (!thing) continue;
    rows.push(html`
      <${Row} key=${key} grid=${grid} id=${`${id}-${key}`} index=${index} thing=${thing} narrow=${narrow} shown=${shown}
        template=${template} height=${rowHeight} chosen=${chosen?.value.has(key) ?? false}
          current=${current?.value === key} />`);
  }
  const all = chosen && keys.length > 0 && chosen.value.size >= keys.length;
  return html`
    <div class=${classes("grid", narrow && "cards", chosen?.value.size > 0 && "choosing")} ref=${scroller} role="grid"
      tabindex="0" aria-label=${label} aria-rowcount=${keys.length + 1}
        aria-multiselectable=${chosen ? "true" : undefined}
      aria-activedescendant=${keys.includes(current?.value) ? `${id}-${current.value}` : undefined}
      onScroll=${() => setTop(scroller.current.scrollTop)} onClick=${click} onKeyDown=${press}>
      <div class="columns" role="row" aria-rowindex="1" style=${{ gridTemplateColumns: template }}>
        ${shown.map((column) => html`<${Heading} key=${column.id} column=${column} sort=${sort}
          pick=${column.id === "pick" && { all, choose: () => { chosen.value = new Set(all ? [] : keys); } }} />`)}
      </div>
      <div class="rows" role="rowgroup" style=${{ height: `${keys.length * rowHeight}px` }}>${rows}</div>
    </div>`;
}

function Heading({ column, sort, pick }) {
  const by = sort?.value.by === column.id;
  const order = by ? (sort.value.down ? "descending" : "ascending") : "none";
  const turn = () => {
    sort.value = { by: column.id, down: by ? !sort.value.down : Boolean(column.down) };
  };
  return html`
    <div role="columnheader" class=${classes("cell", column.id, column.end && "end")}
      aria-sort=${column.sort ? order : undefined}>
      ${pick
        ? html`<input type="checkbox" tabindex="-1" aria-label=${t("choose-all")} checked=${pick.all}
            onClick=${(event) => { event.stopPropagation(); pick.choose(); }} />`
        : column.sort
          ? html`<button type="button" tabindex="-1" onClick=${turn}>${column.title}
              <${Icon} name=${sort.value.down ? "arrow-down" : "arrow-up"} size=${13}
                class=${by ? "" : "hidden"} /></button>`
          : html`<span>${column.title}</span>`}
    </div>`;
}

/** The box by which a row is chosen; it shows what the thing is until somebody means to choose. */
export const Pick = ({ icon, kind, name, chosen }) => html`
  <label class=${classes("pick", kind)}>
    <input type="checkbox" tabindex="-1" checked=${chosen} aria-label=${t("choose", { name })} />
    <${Icon} name=${icon} />
  </label>`;
