// The drawing: what finds peers on the left, the node in the middle, whom it is connected with on the right. The
// boxes are lists, which a screen reader reads; the lines are a picture behind them.

import { classes, html, useLayoutEffect, useRef, useState } from "../../app/view.js";
import { sentence } from "../../app/api.js";
import { perSecond } from "../../app/format.js";
import { Icon } from "../../app/icons.js";
import { node, rates, sumRates } from "../../app/node.js";
import { to } from "../../app/router.js";
import { lookUp, t } from "../../app/texts.js";
import { dht, found, goodNodes, healthOf, neighbours, network, offers, relayName, stats } from "./data.js";

/** How many neighbours are drawn one by one; the table has all. Arbitrary: what fits a screen. */
const MOST = 12;

/** The height of a box and of the room around it, in pixels. */
const BOX = 44;
const STEP = 54;

/**
 * The room below the node's own box where all stand below one another, how high the drawing grows by itself, and the
 * room for what explains the lines, in pixels.
 */
const BELOW = 20;
const HIGHEST = 400;
const KEYS_HIGH = 70;

/** The width from which the three columns stand beside each other, in pixels. */
const WIDE = 700;

const ICONS = {
  tracker: "server", dht: "hash", pex: "share-2", lsd: "house", hint: "link", incoming: "arrow-down", people: "users",
  web_seed: "globe", resume: "rotate-ccw",
};

export const wayName = (source) => lookUp(`network.way.${source}`) ?? source;
export const carrierName = (carrier) => lookUp(`carrier.${carrier}`) ?? carrier;
export const serviceName = (service) => lookUp(`services.${service}.name`) ?? service;

/** What a neighbour is called. */
export const nameOf = (one) => {
  if (one.name) return one.nodeName ? `${one.name} · ${one.nodeName}` : one.name;
  if (one.node) return one.nodeName ?? `${one.node.slice(0, 10)}…`;
  return one.address ?? t("network.unknown");
};

/** A carrier's line: a relayed one is told by its dashes, too, since not everybody sees colours. */
const kindOf = (one) => (one.relay ? "relayed" : ["quic", "utp"].find((carrier) => one.carriers.has(carrier)) ?? "tcp");

/** A line's width by what goes along it: a pixel for each factor of ten above a kB/s. */
const widthOf = (one) => 1.5 + Math.min(4, Math.max(0, Math.log10((one.down + one.up) / 1000 || 1)));

const curve = ([x, y], [u, v]) => `M${x},${y} C${(x + u) / 2},${y} ${(x + u) / 2},${v} ${u},${v}`;

/** The ways that are of interest: those that gave something, and the DHT always. */
function waysNow() {
  const ways = found.value?.sources ?? [];
  const shown = ways.filter(({ source, given, connected }) => given > 0 || connected > 0 || source === "dht");
  if (!shown.some(({ source }) => source === "dht")) {
    shown.unshift({ source: "dht", enabled: dht.value !== null, given: 0, connected: 0 });
  }
  return shown.sort((a, b) => (b.source === "dht") - (a.source === "dht") || b.connected - a.connected
    || b.given - a.given);
}

/** Where everything stands in a drawing of that size; the node's own box is so `tall`. */
function layOut({ width, height: room }, tall, ways, shown, relays) {
  const wide = width >= WIDE;
  const rows = shown.length;
  if (!wide) {
    const top = tall + BELOW;
    const right = { x: 34, width: width - 34 };
    const at = (index) => top + index * STEP;
    return { wide, height: top + rows * STEP, middle: { x: 0, y: 0, width, height: tall }, right, at,
      relays: new Map() };
  }
  const column = Math.min(230, Math.floor(width * 0.24));
  const height = Math.max(rows * STEP, ways.length * STEP, tall, Math.min(HIGHEST, room - KEYS_HIGH));
  const middle = { width: Math.min(272, width * 0.28), height: tall };
  middle.x = (width - middle.width) / 2 - width * 0.035;
  middle.y = (height - middle.height) / 2;
  // An address beside its rates has room.
  const beside = Math.min(320, Math.floor(width * 0.3));
  const right = { x: width - beside, width: beside };
  const offset = (height - rows * STEP) / 2;
  const at = (index) => offset + index * STEP + (STEP - BOX) / 2;
  const left = (index) => (height - ways.length * STEP) / 2 + index * STEP + (STEP - BOX) / 2;
  const between = (middle.x + middle.width + right.x) / 2;
  const places = new Map(relays.map((relay) => {
    const users = shown.map((one, index) => (one.relay === relay ? at(index) + BOX / 2 : null))
      .filter((y) => y !== null);
    return [relay, [between, users.reduce((sum, y) => sum + y, 0) / users.length]];
  }));
  return { wide, height, middle, right, at, left, column, relays: places };
}

function Lines({ width, plan, ways, shown }) {
  const { middle, right } = plan;
  const lines = [];
  if (plan.wide) {
    ways.forEach((way, index) => {
      const from = [plan.column, plan.left(index) + BOX / 2];
      const into = [middle.x, middle.y + middle.height * ((index + 1) / (ways.length + 1))];
      lines.push(html`<path key=${`way ${way.source}`} class=${classes("way", way.connected === 0 && "idle")}
        d=${curve(from, into)} />`);
    });
  }
  if (!plan.wide && shown.length > 0) {
    lines.push(html`<path key="trunk" d=${`M16,${middle.height} V${plan.at(shown.length - 1) + BOX / 2 - 12}`} />`);
  }
  shown.forEach((one, index) => {
    const y = plan.at(index) + BOX / 2;
    const share = (index + 1) / (shown.length + 1);
    const start = plan.wide ? [middle.x + middle.width, middle.y + middle.height * share] : [16, middle.height];
    const relay = plan.relays.get(one.relay);
    const d = !plan.wide ? `M16,${y - 12} Q16,${y} 26,${y} H${right.x}`
      : relay ? `${curve(start, relay)} ${curve(relay, [right.x, y])}` : curve(start, [right.x, y]);
    lines.push(html`<path key=${one.key} class=${kindOf(one)} d=${d} style=${{ strokeWidth: widthOf(one) }} />`);
  });
  return html`<svg aria-hidden="true" width=${width} height=${plan.height}
    viewBox=${`0 0 ${width} ${plan.height}`}>${lines}</svg>`;
}

const place = (x, y, width) => ({ transform: `translate(${x}px, ${y}px)`, width: `${width}px` });

const Way = ({ way }) => html`
  <span class="sign"><${Icon} name=${ICONS[way.source] ?? "globe"} size=${18} /></span>
  <span class="lines"><b>${wayName(way.source)}</b><small>
    ${way.source === "dht" && html`<i class=${classes("dot", healthOf(dht.value))}></i>
      ${healthOf(dht.value) === "good" ? t("network.nodes",
        { count: goodNodes(dht.value) }) : t(`network.health.${healthOf(dht.value)}`)}
      ${way.connected > 0 && " · "}`}
    ${(way.source !== "dht" || way.connected > 0) && t("network.found", { given: way.given, connected: way.connected })}
  </small></span>`;

const Neighbour = ({ one }) => html`
  <span class=${classes("sign", one.person && "person")}><${Icon}
    name=${one.person ? "user" : one.node ? "monitor" : "globe"} size=${18} /></span>
  <span class="lines"><b title=${nameOf(one)}>${nameOf(one)}</b>
    <small>
      ${[[...one.services].map(serviceName).join(", "),
        one.relay ? t("network.relayed") : [...one.carriers].map(carrierName).join(", ")]
        .filter(Boolean).join(" · ")}
    </small></span>
  <span class="rates num">
    ${one.down > 0 && html`<span class="down">↓ ${perSecond(one.down)}</span>`}
    ${one.up > 0 && html`<span class="up">↑ ${perSecond(one.up)}</span>`}
  </span>`;

function serviceWords({ service, runs }) {
  const { relay, tracker, mailbox } = stats.value;
  if (!runs) return "";
  if (service === "relay" && relay) return t("network.relay-serves", { count: relay.clients });
  if (service === "tracker" && tracker) return t("network.tracker-serves", { count: tracker.swarms });
  if (service === "mailbox" && mailbox) return t("network.mailbox-serves", { count: mailbox.boxes });
  return "";
}

/** The node itself: what it is called, where it is reached, its carriers, what it does for others. */
function Middle() {
  const all = neighbours.value;
  const known = network.value;
  const now = rates.value ?? sumRates();
  const count = (carrier) => all.filter(({ carriers }) => carriers.has(carrier)).length;
  const serving = offers.value.filter(({ runs, off }) => runs && !off);
  const carriers = [...(known?.carriers ?? ["tcp", "utp"]), ...(known?.overlay ? ["quic"] : [])];
  const port = known?.external_port ? `:${known.external_port}` : "";
  const where = known?.external?.length ? `${known.external[0]}${port}` : null;
  return html`
    <div class="title"><span class="sign"><${Icon} name="monitor" size=${20} /></span>
      <span class="lines"><b>${node.identity.value?.node_name ?? t("network.this")}</b>
        <small>${where ? t("network.seen-as", { address: where }) : sentence(t("network.unseen"))}</small></span></div>
    <p class="rate num">
      <span class="down"><${Icon} name="arrow-down" size=${16} />${perSecond(now.download_bytes_per_s)}</span>
      <span class="up"><${Icon} name="arrow-up" size=${16} />${perSecond(now.upload_bytes_per_s)}</span></p>
    <ul class="chips" aria-label=${t("network.carriers")}>
      ${carriers.map((carrier) => html`<li key=${carrier}
        class=${`chip ${carrier}`}><i></i>${carrierName(carrier)} <b>${count(carrier)}</b></li>`)}
      ${known?.overlay?.relay && html`<li class="chip relayed"><i></i>
        ${t(known.overlay.relay.connected ? "network.by-relay" : "network.relay-waits",
          { relay: relayName(known.overlay.relay.relay) })}</li>`}
    </ul>
    ${serving.length > 0 && html`<ul class="chips" aria-label=${t("network.services")}>
      ${serving.map((offer) => html`<li key=${offer.service} class="chip service">
        <${Icon} name="handshake" size=${13} />
        ${serviceName(offer.service)} ${serviceWords(offer)}</li>`)}</ul>`}`;
}

const KEYS = ["tcp", "utp", "quic", "relayed"];

export function Drawing() {
  const root = useRef();
  const card = useRef();
  const [size, setSize] = useState({ width: 0, height: 0 });
  const [tall, setTall] = useState(0);
  const { width } = size;
  useLayoutEffect(() => {
    const observer = new ResizeObserver(([{ contentRect }]) =>
      setSize({ width: Math.floor(contentRect.width), height: Math.floor(contentRect.height) }));
    observer.observe(root.current);
    return () => observer.disconnect();
  }, []);
  useLayoutEffect(() => {
    // The node's own box is as high as what stands in it.
    if (!card.current) return undefined;
    const observer = new ResizeObserver(() => setTall(card.current.offsetHeight));
    observer.observe(card.current);
    return () => observer.disconnect();
  }, [width > 0]);
  const all = neighbours.value;
  const shown = all.slice(0, all.length > MOST ? MOST - 1 : MOST);
  const ways = waysNow();
  const rest = all.length - shown.length;
  const relays = [...new Set(shown.map(({ relay }) => relay).filter(Boolean))];
  const drawn = rest > 0 ? [...shown, { key: "rest", rest, carriers: new Set(), down: 0, up: 0 }] : shown;
  const plan = layOut(size, tall, ways, drawn, relays);
  const wayList = ways.map((way, index) => html`
    <li key=${way.source} class="box" style=${plan.wide ? place(0, plan.left(index), plan.column) : {}}><${Way}
      way=${way} /></li>`);
  return html`
    <div class="drawing" ref=${root} tabindex="0" role="region" aria-label=${t("network.section.drawing")}>
      ${width > 0 && html`
        <div class="board" style=${{ height: `${plan.height}px` }}>
          <${Lines} width=${width} plan=${plan} ways=${ways} shown=${drawn} />
          ${plan.wide && html`<ul aria-label=${t("network.ways")}>${wayList}</ul>`}
          <section class="middle box" aria-label=${t("network.this")} ref=${card}
            style=${place(plan.middle.x, plan.middle.y, plan.middle.width)}><${Middle} /></section>
          ${[...plan.relays].map(([relay, [x, y]]) => html`
            <span key=${relay} class="via" title=${relay}
              style=${{ transform: `translate(${x}px, ${y}px) translate(-50%, -50%)` }}>
              ${t("network.via", { relay: relayName(relay) })}</span>`)}
          <ul aria-label=${t("network.neighbours")}>
            ${drawn.map((one, index) => html`
              <li key=${one.key} class=${classes("box", one.rest && "rest")} style=${place(plan.right.x, plan.at(index),
                plan.right.width)}>
                ${one.rest ? html`<a href=${to("network", "connections")}>${t("network.rest", { count: one.rest })}</a>`
                  : html`<${Neighbour} one=${one} />`}
              </li>`)}
          </ul>
          ${all.length === 0 && plan.wide && html`<p class="nobody soft"
            style=${place(plan.right.x, plan.height / 2 - 22,
            plan.right.width)}>
            ${t("network.nobody")}</p>`}
        </div>
        ${all.length === 0 && !plan.wide && html`<p class="soft">${t("network.nobody")}</p>`}
        <p class="keys" aria-hidden="true">${KEYS.map((kind) => html`
          <span key=${kind}><svg width="26" height="8"><path class=${kind} d="M0,4 H26" /></svg>
            ${kind === "relayed" ? t("network.relayed") : carrierName(kind)}</span>`)}</p>
        ${!plan.wide && html`<h2>${t("network.ways")}</h2><ul class="ways">${wayList}</ul>`}
        ${found.value?.torrents < found.value?.running
          && html`<p class="hint">${t("network.of-busy", { count: found.value.torrents })}</p>`}`}
    </div>`;
}
