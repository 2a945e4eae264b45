// Plots over time, by uPlot, in the page's colours.

import uPlot from "../vendor/uplot/uPlot.esm.js";
import { effect, html, untracked, useEffect, useRef } from "./view.js";
import { perSecond } from "./format.js";
import { theme } from "./kept.js";
import { locale } from "./texts.js";

const clock = new Intl.DateTimeFormat(locale,
  { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" });
const dark = matchMedia("(prefers-color-scheme: dark)");

/** A colour of the tokens as a canvas understands it. */
export function colour(element, name) {
  const probe = document.createElement("i");
  probe.style.color = `var(--${name})`;
  element.append(probe);
  const value = getComputedStyle(probe).color;
  probe.remove();
  return value;
}

/** The least time that is shown, in seconds: the labels differ from one another then. */
const LEAST_S = 30;

const withAlpha = (value, alpha) => value.replace(/^rgb\((.*)\)$/, `rgba($1, ${alpha})`);

function settings(element, { series, height, format }) {
  const soft = colour(element, "text-soft");
  const line = colour(element, "line");
  const axis = { stroke: soft, font: "11px system-ui", grid: { stroke: line, width: 1 }, ticks: { show: false },
    border: { show: false } };
  return {
    width: element.clientWidth, height,
    cursor: { y: false, points: { size: 6 } },
    legend: { show: false },
    // At the right, half of a time has room.
    padding: [8, 26, 0, 0],
    scales: {
      x: { range: (_, low, high) => [Math.min(low, high - LEAST_S), high] },
      y: { range: (_, low, high) => [0, Math.max(high * 1.1, 1024)] },
    },
    axes: [
      { ...axis, grid: { show: false }, size: 26, space: 84,
        values: (_, values) => values.map((at) => clock.format(new Date(at * 1000))) },
      { ...axis, size: 68, values: (_, values) => values.map((value) => (value ? format(value) : "0")) },
    ],
    series: [{}, ...series.map(({ label, token }) => {
      const stroke = colour(element, token);
      return { label, stroke, width: 1.6, fill: withAlpha(stroke, 0.1), points: { show: false } };
    })],
  };
}

/**
 * Draws lines over time. `data` is a signal of uPlot's columns: seconds since 1970, then the values of each of `series`
 * (`{ label, token }`). `label` says in words what is seen.
 */
export function Plot({ data, series, height = 150, format = perSecond, label }) {
  const place = useRef();
  useEffect(() => {
    let plot = null;
    // Where nothing is known yet, the time goes on all the same; around a single moment a whole day would be shown.
    const columns = () => (data.value[0].length > 1 ? data.value
      : [[Date.now() / 1000 - LEAST_S, Date.now() / 1000], ...data.value.slice(1).map(([now = null]) => [null, now])]);
    const draw = () => {
      plot?.destroy();
      plot = new uPlot(settings(place.current, { series, height, format }), untracked(columns), place.current);
    };
    const observer = new ResizeObserver(([{ contentRect }]) => plot?.setSize({ width: contentRect.width, height }));
    observer.observe(place.current);
    dark.addEventListener("change", draw);
    const endTheme = effect(() => {
      theme.value;
      draw();
    });
    const endData = effect(() => plot.setData(columns()));
    return () => {
      endTheme();
      endData();
      observer.disconnect();
      dark.removeEventListener("change", draw);
      plot.destroy();
    };
  }, []);
  return html`
    <figure class="plot" aria-label=${label}>
      <div ref=${place} style=${{ height: `${height}px` }}></div>
      <figcaption>${series.map(({ label: name, token }) => html`
        <span key=${token}><i style=${{ background: `var(--${token})` }}></i>${name}</span>`)}</figcaption>
    </figure>`;
}
