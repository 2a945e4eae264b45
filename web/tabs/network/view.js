// The tab and its parts.

import { html } from "../../app/view.js";
import { Head, Sections } from "../../app/parts.js";
import { to } from "../../app/router.js";
import { t } from "../../app/texts.js";
import { Connections } from "./connections.js";
import { neighbours, useNetwork } from "./data.js";
import { Dht } from "./dht.js";
import { Drawing } from "./drawing.js";
import { Reach } from "./reach.js";

const PARTS = { drawing: Drawing, connections: Connections, dht: Dht, reach: Reach };

export function Network({ place }) {
  useNetwork();
  const at = Object.hasOwn(PARTS, place[0]) ? place[0] : "drawing";
  const Part = PARTS[at];
  const sections = Object.keys(PARTS).map((id) => ({
    id, text: t(`network.section.${id}`), href: to("network", id),
      count: id === "connections" ? neighbours.value.length : 0,
  }));
  return html`
    <${Head} title=${t("tabs.network")} />
    <${Sections} label=${t("network.sections")} sections=${sections} at=${at} />
    <${Part} />`;
}
