// How a torrent is: its pieces, its rates, what is to be known of it.

import { html, useEffect, useState } from "../../app/view.js";
import { api } from "../../app/api.js";
import { bytes, duration, moment, ratio } from "../../app/format.js";
import { Button, copy, Switch } from "../../app/parts.js";
import { Plot } from "../../app/plot.js";
import { t } from "../../app/texts.js";
import { attempt } from "../../app/toast.js";
import { sortThem } from "./actions.js";
import { changeGoal, goalWords } from "./goal.js";
import { PieceMap } from "./pieces.js";
import { Tags } from "./sorting.js";

const Fact = ({ name, children }) => html`<div><dt>${t(`transfers.fact.${name}`)}</dt><dd>${children}</dd></div>`;

/** An info-hash: long, and wanted whole by nobody's eyes. */
const Hash = ({ value }) => html`
  <code class="hash" title=${value}>${value.slice(0, 16)}…</code>
  <${Button} icon="copy" label=${t("copy")} kind="quiet" small onClick=${() => copy(value)} />`;

export function Overview({ torrent, followed }) {
  const [made, setMade] = useState(null);
  const changing = followed.more.value;
  const more = made && changing && { ...made, ...changing };
  useEffect(() => {
    const stop = new AbortController();
    // What of it changes is in the list, or told by the stream; a failure, too.
    api.get(`/torrents/${torrent.id}`, { signal: stop.signal }).then(setMade, () => {});
    return () => stop.abort();
  }, [torrent.id, torrent.total_bytes]);
  // In which order pieces come is of no use any more where all are here, and sending, where none are.
  const ways = more && [!torrent.complete && "sequential", torrent.complete && "super_seed"]
    .filter((name) => typeof more[name] === "boolean") || [];
  const turn = async (name, on) => {
    const done = await attempt(() => api.patch(`/torrents/${torrent.id}`, { [name]: on }));
    followed.more.value = { ...followed.more.peek(), [name]: done ? on : !on };
  };
  return html`
    <div class="page overview" tabindex="0">
      ${followed.pieces.value.map && html`<h3>${t("transfers.pieces")}</h3><${PieceMap} pieces=${followed.pieces} />`}
      <h3>${t("transfers.rates")}</h3>
      <${Plot} data=${followed.past} label=${t("transfers.rates")} series=${[
        { label: t("transfers.column.download"), token: "down" }, { label: t("transfers.column.upload"), token: "up" },
      ]} />
      <h3>${t("transfers.facts")}</h3>
      <dl class="facts">
        <${Fact} name="downloaded">${bytes(torrent.downloaded_bytes)}<//>
        <${Fact} name="uploaded">${bytes(torrent.uploaded_bytes)}<//>
        <${Fact} name="ratio">${ratio(torrent.ratio)}<//>
        <${Fact} name="seeding">${duration(torrent.seeding_s)}<//>
        ${more?.wasted_bytes > 0 && html`<${Fact} name="wasted">${bytes(more.wasted_bytes)}<//>`}
        ${torrent.total_bytes > 0 && html`<${Fact} name="size">${bytes(torrent.total_bytes)}<//>`}
        ${more?.piece_count > 0 && html`<${Fact} name="pieces">
          ${t("transfers.fact.pieces-of", { count: more.piece_count, length: bytes(more.piece_length_bytes) })}<//>`}
        <${Fact} name="added">${moment(torrent.added_at_s)}<//>
        ${more?.created_at_s && html`<${Fact} name="made">${moment(more.created_at_s)}<//>`}
        ${more?.created_by && html`<${Fact} name="by">${more.created_by}<//>`}
        <${Fact} name="who">
          ${t(`transfers.who.${torrent.confined ? "people" : torrent.private ? "private" : "public"}`)}<//>
      </dl>
      <dl class="facts long">
        ${more?.goal && html`<${Fact} name="goal">${goalWords(more.goal)}
          <${Button} icon="pencil" label=${t("goal.change")} kind="quiet" small 
            onClick=${() => changeGoal([torrent.id])} /><//>`}
        ${torrent.labels && html`<${Fact} name="sorting"><${Tags} torrent=${torrent} />
          ${!torrent.category && torrent.labels.length === 0 && t("sorting.nothing")}
          <${Button} icon="pencil" label=${t("sorting.change-of")} kind="quiet" small
            onClick=${() => sortThem([torrent.id])} /><//>`}
      </dl>
      ${ways.length > 0 && html`<h3>${t("transfers.way.title")}</h3>`}
      ${ways.map((name) => html`
        <${Switch} key=${name} label=${t(`transfers.way.${name}`)} hint=${t(`transfers.way.${name}-hint`)}
          checked=${more[name]} onChange=${(on) => turn(name, on)} />`)}
      <dl class="facts long">
        <${Fact} name="folder"><code>${torrent.path ?? torrent.folder}</code>
          <${Button} icon="copy" label=${t("copy")} kind="quiet" small
            onClick=${() => copy(torrent.path ?? torrent.folder)} /><//>
        ${torrent.info_hash_v1 && html`<${Fact} name="v1"><${Hash} value=${torrent.info_hash_v1} /><//>`}
        ${torrent.info_hash_v2 && html`<${Fact} name="v2"><${Hash} value=${torrent.info_hash_v2} /><//>`}
        ${more?.comment && html`<${Fact} name="comment">${more.comment}<//>`}
      </dl>
    </div>`;
}
