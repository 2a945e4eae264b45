// One torrent, closely: at `#/transfers/ID/SECTION`.

import { html, useEffect, useMemo, useRef } from "../../app/view.js";
import { Problem, sentence } from "../../app/api.js";
import { openDialog } from "../../app/dialog.js";
import { duration, percent, rate } from "../../app/format.js";
import { Icon } from "../../app/icons.js";
import { connection, torrents } from "../../app/node.js";
import { Bar, Button, Menu, Note, Sections } from "../../app/parts.js";
import { go, to } from "../../app/router.js";
import { t } from "../../app/texts.js";
import { tellProblem } from "../../app/toast.js";
import {
  connectPeer, copyLinks, limit, moveTo, pause, recheck, remove, resume, shareLink, sortThem,
} from "./actions.js";
import { Files } from "./files.js";
import { Followed } from "./followed.js";
import { Log } from "./log.js";
import { Overview } from "./overview.js";
import { Peers } from "./peers.js";
import { forgetUndecided, PreviewDialog } from "./preview.js";
import { Sources } from "./sources.js";
import { amount, iconOf, kindOf, words } from "./state.js";
import { isUndecided } from "./undecided.js";

const SECTIONS = { overview: Overview, files: Files, peers: Peers, sources: Sources, log: Log };

/**
 * How long a torrent is waited for that the page was not told of yet, in milliseconds. Arbitrary.
 */
const WAIT_MS = 5000;

export const leave = () => go(to("transfers"));

const Line = ({ torrent }) => {
  // What went wrong is told below, whole.
  const parts = [torrent.error ? t("transfers.state.failed") : words(torrent), amount(torrent)];
  if (torrent.download_bytes_per_s) parts.push(`↓ ${rate(torrent.download_bytes_per_s)}`);
  if (torrent.upload_bytes_per_s) parts.push(`↑ ${rate(torrent.upload_bytes_per_s)}`);
  if (torrent.state === "downloading" && torrent.left_s) {
    // A time is not torn apart at the end of a line.
    parts.push(t("transfers.left", { time: duration(torrent.left_s) }).replaceAll(" ", "\u00a0"));
  }
  return html`<p class="line">${parts.filter(Boolean).join(" · ")}</p>`;
};

const Undecided = ({ id }) => html`
  <${Note}><p>${t("transfers.undecided.text")}</p>
    <div class="actions"><${Button} text=${t("transfers.undecided.look")} kind="primary" small
        onClick=${() => openDialog(PreviewDialog, { begun: [id] })} />
      <${Button} text=${t("transfers.undecided.forget")} small onClick=${() => forgetUndecided(id)} /></div><//>`;

function Top({ torrent }) {
  const { id } = torrent;
  const rests = torrent.state === "paused" || torrent.state === "failed";
  const items = [
    { text: t("transfers.copy-link"), icon: "link", act: () => copyLinks([id]), off: torrent.confined },
    { text: t("transfers.recheck"), icon: "list-checks", act: () => recheck([id]) },
    { text: t("sorting.title"), icon: "tag", act: () => sortThem([id]) },
    { text: t("transfers.limits"), icon: "gauge", act: () => limit(torrent) },
    { text: t("transfers.connect"), icon: "user-plus", act: () => connectPeer(id) },
    { text: t("transfers.move"), icon: "folder", act: () => moveTo(torrent) },
    null,
    { text: t("transfers.remove"), icon: "trash", danger: true, act: () => remove([id]) },
  ];
  return html`
    <header class="detail-head">
      <div class="first">
        <${Button} icon="chevron-left" label=${t("transfers.back")} kind="quiet" class="back" onClick=${leave} />
        <span class=${`state ${kindOf(torrent)}`}><${Icon} name=${iconOf(torrent)} size=${22} /></span>
        <h2 title=${torrent.name}>${torrent.name}</h2>
        <${Button} icon="x" label=${t("close")} kind="quiet" class="leave" onClick=${leave} />
      </div>
      <div class="how">
        <${Bar} part=${torrent.progress} kind=${kindOf(torrent)} label=${t("transfers.column.progress")} />
        <span class="num">${percent(torrent.progress)}</span>
      </div>
      <${Line} torrent=${torrent} />
      <div class="actions">
        ${rests
          ? !isUndecided(torrent) && html`<${Button} icon="play" text=${t("transfers.resume")} kind="primary" small
            onClick=${() => resume([id])} />`
          : html`<${Button} icon="pause" text=${t("transfers.pause")} small onClick=${() => pause([id])} />`}
        <${Button} icon="share-2" text=${t("transfers.share")} small disabled=${torrent.confined}
          onClick=${() => shareLink(torrent)} />
        <${Menu} label=${t("more")} items=${items} kind="plain" small end=${false} />
      </div>
      ${isUndecided(torrent) && html`<${Undecided} id=${id} />`}
      ${torrent.state === "failed" && html`
        <${Note} icon="circle-alert"><p>${sentence(torrent.error)}</p><p>${t("transfers.failed.text")}</p>
          <div class="actions"><${Button} text=${t("transfers.failed.again")} small onClick=${() => resume([id])} />
            <${Button} text=${t("transfers.move")} small onClick=${() => moveTo(torrent)} /></div><//>`}
    </header>`;
}

export function Detail({ id, section }) {
  const followed = useMemo(() => new Followed(id), [id]);
  useEffect(() => () => followed.end(), [followed]);
  const torrent = torrents.get(id);
  const seen = useRef(false);
  const here = Boolean(torrent);
  const gone = followed.gone.value;
  const asked = connection.value === "open";
  useEffect(() => {
    seen.current ||= here;
    if (gone || (seen.current && !here)) leave();
    if (gone || here || !asked) return undefined;
    // One that was added a moment ago can be looked at before the stream tells of it.
    const timer = setTimeout(() => {
      tellProblem(new Problem({ detail: t("transfers.unknown") }));
      leave();
    }, WAIT_MS);
    return () => clearTimeout(timer);
  }, [gone, here, asked]);
  if (!torrent) {
    return html`
      <section class="detail" aria-busy="true" aria-label=${t("frame.waiting")}>
        <p class="page soft"><${Icon} name="loader-circle" class="turning" /></p></section>`;
  }
  const at = Object.hasOwn(SECTIONS, section) ? section : "overview";
  const counts = { files: followed.tree.value?.size, peers: torrent.peers };
  const sections = Object.keys(SECTIONS).map((name) => ({
    id: name, text: t(`transfers.section.${name}`), href: to("transfers", id, name), count: counts[name],
  }));
  const View = SECTIONS[at];
  return html`
    <section class="detail" aria-label=${torrent.name}>
      <${Top} torrent=${torrent} />
      <${Sections} label=${t("transfers.sections")} sections=${sections} at=${at} />
      <${View} key=${`${id}-${at}`} torrent=${torrent} followed=${followed} />
    </section>`;
}
