// What a torrent is doing, in words, a colour and a picture.

import { bytes, duration, percent, rate } from "../../app/format.js";
import { t } from "../../app/texts.js";
import { isUndecided } from "./undecided.js";

const LOOKS = {
  metadata: ["hourglass", "wait"],
  checking: ["list-checks", "wait"],
  downloading: ["circle-arrow-down", "down"],
  seeding: ["circle-arrow-up", "up"],
  paused: ["circle-pause", "rest"],
  done: ["circle-check", "up"],
  failed: ["circle-x", "bad"],
};

/** Finer than the API's state: a finished one that rests is complete. */
export const stateOf = (torrent) => (torrent.state === "paused" && torrent.complete ? "done" : torrent.state);

export const iconOf = (torrent) => LOOKS[stateOf(torrent)]?.[0] ?? "hourglass";
export const kindOf = (torrent) => LOOKS[stateOf(torrent)]?.[1] ?? "wait";

/** What it is doing, in a few words. */
export function words(torrent) {
  if (torrent.error) return torrent.error;
  if (isUndecided(torrent)) return t("transfers.state.undecided");
  const state = stateOf(torrent);
  const waiting = state === "downloading" && torrent.peers === 0;
  return t(`transfers.state.${waiting ? "waiting" : state}`);
}

/** How much of it is here. */
export function amount({ wanted_bytes: wanted, done_bytes: done, total_bytes: total }) {
  if (!total) return "";
  return done >= wanted ? bytes(wanted) : t("transfers.of", { done: bytes(done), total: bytes(wanted) });
}

/** One line for a phone: progress, rates and time. */
export function line(torrent) {
  const parts = [];
  const state = stateOf(torrent);
  if (state !== "downloading" || torrent.peers === 0) parts.push(words(torrent));
  if (!torrent.complete && torrent.total_bytes) parts.push(percent(torrent.progress));
  else if (torrent.total_bytes) parts.push(bytes(torrent.wanted_bytes));
  if (torrent.download_bytes_per_s) parts.push(`↓ ${rate(torrent.download_bytes_per_s)}`);
  if (torrent.upload_bytes_per_s) parts.push(`↑ ${rate(torrent.upload_bytes_per_s)}`);
  if (state === "downloading" && torrent.left_s) parts.push(t("transfers.left", { time: duration(torrent.left_s) }));
  return parts.join(" · ");
}
