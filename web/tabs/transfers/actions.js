// What can be done with torrents, one or many.

import { html, signal } from "../../app/view.js";
import { api } from "../../app/api.js";
import { ask, openDialog } from "../../app/dialog.js";
import { take, torrents } from "../../app/node.js";
import { copy, Switch } from "../../app/parts.js";
import { LinkDialog } from "../../app/qr.js";
import { t } from "../../app/texts.js";
import { attempt, tell } from "../../app/toast.js";
import { ConnectDialog, LimitDialog, MoveDialog } from "./dialogs.js";
import { each } from "./each.js";
import { SortDialog } from "./sorting-dialogs.js";
import { decided } from "./undecided.js";

export const resume = (ids) => each(ids, async (id) => {
  await api.post(`/torrents/${id}/resume`);
  decided(id);
});
export const pause = (ids) => each(ids, (id) => api.post(`/torrents/${id}/pause`));
export const recheck = (ids) => each(ids, (id) => api.post(`/torrents/${id}/recheck`));

/** Copies the links by which others get them. */
export async function copyLinks(ids) {
  const links = [];
  await each(ids, async (id) => {
    const { magnet } = await api.get(`/torrents/${id}`);
    if (magnet) links.push(magnet);
  });
  if (links.length > 0) await copy(links.join("\n"), t("transfers.link-copied"));
}

/** Asks, then removes; -> whether it was done. */
export async function remove(ids) {
  if (ids.length === 0) return false;
  const withData = signal(false);
  const name = torrents.row(ids[0])?.peek().name ?? "";
  const Data = () => html`<${Switch} label=${t("transfers.remove-dialog.data")} checked=${withData.value}
    onChange=${(on) => { withData.value = on; }} />`;
  const yes = await ask({
    title: t("transfers.remove-dialog.title", { count: ids.length, name }),
    text: t("transfers.remove-dialog.text"),
    action: t("transfers.remove-dialog.action"),
    danger: true,
    children: html`<${Data} />`,
  });
  if (!yes) return false;
  const data = withData.peek();
  const count = await each(ids, async (id) => {
    await api.delete(`/torrents/${id}?with_data=${data}`);
    decided(id);
    take("removed", { id });
  });
  if (count > 0) tell(t("transfers.remove-dialog.done", { count }));
  return true;
}

/** Shows the link by which others get a torrent, and its code. */
export async function shareLink({ id, name }) {
  const detail = await attempt(() => api.get(`/torrents/${id}?local=true`));
  if (detail) openDialog(LinkDialog, { title: name, link: detail.magnet, hint: t("transfers.share-hint") });
}

/** Asks for the address of a peer. */
export const connectPeer = (id) => openDialog(ConnectDialog, { id });

/** Asks how fast one may be. */
export async function limit(torrent) {
  const limits = await attempt(() => api.get(`/torrents/${torrent.id}/limits`));
  if (limits) openDialog(LimitDialog, { torrent: { id: torrent.id, name: torrent.name }, limits });
}

/** Asks where the content is to lie. */
export const moveTo = ({ id, name, folder }) => openDialog(MoveDialog, { torrent: { id, name, folder } });

/** Asks for the category and the labels. */
export const sortThem = (ids) => openDialog(SortDialog, { ids });
