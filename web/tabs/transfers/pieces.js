// The map of a torrent's pieces, on a canvas: what is here, what is being fetched, and what connected peers have.

import { html, useEffect, useRef, useState } from "../../app/view.js";
import { bytes, number } from "../../app/format.js";
import { theme } from "../../app/kept.js";
import { colour } from "../../app/plot.js";
import { t } from "../../app/texts.js";

/** The largest and the smallest square of a piece in pixels, and the height of the map. Arbitrary. */
const LARGEST = 16;
const SMALLEST = 5;
const HEIGHT = 132;

/** From how many peers on a piece is shown as common. Arbitrary. */
const COMMON = 5;

/**
 * How the squares lie: their size, how many in a row, how many in all. One square stands for several pieces if need
 * be.
 */
function layOut(count, width) {
  let size = LARGEST;
  while (size > SMALLEST && Math.floor(width / size) * Math.floor(HEIGHT / size) < count) size -= 1;
  const columns = Math.max(1, Math.floor(width / size));
  const squares = Math.min(count, columns * Math.floor(HEIGHT / size));
  return { size, columns, squares };
}

/** What one square stands for. */
function sum(map, from, to) {
  let have = 0;
  let fetching = 0;
  let least = Infinity;
  for (let index = from; index < to; index += 1) {
    if (map.has(index)) have += 1;
    else {
      if (map.fetches(index)) fetching += 1;
      least = Math.min(least, map.available(index));
    }
  }
  return { have, fetching, least, count: to - from };
}

const range = (map, squares, square) => [
  Math.floor((square * map.count) / squares), Math.floor(((square + 1) * map.count) / squares),
];

function draw(canvas, map, width) {
  const { size, columns, squares } = layOut(map.count, width);
  const rows = Math.ceil(squares / columns);
  const scale = devicePixelRatio || 1;
  canvas.style.height = `${rows * size}px`;
  canvas.width = width * scale;
  canvas.height = rows * size * scale;
  const context = canvas.getContext("2d");
  context.scale(scale, scale);
  const [have, fetching, some, none] = ["up", "wait", "rest", "line"].map((name) => colour(canvas.parentElement, name));
  const side = size - (size > 6 ? 2 : 1);
  for (let square = 0; square < squares; square += 1) {
    const part = sum(map, ...range(map, squares, square));
    const x = (square % columns) * size;
    const y = Math.floor(square / columns) * size;
    context.globalAlpha = 1;
    context.fillStyle = none;
    context.fillRect(x, y, side, side);
    if (part.have === part.count) context.fillStyle = have;
    else if (part.fetching > 0) context.fillStyle = fetching;
    else if (part.have > 0) {
      context.globalAlpha = 0.25 + (0.6 * part.have) / part.count;
      context.fillStyle = have;
    } else {
      context.globalAlpha = part.least === 0 ? 0 : 0.2 + 0.5 * Math.min(1, part.least / COMMON);
      context.fillStyle = some;
    }
    context.fillRect(x, y, side, side);
  }
  return { size, columns, squares };
}

/** Says what the square under the pointer stands for. */
function words(map, { squares }, square) {
  const [from, to] = range(map, squares, square);
  const part = sum(map, from, to);
  const name = part.count === 1 ? t("pieces.one", { piece: number(from) })
    : t("pieces.several", { from: number(from), to: number(to - 1) });
  if (part.have === part.count) return `${name}: ${t("pieces.have")}`;
  if (part.fetching > 0) return `${name}: ${t("pieces.fetching")}`;
  return `${name}: ${t("pieces.peers", { count: part.least })}`;
}

export function PieceMap({ pieces }) {
  const canvas = useRef();
  const laid = useRef(null);
  const [width, setWidth] = useState(0);
  const [pointed, setPointed] = useState("");
  const { map } = pieces.value;
  const colours = theme.value;
  useEffect(() => {
    const observer = new ResizeObserver(([{ contentRect }]) => setWidth(Math.floor(contentRect.width)));
    observer.observe(canvas.current.parentElement);
    return () => observer.disconnect();
  }, []);
  useEffect(() => {
    if (map && width > 0) laid.current = draw(canvas.current, map, width);
  }, [pieces.value, width, colours]);
  const point = ({ offsetX, offsetY }) => {
    if (!laid.current) return;
    const { size, columns, squares } = laid.current;
    const square = Math.floor(offsetY / size) * columns + Math.floor(offsetX / size);
    setPointed(square < squares && offsetX < columns * size ? words(map, laid.current, square) : "");
  };
  let have = 0;
  let fetching = 0;
  for (let index = 0; index < (map?.count ?? 0); index += 1) {
    if (map.has(index)) have += 1;
    else if (map.fetches(index)) fetching += 1;
  }
  const summary = t("pieces.summary", { have, count: map?.count ?? 0, fetching, length: bytes(map?.length ?? 0) });
  return html`
    <figure class="pieces">
      <div><canvas ref=${canvas} role="img" aria-label=${summary} onPointerMove=${point}
        onPointerLeave=${() => setPointed("")} /></div>
      <figcaption>
        <span class="num">${pointed || summary}</span>
        <span class="keys" aria-hidden="true">
          <i class="have"></i>${t("pieces.key.have")}<i class="fetching"></i>${t("pieces.key.fetching")}
          <i class="some"></i>${t("pieces.key.some")}<i></i>${t("pieces.key.none")}
        </span>
      </figcaption>
    </figure>`;
}
