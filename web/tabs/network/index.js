// Network: the node among others, drawn and in tables.

import { Network } from "./view.js";

export default {
  id: "network",
  icon: "waypoints",
  style: true,
  view: Network,
};
