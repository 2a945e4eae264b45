// What the controls are about, and how it is changed: at once, said, and taken back by a click.

import { computed, signal } from "../../app/view.js";
import { api } from "../../app/api.js";
import { node, take } from "../../app/node.js";
import { t } from "../../app/texts.js";
import { attempt, tell } from "../../app/toast.js";

const PARTS = { gate: "/gate", budget: "/budget", schedule: "/schedule", offers: "/offers", settings: "/settings" };

/** Why the parts could not be read; null: they were. */
export const trouble = signal(null);

/** Whether everything is here. */
export const ready = computed(() => Object.keys(PARTS).every((name) => node[name].value !== null));

/** Reads what the stream of events did not tell. */
export async function readParts() {
  const missing = Object.entries(PARTS).filter(([name]) => node[name].peek() === null);
  try {
    await Promise.all(missing.map(async ([name, path]) => take("node", { [name]: await api.get(path) })));
    trouble.value = null;
  } catch (problem) {
    trouble.value = problem;
  }
}

/** Does `act`, says `done`, and offers to `undo`; what went wrong is said. -> Whether it went well. */
export const change = (act, done, undo) => attempt(async () => {
  await act();
  if (done) tell(done, undo && { text: t("controls.undo"), act: () => attempt(undo, t("controls.undone")) });
});

export const patchBudget = async (fields) => take("node", { budget: await api.patch("/budget", fields) });

export const patchSettings = async (fields) => take("node", { settings: await api.patch("/settings", fields) });

export async function putSchedule(windows) {
  const plain = windows.map(({ active, ...window }) => window);
  take("node", { schedule: await api.put("/schedule", plain) });
}

export async function patchOffer(service, fields) {
  const answer = await api.patch(`/offers/${service}`, fields);
  take("node", { offers: node.offers.value.map((offer) => (offer.service === service ? answer : offer)) });
}

/** A limit as the budget takes it: 0 takes it away. */
export const orNone = (value) => value ?? 0;
