// What is shared: with people, and with everybody.

import { html } from "../../app/view.js";
import { api } from "../../app/api.js";
import { ask } from "../../app/dialog.js";
import { bytes } from "../../app/format.js";
import { Icon } from "../../app/icons.js";
import { node, take, torrents } from "../../app/node.js";
import { Button, Menu } from "../../app/parts.js";
import { audience } from "../../app/people.js";
import { go, to } from "../../app/router.js";
import { t } from "../../app/texts.js";
import { attempt, tell } from "../../app/toast.js";
import { shareLink } from "../transfers/actions.js";
import { another, job } from "./sending.js";

/** What was shared last is not shown as shared any more. */
const forgetLast = (torrent) => {
  if (job.peek()?.torrent === torrent) another();
};

async function unshare({ torrent, name, to: people, groups }) {
  const text = t("share.unshare-text", { who: audience({ to: people, groups }) });
  if (!await ask({ title: t("share.unshare-title", { name }), text, action: t("share.unshare"), danger: true })) return;
  const done = await attempt(() => api.delete(`/shares/${torrent}`));
  if (!done) return;
  take("node", { shares: (node.shares.peek() ?? []).filter((share) => share.torrent !== torrent) });
  forgetLast(torrent);
  tell(t("share.unshared", { name }));
}

async function stop({ id, name }) {
  const text = t("share.stop-text");
  if (!await ask({ title: t("share.unshare-title", { name }), text, action: t("share.unshare"), danger: true })) return;
  const done = await attempt(() => api.delete(`/torrents/${id}`));
  if (!done) return;
  take("removed", { id });
  forgetLast(id);
  tell(t("share.unshared", { name }));
}

const Private = ({ share }) => html`
  <li class="item">
    <span class="sign"><${Icon} name=${share.files > 1 ? "folder" : "file"} size=${20} /></span>
    <div class="what"><b title=${share.path}>${share.name}</b>
      <small>${[t("share.for", { who: audience(share) }), bytes(share.bytes),
        share.note].filter(Boolean).join(" · ")}</small></div>
    <div class="does">
      <span class="tag">${share.told < share.nodes ? t("share.told", share) : t("share.all-told")}</span>
      <${Menu} label=${t("share.more", { name: share.name })} items=${[
        { text: t("share.transfer"), icon: "arrow-up-down", act: () => go(to("transfers", share.torrent)) },
        { text: t("share.unshare"), icon: "trash", danger: true, act: () => unshare(share) },
      ]} />
    </div>
  </li>`;

const Public = ({ torrent }) => html`
  <li class="item">
    <span class="sign"><${Icon} name="globe" size=${20} /></span>
    <div class="what"><b title=${torrent.path}>${torrent.name}</b>
      <small>${[t("share.for-everybody"), bytes(torrent.total_bytes),
        torrent.uploaded_bytes > 0 && t("share.sent",
          { size: bytes(torrent.uploaded_bytes) })].filter(Boolean).join(" · ")}</small></div>
    <div class="does">
      <${Button} icon="qr-code" text=${t("share.link")} small onClick=${() => shareLink(torrent)} />
      <${Menu} label=${t("share.more", { name: torrent.name })} items=${[
        { text: t("share.transfer"), icon: "arrow-up-down", act: () => go(to("transfers", torrent.id)) },
        { text: t("share.unshare"), icon: "trash", danger: true, act: () => stop(torrent) },
      ]} />
    </div>
  </li>`;

export function Shares() {
  // What goes with messages is told of there. What was never fetched was here from the start: it was shared.
  const withPeople = (node.shares.value ?? []).filter(({ attached, library }) => !attached && !library)
    .sort((a, b) => b.created_at_s - a.created_at_s);
  const withAll = torrents.list("complete", "uploaded_bytes", "state")
    .filter((torrent) => !torrent.confined && torrent.complete && torrent.downloaded_bytes === 0)
    .sort((a, b) => b.added_at_s - a.added_at_s);
  if (withPeople.length + withAll.length === 0) return null;
  return html`
    <section class="block">
      <h2>${t("share.shared")}</h2>
      <ul class="card items">
        ${withPeople.map((share) => html`<${Private} key=${share.torrent} share=${share} />`)}
        ${withAll.map((torrent) => html`<${Public} key=${torrent.id} torrent=${torrent} />`)}
      </ul>
    </section>`;
}
