// The parts of the tab.

import { html } from "../../app/view.js";
import { openDialog } from "../../app/dialog.js";
import { node } from "../../app/node.js";
import { Button, Head, Sections } from "../../app/parts.js";
import { isSomebody, Nobody } from "../../app/people.js";
import { to } from "../../app/router.js";
import { t } from "../../app/texts.js";
import { Browse } from "./browse.js";
import { LibraryDialog, RuleDialog } from "./dialogs.js";
import { Libraries } from "./libraries.js";
import { Offers, waiting } from "./offers.js";
import { Rules } from "./rules.js";

const SECTIONS = {
  offers: { view: Offers, count: waiting },
  browse: { view: Browse },
  libraries: {
    view: Libraries, count: () => node.libraries.value?.length,
    action: () => html`<${Button} icon="plus" text=${t("libraries.new")} kind="primary"
      onClick=${() => openDialog(LibraryDialog)} />`,
  },
  rules: {
    view: Rules, count: () => node.rules.value?.length,
    action: () => html`<${Button} icon="plus" text=${t("rules.new")} kind="primary"
      onClick=${() => openDialog(RuleDialog)} />`,
  },
};

export function Inbox({ place: [what = "offers", ...rest] }) {
  if (!isSomebody()) return html`<${Head} title=${t("tabs.inbox")} /><${Nobody} />`;
  const at = Object.hasOwn(SECTIONS, what) ? what : "offers";
  const { view: View, action } = SECTIONS[at];
  const sections = Object.entries(SECTIONS).map(([name, { count }]) => ({
    id: name, text: t(`inbox.section.${name}`), href: to("inbox", name), count: count?.(),
  }));
  return html`
    <${Head} title=${t("tabs.inbox")}>${action?.()}<//>
    <${Sections} label=${t("tabs.inbox")} sections=${sections} at=${at} />
    <div class="page"><${View} key=${at} place=${rest} /></div>`;
}
