// How the node is reached, and what it offers: addresses, ways, relays, services.

import { classes, html } from "../../app/view.js";
import { sentence } from "../../app/api.js";
import { bytes } from "../../app/format.js";
import { Icon } from "../../app/icons.js";
import { node } from "../../app/node.js";
import { copy, Button } from "../../app/parts.js";
import { to } from "../../app/router.js";
import { t } from "../../app/texts.js";
import { network, offers, relayName, stats } from "./data.js";
import { carrierName, serviceName } from "./drawing.js";

const Fact = ({ name, children }) => html`<div><dt>${t(`network.reach.${name}`)}</dt><dd>${children}</dd></div>`;

const PARTS = ["dht", "pex", "lsd", "mapping", "holepunch"];

const Part = ({ name, part }) => html`
  <li class=${classes(!part.enabled && "off")}>
    <${Icon} name=${part.enabled ? "circle-check" : "circle-pause"} />
    <div><b>${t(`network.part.${name}`)}</b><p class="soft">${part.enabled ? sentence(part.message
      || t("network.on")) : t("network.off")}</p></div>
  </li>`;

function numbers(service) {
  const told = stats.value[service];
  if (!told) return null;
  if (service === "relay") return t("network.relay-numbers", { clients: told.clients, limit: told.clients_limit,
    bytes: bytes(told.sent_bytes) });
  if (service === "tracker") return t("network.tracker-numbers", { swarms: told.swarms,
    peers: told.seeds + told.leechers });
  return t("network.mailbox-numbers", { boxes: told.boxes, envelopes: told.envelopes,
    bytes: bytes(told.bytes) });
}

const Service = ({ offer }) => {
  const rests = offer.off || offer.runs === false;
  const icon = rests ? "circle-pause" : "circle-check";
  return html`
  <li class=${classes(offer.message && "bad", rests && "off")}>
    <${Icon} name=${offer.message ? "circle-alert" : icon} />
    <div class="grow"><b>${serviceName(offer.service)}</b>
      <p class="soft">${offer.message ? sentence(offer.message)
        : rests ? t("network.off") : numbers(offer.service) ?? t("network.on")}</p>
      ${offer.urls.map((url) => html`<p key=${url} class="url"><code>${url}</code>
        <${Button} small kind="quiet" icon="copy" label=${t("copy")} onClick=${() => copy(url)} /></p>`)}
    </div>
  </li>`;
};

/** The relay that is waited at, and what is wrong with it. */
function relayWords(relay) {
  if (!relay) return t("network.no-relay");
  const name = relayName(relay.relay);
  return relay.connected ? name : `${name} – ${relay.message ?? t("network.not-connected")}`;
}

const offeredWords = ({ relay, offered_by: by }) => (by
  ? t("network.offered-by", { relay: relayName(relay), name: by })
  : relayName(relay));

export function Reach() {
  const known = network.value;
  if (!known) return null;
  const overlay = known.overlay;
  return html`
    <div class="page parts" tabindex="0">
      <section class="panel">
        <h2>${t("network.reach.title")}</h2>
        <dl class="facts wide">
          <${Fact} name="listen">${known.listen.join(", ") || t("network.nowhere")}<//>
          <${Fact} name="external">${known.external.join(", ") || t("network.unseen")}<//>
          ${known.external_port && html`<${Fact} name="port">${known.external_port}<//>`}
          <${Fact} name="carriers">${known.carriers.map(carrierName).join(", ")}<//>
          <${Fact} name="encryption">${t(`network.encryption.${known.encryption}`)}<//>
          ${overlay && html`
            <${Fact} name="node"><code>${overlay.node}</code>
              <${Button} small kind="quiet" icon="copy" label=${t("copy")} onClick=${() => copy(overlay.node)} /><//>
            <${Fact} name="relay">${relayWords(overlay.relay)}<//>
            ${overlay.relays.length > 0 && html`
              <${Fact} name="relays">${overlay.relays.map(offeredWords).join(", ")}<//>`}
            <${Fact} name="published">${t(overlay.published ? "network.published" : "network.unpublished")}<//>`}
        </dl>
        ${!overlay && !node.identity.value && html`<p class="soft">${t("network.no-overlay")}</p>`}
      </section>
      <h2>${t("network.how")}</h2>
      <ul class="cards-list two">${PARTS.map((name) => html`<${Part} key=${name} name=${name} part=${known[name]} />`)}
        </ul>
      <h2>${t("network.services")}</h2>
      <ul class="cards-list two">
        ${offers.value.filter(({ runs }) => runs !== null && runs !== undefined).map((offer) => html`
          <${Service} key=${offer.service} offer=${offer} />`)}
      </ul>
      <p><a href=${to("controls", "services")}>${t("network.change-services")}</a></p>
    </div>`;
}
