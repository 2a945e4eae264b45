// The pictures of the page: Lucide's, drawn in the colour of the text around them.

import { h } from "./view.js";
import drawings from "../vendor/lucide/icons.mjs";

/**
 * Draws an icon by its name in Lucide; the ones that are there are chosen in `xtask/src/vendor/icons.rs`. It says
 * nothing to a screen reader: the words stand beside it, or are the label of the button around it.
 */
export function Icon({ name, size = 18, class: of = "" }) {
  const attributes = {
    class: `icon ${of}`, viewBox: "0 0 24 24", width: size, height: size, fill: "none", stroke: "currentColor",
    "stroke-width": 1.9, "stroke-linecap": "round", "stroke-linejoin": "round", "aria-hidden": "true",
  };
  if (!Object.hasOwn(drawings, name)) console.error(`there is no icon ${name}: name it in xtask/src/vendor/icons.rs`);
  return h("svg", attributes, (drawings[name] ?? []).map(([tag, of]) => h(tag, of)));
}
