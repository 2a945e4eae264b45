// Writes numbers for people.

import { locale, t } from "./texts.js";

const UNITS = ["B", "kB", "MB", "GB", "TB", "PB"];

/** Writes an amount of bytes: `1.4 GB`. Decimal, as disks and networks are sold. */
export function bytes(value) {
  if (value === null || value === undefined) return "";
  let unit = 0;
  let amount = value;
  while (amount >= 999.5 && unit < UNITS.length - 1) {
    amount /= 1000;
    unit += 1;
  }
  const digits = unit === 0 || amount >= 100 ? 0 : amount >= 10 ? 1 : 2;
  return t(`unit.${UNITS[unit]}`, { amount: number(amount, digits) });
}

/** Writes a rate, also of nothing: `0 B/s`. */
export const perSecond = (value) => t("unit.rate", { amount: bytes(value) });

/** Writes a rate: `1.4 MB/s`; nothing where nothing moves. */
export const rate = (value) => (value > 0 ? perSecond(value) : "");

/** Writes some milliseconds. */
export const milliseconds = (value) => t("unit.ms", { amount: number(value, value < 10 && value % 1 ? 1 : 0) });

const formats = new Map();

/** Writes a number with so many digits behind the point. */
export function number(value, digits = 0) {
  if (!formats.has(digits)) {
    const options = { minimumFractionDigits: digits, maximumFractionDigits: digits };
    formats.set(digits, new Intl.NumberFormat(locale, options));
  }
  return formats.get(digits).format(value);
}

/** Writes a part of 1 in percent. What is not done never reads 100 %. */
export function percent(part) {
  if (part >= 1) return "100%";
  const value = Math.floor(part * 1000) / 10;
  return `${number(value, value < 10 && value > 0 ? 1 : 0)}%`;
}

/** Writes how long something takes, by its two largest units: `3 h 20 min`. */
export function duration(seconds) {
  if (seconds === null || seconds === undefined) return "";
  const parts = [
    [Math.floor(seconds / 86400), "time.days"],
    [Math.floor(seconds / 3600) % 24, "time.hours"],
    [Math.floor(seconds / 60) % 60, "time.minutes"],
    [Math.floor(seconds) % 60, "time.seconds"],
  ];
  if (seconds >= 100 * 86400) return t("time.long");
  const first = parts.findIndex(([amount]) => amount > 0);
  if (first < 0) return t("time.seconds", { count: 0 });
  // Of ten minutes and more the seconds say nothing.
  const count = first === 2 && parts[2][0] >= 10 ? 1 : 2;
  const shown = parts.slice(first, first + count).filter(([amount]) => amount > 0);
  return shown.map(([amount, name]) => t(name, { count: amount })).join(" ");
}

/** Writes a ratio: `1.25`. */
export const ratio = (value) => number(value, value >= 100 ? 0 : 2);

/** Writes a moment, given in seconds since 1970. */
export function moment(seconds) {
  const options = { dateStyle: "medium", timeStyle: "short" };
  return seconds ? new Intl.DateTimeFormat(locale, options).format(new Date(seconds * 1000)) : "";
}

/** Writes how long ago a moment was, given in seconds. */
export const ago = (seconds) => (seconds < 5 ? t("time.now") : t("time.ago", { time: duration(seconds) }));
