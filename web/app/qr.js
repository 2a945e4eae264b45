// A link as a QR code, drawn by the node, for the camera of somebody beside one.

import { html } from "./view.js";
import { api } from "./api.js";
import { Dialog } from "./dialog.js";
import { Button, copy } from "./parts.js";
import { t } from "./texts.js";

/** The code of a text; always dark on light, as cameras want it. */
export const Qr = ({ text, label = t("qr.label") }) => html`
  <img class="qr" alt=${label} src=${api.url(`/qr?text=${encodeURIComponent(text)}`)} />`;

/** A link to be read or copied; `label` says what it is. */
export const LinkField = ({ link, label = t("qr.link") }) => html`
  <span class="with-button">
    <input readonly aria-label=${label} value=${link} onFocus=${(event) => event.target.select()} />
    <${Button} icon="copy" text=${t("copy")} kind="primary" onClick=${() => copy(link)} />
  </span>`;

/** A dialog with a link: its code, its text, and a button that copies it. */
export const LinkDialog = ({ title, link, hint, close }) => html`
  <${Dialog} title=${title} close=${close}>
    ${hint && html`<p>${hint}</p>`}
    <${Qr} text=${link} />
    <${LinkField} link=${link} />
  <//>`;
