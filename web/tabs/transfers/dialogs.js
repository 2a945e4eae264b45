// What is asked about one torrent: a peer's address, limits, another folder.

import { html } from "../../app/view.js";
import { api } from "../../app/api.js";
import { Dialog, lasting } from "../../app/dialog.js";
import { useDraft } from "../../app/draft.js";
import { FolderField } from "../../app/folder.js";
import { Field } from "../../app/parts.js";
import { t } from "../../app/texts.js";
import { tell } from "../../app/toast.js";

export function ConnectDialog({ id, close }) {
  const [address, setAddress] = useDraft("address", "");
  const submit = () => api.post(`/torrents/${id}/peers`, { address: address.trim() });
  return html`
    <${Dialog} title=${t("transfers.connect")} close=${close} submit=${submit} action=${t("connect.action")}
      disabled=${!address.trim()}>
      <${Field} label=${t("connect.address")} hint=${t("connect.hint")}>
        ${(field, hint) => html`<input id=${field} aria-describedby=${hint} autofocus spellcheck=${false}
          autocomplete="off"
          value=${address} onInput=${(event) => setAddress(event.target.value)} />`}
      <//>
    <//>`;
}

/** A rate in kB/s as it is typed; empty: none. */
const toBytes = (text) => (text.trim() === "" ? null : Math.round(Number(text) * 1000));
const toText = (value) => (value === null || value === undefined ? "" : String(value / 1000));

export function LimitDialog({ torrent, limits, close }) {
  const [download, setDownload] = useDraft("download", toText(limits.download_bytes_per_s));
  const [upload, setUpload] = useDraft("upload", toText(limits.upload_bytes_per_s));
  const [connections, setConnections] = useDraft("connections", String(limits.connections ?? ""));
  const submit = async () => {
    await api.put(`/torrents/${torrent.id}/limits`, {
      download_bytes_per_s: toBytes(download),
      upload_bytes_per_s: toBytes(upload),
      connections: connections === "" ? null : Number(connections),
    });
    tell(t("limit.done"));
  };
  const input = (value, set, least, step) => (field, hint) => html`
    <input id=${field} aria-describedby=${hint} type="number" min=${least} step=${step} value=${value}
      placeholder=${t("limit.none")}
      onInput=${(event) => set(event.target.value)} />`;
  return html`
    <${Dialog} title=${t("transfers.limits")} close=${close} submit=${submit} action=${t("limit.action")}>
      <p class="soft">${torrent.name}</p>
      <${Field} label=${t("limit.download")}>${input(download, setDownload, 0, "any")}<//>
      <${Field} label=${t("limit.upload")}>${input(upload, setUpload, 0, "any")}<//>
      <${Field} label=${t("limit.connections")} hint=${t("limit.hint")}>${input(connections, setConnections, 1, 1)}<//>
    <//>`;
}

export function MoveDialog({ torrent, close }) {
  const [folder, setFolder] = useDraft("folder", torrent.folder);
  const submit = async () => {
    await api.post(`/torrents/${torrent.id}/move`, { folder: folder.trim() });
    tell(t("move.done"));
  };
  return html`
    <${Dialog} title=${t("transfers.move")} close=${close} submit=${submit} action=${t("move.action")}
      disabled=${!folder.trim() || folder === torrent.folder}>
      <p class="soft">${torrent.name}</p>
      <${FolderField} label=${t("move.folder")} hint=${t("move.hint")} value=${folder} onChange=${setFolder} />
    <//>`;
}

lasting({ "transfers.connect": ConnectDialog, "transfers.limit": LimitDialog, "transfers.move": MoveDialog });
