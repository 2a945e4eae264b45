// Until when a torrent is seeded.

import { html } from "../../app/view.js";
import { api } from "../../app/api.js";
import { Dialog, lasting, openDialog } from "../../app/dialog.js";
import { useDraft } from "../../app/draft.js";
import { duration, ratio } from "../../app/format.js";
import { torrents } from "../../app/node.js";
import { Field } from "../../app/parts.js";
import { t } from "../../app/texts.js";
import { attempt, tell } from "../../app/toast.js";
import { eachOf } from "./each.js";

/** A goal in words. */
export function goalWords({ ratio: much, time_s: long, idle_s: idle }) {
  const parts = [
    much !== null && t("goal.at-ratio", { ratio: ratio(much) }),
    long !== null && t("goal.at-time", { time: duration(long) }),
    idle !== null && t("goal.at-idle", { time: duration(idle) }),
  ].filter(Boolean);
  return parts.length > 0 ? parts.join(", ") : t("goal.none");
}

const read = (text) => (text.trim() === "" ? null : Number(text.replace(",", ".")));
const minutes = (text) => (read(text) === null ? null : Math.round(read(text) * 60));
const write = (value, by = 1) => (value === null ? "" : String(value / by));

function GoalDialog({ ids, goal, close }) {
  const [much, setMuch] = useDraft("much", write(goal.ratio));
  const [long, setLong] = useDraft("long", write(goal.time_s, 60));
  const [idle, setIdle] = useDraft("idle", write(goal.idle_s, 60));
  const wrong = [much, long, idle].some((text) => text.trim() !== "" && !(read(text) >= 0));
  const submit = async () => {
    const wanted = { ratio: read(much), time_s: minutes(long), idle_s: minutes(idle) };
    const { problem } = await eachOf(ids, (id) => api.put(`/torrents/${id}/goal`, wanted));
    if (problem) throw problem;
    tell(t("goal.done"));
  };
  const input = (value, set, focus) => (id, hint) => html`
    <input id=${id} aria-describedby=${hint} inputmode="decimal" autocomplete="off" autofocus=${focus} value=${value}
      placeholder=${t("goal.never")} onInput=${(event) => set(event.target.value)} />`;
  return html`
    <${Dialog} title=${t("goal.title")} close=${close} submit=${submit} action=${t("limit.action")} disabled=${wrong}>
      <p class="soft">${ids.length === 1 ? torrents.row(ids[0])?.peek().name
        : t("transfers.chosen", { count: ids.length })}</p>
      <p>${t("goal.text")}</p>
      <${Field} label=${t("goal.ratio")} hint=${t("goal.ratio-hint")}>${input(much, setMuch, true)}<//>
      <${Field} label=${t("goal.time")}>${input(long, setLong)}<//>
      <${Field} label=${t("goal.idle")}>${input(idle, setIdle)}<//>
    <//>`;
}

lasting({ "transfers.goal": GoalDialog });

/** Asks until when these are seeded. */
export async function changeGoal(ids) {
  const goal = await attempt(() => api.get(`/torrents/${ids[0]}/goal`));
  if (goal) openDialog(GoalDialog, { ids, goal });
}
