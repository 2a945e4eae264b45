// Controls: whom the node meets, what it gives and takes, when, and who uses what; a change holds at once.

import { FirstVisit } from "../../app/wizard.js";
import { Controls } from "./view.js";

export default {
  id: "controls",
  icon: "sliders-horizontal",
  style: true,
  view: Controls,
  always: FirstVisit,
};
