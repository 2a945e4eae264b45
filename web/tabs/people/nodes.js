// The person's own computers: adding one by a code, revoking one that was lost.

import { html, useEffect, useState } from "../../app/view.js";
import { api } from "../../app/api.js";
import { Dialog, openDialog } from "../../app/dialog.js";
import { duration, moment } from "../../app/format.js";
import { Icon } from "../../app/icons.js";
import { node, take } from "../../app/node.js";
import { Button, copy, Note } from "../../app/parts.js";
import { Qr } from "../../app/qr.js";
import { t } from "../../app/texts.js";
import { tell } from "../../app/toast.js";
import { PassphraseDialog } from "./dialogs.js";

function CodeDialog({ code, close }) {
  const [left, setLeft] = useState(code.valid_s);
  const [before] = useState(() => (node.nodes.peek() ?? []).length);
  const came = (node.nodes.value ?? []).length > before;
  useEffect(() => {
    const end = Date.now() + code.valid_s * 1000;
    const timer = setInterval(() => setLeft(Math.max(0, Math.round((end - Date.now()) / 1000))), 1000);
    return () => {
      clearInterval(timer);
      // Whoever closes it means that nobody is to come in by it any more.
      api.delete("/nodes/code").catch(() => {});
    };
  }, []);
  if (came) {
    return html`<${Dialog} title=${t("nodes.add")} close=${close}>
      <${Note} icon="circle-check">${t("nodes.came")}<//><//>`;
  }
  return html`
    <${Dialog} title=${t("nodes.add")} close=${close}>
      <p>${t("nodes.how")}</p>
      <pre><code>compeer node join</code></pre>
      <ol class="card words-grid">${code.code.split(" ").map((word) => html`<li key=${word}>${word}</li>`)}</ol>
      <div class="code-too">
        <${Qr} text=${code.link} />
        <div><p class="soft">${t("nodes.or-link")}</p><${Button} icon="copy" text=${t("nodes.copy-link")}
          onClick=${() => copy(code.link)} /></div>
      </div>
      <p class="soft" role="timer">${left > 0 ? t("nodes.valid", { time: duration(left) }) : t("nodes.over")}</p>
    <//>`;
}

/** Shows a code by which another computer becomes one of this person. */
export function addComputer() {
  const show = async (passphrase) => {
    const code = await api.post("/nodes/code", { passphrase });
    openDialog(CodeDialog, { code });
  };
  openDialog(PassphraseDialog, { title: t("nodes.add"), text: t("nodes.add-text"), action: t("nodes.make-code"),
    act: show });
}

const revoke = (one) => openDialog(PassphraseDialog, {
  title: t("nodes.revoke-title", { name: one.name }), text: t("nodes.revoke-text"), action: t("nodes.revoke"),
    danger: true,
  act: async (passphrase) => {
    take("node", { nodes: await api.post(`/nodes/${one.id}/revoke`, { passphrase }) });
    tell(t("nodes.revoked", { name: one.name }));
  },
});

const Row = ({ one, may }) => html`
  <li class="item">
    <span class="sign"><${Icon} name="monitor-smartphone" size=${20} /></span>
    <span class="what"><b>${one.name || one.id.slice(0, 12)}</b>
      <small>${one.revoked ? t("nodes.is-revoked") : [
        one.this ? t("nodes.this") : t(one.connected ? "people.online" : "people.offline"),
        t("nodes.added", { when: moment(one.added_s) })].join(" · ")}</small></span>
    ${may && !one.this && !one.revoked && html`
      <span class="does"><${Button} icon="ban" text=${t("nodes.revoke")} small onClick=${() => revoke(one)} /></span>`}
  </li>`;

export function Nodes() {
  const all = node.nodes.value ?? [];
  const may = node.identity.value?.has_secret;
  return html`
    <div class="column">
      <p class="soft">${t("nodes.text")}</p>
      ${!may && html`<${Note}>${t("nodes.no-secret")}<//>`}
      <ul class="card items">${all.map((one) => html`<${Row} key=${one.id} one=${one} may=${may} />`)}</ul>
    </div>`;
}
