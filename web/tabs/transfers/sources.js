// Where a torrent's peers come from, and what each said last.

import { classes, html } from "../../app/view.js";
import { api, sentence } from "../../app/api.js";
import { ago, duration } from "../../app/format.js";
import { Icon } from "../../app/icons.js";
import { Button } from "../../app/parts.js";
import { lookUp, t } from "../../app/texts.js";
import { attempt } from "../../app/toast.js";

/** `bad`: it said no; `off`: it is not asked; `none`: it was, and found nothing yet. */
const One = ({ name, bad, off, none, message, facts }) => html`
  <li class=${classes(bad && "bad", (off || none) && "off")}>
    <${Icon} name=${bad ? "circle-alert" : off ? "circle-pause" : none ? "hourglass" : "circle-check"} />
    <div>
      <b>${name}</b>
      ${message && html`<p>${sentence(message)}</p>`}
      <p class="soft">${facts.filter(Boolean).join(" · ")}</p>
    </div>
  </li>`;

const Tracker = ({ tracker }) => html`
  <${One} name=${tracker.url} bad=${tracker.failed} off=${!tracker.answered && !tracker.failed}
    none=${tracker.peers === 0}
    message=${tracker.message ?? (tracker.answered ? "" : t("sources.unasked"))}
    facts=${[
      t("sources.tier", { tier: tracker.tier + 1 }),
      tracker.answered && (tracker.peers > 0 ? t("sources.peers", { count: tracker.peers }) : t("sources.nothing")),
      tracker.seeds !== null && t("sources.seeds", { count: tracker.seeds }),
      tracker.leechers !== null && t("sources.leechers", { count: tracker.leechers }),
      tracker.next_announce_s !== null && t("sources.next", { time: duration(tracker.next_announce_s) }),
    ]} />`;

const Source = ({ source }) => html`
  <${One} name=${lookUp(`transfers.source.${source.source}`) ?? source.source} off=${!source.enabled}
    none=${source.given + source.connected === 0} message=${source.message}
    facts=${[
      !source.enabled ? t("sources.off")
        : source.given + source.connected === 0 ? t("sources.nothing") : t("sources.gave", { count: source.given }),
      source.enabled && source.connected > 0 && t("sources.connected", { count: source.connected }),
      source.last_s !== null && ago(source.last_s),
      source.next_s !== null && t("sources.next", { time: duration(source.next_s) }),
    ]} />`;

const WebSeed = ({ seed }) => html`
  <${One} name=${seed.url} bad=${seed.failed} off=${!seed.answered && !seed.failed} message=${seed.message}
    facts=${[t(seed.answered ? "sources.sent" : "sources.sent-nothing")]} />`;

const askAgain = (id) => attempt(() => api.post(`/torrents/${id}/announce`), t("sources.asked"));

export function Sources({ torrent, followed }) {
  const [trackers, seeds, sources] = [followed.trackers.value, followed.webSeeds.value, followed.sources.value];
  return html`
    <div class="page sources" tabindex="0">
      ${trackers.length > 0 && html`
        <div class="with-button"><h3 class="grow">${t("sources.trackers")}</h3>
          <${Button} icon="refresh-cw" text=${t("sources.ask")} small disabled=${torrent.state === "paused"}
            onClick=${() => askAgain(torrent.id)} /></div>
        <ul class="cards-list">${trackers.map((tracker) => html`<${Tracker} key=${tracker.url} tracker=${tracker} />`)}
          </ul>`}
      ${seeds.length > 0 && html`<h3>${t("sources.web-seeds")}</h3>
        <ul class="cards-list">${seeds.map((seed) => html`<${WebSeed} key=${seed.url} seed=${seed} />`)}</ul>`}
      <h3>${t("sources.others")}</h3>
      <ul class="cards-list">
        ${sources.filter(({ source }) => source !== "tracker" || trackers.length === 0)
          .map((source) => html`<${Source} key=${source.source} source=${source} />`)}
      </ul>
    </div>`;
}
