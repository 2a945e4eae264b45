// The tab: one page, whose parts can be jumped to.

import { html, useEffect, useRef } from "../../app/view.js";
import { connection, node } from "../../app/node.js";
import { Button, Head, Note, Sections, Words } from "../../app/parts.js";
import { to } from "../../app/router.js";
import { t } from "../../app/texts.js";
import { useUsage } from "../../app/usage.js";
import { Giving } from "./budget.js";
import { Meeting } from "./meet.js";
import { Days, Now, Pause } from "./now.js";
import { Offers } from "./offers.js";
import { Week } from "./schedule.js";
import { Settings } from "./settings.js";
import { readParts, ready, trouble } from "./state.js";

const PARTS = { now: Now, limits: Giving, schedule: Week, meeting: Meeting, services: Offers, settings: Settings,
  days: Days };

/** The room above a part that is jumped to, in pixels. */
const GAP = 12;

export function Controls({ place: [at] }) {
  const root = useRef();
  useUsage();
  useEffect(() => {
    if (connection.value === "open" && !ready.value) readParts();
  }, [connection.value, ready.value]);
  useEffect(() => {
    if (!ready.value || !at) return;
    const part = root.current?.querySelector(`#${CSS.escape(`controls-${at}`)}`);
    if (!part) return;
    // Not by scrollIntoView, which would move the frame around it, too.
    root.current.scrollTop = part.offsetTop - root.current.offsetTop - GAP;
    part.focus({ preventScroll: true });
  }, [at, ready.value]);
  const sections = Object.keys(PARTS).map((id) => ({ id, text: t(`controls.${id}.tab`), href: to("controls", id) }));
  const mistake = node.gate.value?.message ?? node.settings.value?.mistake;
  return html`
    <${Head} title=${t("tabs.controls")}>${ready.value && html`<${Pause} />`}<//>
    <${Sections} label=${t("controls.sections")} sections=${sections} at=${at ?? "now"} />
    <div class="page" ref=${root} tabindex="0" role="region" aria-label=${t("tabs.controls")}>
      ${trouble.value && html`<${Words} problem=${trouble.value} /><${Button} text=${t("controls.again")}
        onClick=${readParts} />`}
      ${mistake && html`<${Note} icon="circle-alert"><b>${t("controls.mistake")}</b> ${mistake}<//>`}
      ${ready.value && Object.entries(PARTS).map(([id, Part]) => html`
        <section key=${id} id=${`controls-${id}`} class="part" tabindex="-1"
          aria-labelledby=${`controls-${id}-title`}>
          <h2 id=${`controls-${id}-title`}>${t(`controls.${id}.title`)}</h2>
          ${t(`controls.${id}.text`) && html`<p class="soft lead">${t(`controls.${id}.text`)}</p>`}
          <${Part} />
        </section>`)}
    </div>`;
}
