// How far a share is, and what came of it: a link, or who was told.

import { html, useEffect, useState } from "../../app/view.js";
import { api, sentence } from "../../app/api.js";
import { bytes, percent } from "../../app/format.js";
import { Icon } from "../../app/icons.js";
import { node, torrents } from "../../app/node.js";
import { Bar, Button, Words } from "../../app/parts.js";
import { audience } from "../../app/people.js";
import { LinkField, Qr } from "../../app/qr.js";
import { t } from "../../app/texts.js";
import { attempt } from "../../app/toast.js";
import { another, cancel, job, mend, sending } from "./sending.js";

/** The last part of a path, of whatever system. */
export const baseName = (path) => path.split(/[\\/]/).filter(Boolean).pop() ?? path;

const Progress = ({ title, text, done, total }) => html`
  <section class="card going" aria-live="polite">
    <h2>${title}</h2>
    <${Bar} part=${total > 0 ? done / total : 0} label=${text} />
    <p class="soft num">${total > 0 ? `${percent(done / total)} · ${t("share.of", { done: bytes(done),
      total: bytes(total) })}` : ""}</p>
    <p class="soft">${text}</p>
    <div class="actions"><${Button} text=${t("cancel")} onClick=${() => attempt(cancel)} /></div>
  </section>`;

function Link({ torrent }) {
  const [link, setLink] = useState("");
  const [problem, setProblem] = useState(null);
  useEffect(() => {
    api.get(`/torrents/${torrent}?local=true`).then(({ magnet }) => setLink(magnet), setProblem);
  }, [torrent]);
  const peers = torrents.get(torrent)?.peers ?? 0;
  if (problem) return html`<${Words} problem=${problem} />`;
  if (!link) return null;
  return html`
    <div class="link-and-code">
      <div class="link">
        <p>${t("share.link-hint")}</p>
        <${LinkField} link=${link} />
        <p class="soft">${peers > 0 ? t("share.fetching", { count: peers }) : t("share.stay-on")}</p>
      </div>
      <${Qr} text=${link} />
    </div>`;
}

function Told({ torrent }) {
  const share = (node.shares.value ?? []).find((one) => one.torrent === torrent);
  if (!share) return html`<p>${t("share.told-soon")}</p>`;
  return html`
    <p>${t("share.in-inbox", { who: audience(share) })}</p>
    <p class="soft">${share.told < share.nodes ? t("share.told-some",
      share) : t("share.told-all")} ${t("share.stay-on")}</p>`;
}

const Skipped = ({ skipped }) => skipped.length > 0 && html`
  <details class="skipped"><summary>${t("share.skipped", { count: skipped.length })}</summary>
    <ul>${skipped.map(({ path, reason }) => html`<li key=${path}><code>${path}</code> ${reason}</li>`)}</ul></details>`;

const Outcome = ({ of }) => {
  const good = of.state === "done";
  return html`
    <section class="card outcome" role="status">
      <header>
        <span class=${good ? "mark up" : "mark bad"}><${Icon} name=${good ? "circle-check" : "circle-x"}
          size=${26} /></span>
        <h2>${t(good ? "share.done" : of.state === "failed" ? "share.failed" : "share.cancelled",
          { name: baseName(of.path) })}</h2>
      </header>
      ${good && (of.who === "public" ? html`<${Link} torrent=${of.torrent} />` : html`<${Told}
        torrent=${of.torrent} />`)}
      ${of.problem && html`<${Words} problem=${{ message: sentence(of.problem.detail) }} />`}
      <${Skipped} skipped=${of.skipped ?? []} />
      <div class="actions">
        ${!good && html`<${Button} icon="pencil" text=${t("share.again")} kind="primary" onClick=${mend} />`}
        <${Button} icon="plus" text=${t("share.another")} onClick=${another} /></div>
    </section>`;
};

export function Going() {
  const up = sending.value;
  if (up) {
    return html`<${Progress} title=${t("share.sending", { name: up.name })} text=${t("share.sending-hint")}
      done=${up.done}
      total=${up.total} />`;
  }
  const now = job.value;
  if (now.state !== "running") return html`<${Outcome} of=${now} />`;
  return html`<${Progress} title=${t("share.reading", { name: baseName(now.path) })} text=${t("share.reading-hint")}
    done=${now.done_bytes} total=${now.total_bytes} />`;
}
