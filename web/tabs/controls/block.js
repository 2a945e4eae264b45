// Blocking somebody: asked first, taken back by one click after.

import { api } from "../../app/api.js";
import { ask } from "../../app/dialog.js";
import { take } from "../../app/node.js";
import { t } from "../../app/texts.js";
import { attempt, tell } from "../../app/toast.js";

/** Changes whom the node meets; what was answered holds at once. */
export async function changeGate(change) {
  take("node", { gate: await api.patch("/gate", change) });
  return true;
}

/** Takes an entry off a list of the gate, and offers to put it back. */
export const unlist = (list, entry, name) => attempt(async () => {
  await changeGate({ [list]: { remove: [entry] } });
  tell(t(`controls.${list}.taken`, { name }), { text: t("controls.undo"),
    act: () => attempt(() => changeGate({ [list]: { add: [entry] } })) });
});

/** Blocks an entry of the gate (`node:…`, `person:…`, an address) after a yes. */
export async function block({ entry, name }) {
  const yes = await ask({ title: t("controls.block.ask", { name }), text: t("controls.block.what"),
    action: t("controls.block.do"), danger: true });
  if (!yes) return;
  await attempt(async () => {
    await changeGate({ block: { add: [entry] } });
    tell(t("controls.block.done", { name }), { text: t("controls.undo"), act: () => unlist("block", entry, name) });
  });
}
