// What others share with the user: it waits until it is taken or left.

import { classes, html } from "../../app/view.js";
import { api } from "../../app/api.js";
import { ask, lasting, openDialog } from "../../app/dialog.js";
import { IntoDialog } from "../../app/folder.js";
import { bytes, percent } from "../../app/format.js";
import { Icon } from "../../app/icons.js";
import { inbox, torrents } from "../../app/node.js";
import { Bar, Button, Empty, Menu } from "../../app/parts.js";
import { Avatar, since } from "../../app/people.js";
import { go, to } from "../../app/router.js";
import { t } from "../../app/texts.js";
import { attempt, tell } from "../../app/toast.js";
import { RuleDialog } from "./dialogs.js";

/** Takes it up; without a folder it goes where downloads go. */
const accept = (entry, folder = null) => attempt(async () => {
  inbox.answer(await api.post(`/inbox/${entry.torrent}/accept`, { folder }), ["state", "folder", "removed"]);
  tell(t("inbox.accepted", { name: entry.name }), { text: t("inbox.show"),
    act: () => go(to("transfers", entry.torrent)) });
});

async function decline(entry) {
  if (entry.state === "accepted") {
    const yes = await ask({
      title: t("inbox.stop-title", { name: entry.name }),
      text: t("inbox.stop-text"),
      action: t("inbox.stop"), danger: true,
    });
    if (!yes) return;
  }
  attempt(async () => inbox.answer(await api.post(`/inbox/${entry.torrent}/decline`), ["state"]));
}

/** Asks into which folder it goes. */
const AcceptDialog = ({ entry, close }) => html`
  <${IntoDialog} title=${t("inbox.accept-title", entry)} action=${t("inbox.accept")} bytes=${entry.bytes}
    act=${(folder) => accept(entry, folder)} close=${close} />`;

lasting({ "inbox.accept": AcceptDialog });

const lineOf = (entry) => [
  t(entry.group ? "inbox.from-with" : "inbox.from", { name: entry.from, group: entry.group }),
  t("inbox.files", { count: entry.files, size: bytes(entry.bytes) }),
  since(entry.received_at_s),
].join(" · ");

/** Whether nobody said yet what is to be with it. */
const waits = ({ state, withdrawn }) => state === "waiting" && !withdrawn;

/** How many wait; follows them. */
export const waiting = () => inbox.list("state", "withdrawn").filter(waits).length;

const Waiting = ({ entry }) => html`
  <li class="item wraps offer">
    <${Avatar} id=${entry.person} name=${entry.from} />
    <span class="what"><b>${entry.name}</b><small>${lineOf(entry)}</small>
      ${entry.note && html`<q>${entry.note}</q>`}</span>
    <span class="does">
      <${Button} text=${t("inbox.decline")} onClick=${() => decline(entry)} />
      <${Button} icon="download" text=${t("inbox.accept")} kind="primary" onClick=${() => accept(entry)} />
      <${Menu} label=${t("inbox.more", { name: entry.name })} items=${[
        { text: t("inbox.accept-into"), icon: "folder", act: () => openDialog(AcceptDialog,
          { entry: { torrent: entry.torrent, name: entry.name, bytes: entry.bytes } }) },
        { text: t("inbox.always", { name: entry.group ?? entry.from }), icon: "list-checks",
          act: () => openDialog(RuleDialog, entry.group_id ? { group: entry.group_id } : { from: entry.person }) },
      ]} />
    </span>
  </li>`;

/** How it is with what was taken: a word and its colour. */
function standing(entry, torrent) {
  if (!torrent) return entry.removed ? [t("inbox.removed"), ""] : [percent(entry.progress), ""];
  if (torrent.complete) return [t("inbox.here"), "up"];
  if (torrent.state === "failed") return [t("inbox.failed"), "bad"];
  return torrent.state === "paused" ? [t("inbox.paused"), ""] : [percent(torrent.progress), ""];
}

function Taken({ entry }) {
  const torrent = torrents.get(entry.torrent);
  const [word, colour] = standing(entry, torrent);
  const items = [
    { text: t("inbox.show"), icon: "arrow-up-down", off: !torrent, act: () => go(to("transfers", entry.torrent)) },
    entry.removed && !torrent
      ? { text: t("inbox.again"), icon: "download", act: () => accept(entry, entry.folder) }
      : { text: t("inbox.stop"), icon: "ban", danger: true, act: () => decline(entry) },
  ];
  return html`
    <li class="item">
      <${Avatar} id=${entry.person} name=${entry.from} />
      <span class="what"><b>${entry.name}</b><small>${torrent?.error ?? lineOf(entry)}</small>
        ${torrent && !torrent.complete && html`
          <${Bar} part=${torrent.progress} kind=${torrent.error ? "bad" : "down"}
            label=${t("inbox.progress", { name: entry.name })} />`}</span>
      <span class="does">
        <span class=${classes("tag", colour)}>${word}</span>
        <${Menu} label=${t("inbox.more", { name: entry.name })} items=${items} />
      </span>
    </li>`;
}

const Left = ({ entry }) => html`
  <li class="item">
    <${Avatar} id=${entry.person} name=${entry.from} />
    <span class="what"><b>${entry.name}</b><small>${lineOf(entry)}</small></span>
    <span class="does">${entry.withdrawn ? html`<span class="tag">${t("inbox.withdrawn")}</span>`
      : html`<${Button} text=${t("inbox.accept")} small onClick=${() => accept(entry)} />`}</span>
  </li>`;

const Part = ({ title, all, view: View }) => all.length > 0 && html`
  <section class="block"><h2>${title}</h2>
    <ul class="card items">${all.map((entry) => html`<${View} key=${entry.torrent} entry=${entry} />`)}</ul></section>`;

export function Offers() {
  const all = inbox.list("state", "withdrawn", "removed", "progress").sort((a, b) => b.received_at_s - a.received_at_s);
  if (all.length === 0) return html`<${Empty} icon="inbox" title=${t("inbox.empty.title")}
    text=${t("inbox.empty.text")} />`;
  const fresh = all.filter(waits);
  const taken = all.filter(({ state }) => state === "accepted");
  const left = all.filter(({ state, withdrawn }) => state === "declined" || (state === "waiting" && withdrawn));
  return html`
    <div class="column">
      ${fresh.length === 0 && html`<p class="soft all-done"><${Icon}
        name="circle-check" /> ${t("inbox.nothing-waits")}</p>`}
      <${Part} title=${t("inbox.waiting")} all=${fresh} view=${Waiting} />
      <${Part} title=${t("inbox.taken")} all=${taken} view=${Taken} />
      <${Part} title=${t("inbox.left")} all=${left} view=${Left} />
    </div>`;
}
