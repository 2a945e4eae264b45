// Transfers: all torrents of the node, live.

import { torrents } from "../../app/node.js";
import { Catcher } from "./add.js";
import { Transfers } from "./view.js";

export default {
  id: "transfers",
  icon: "arrow-down-up",
  style: true,
  view: Transfers,
  always: Catcher,
  badge: () => torrents.list("state").filter(({ state }) => state === "failed").length,
};
