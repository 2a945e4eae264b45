// What the node knows of the network, followed while the tab is shown.

import { batch, computed, signal } from "../../app/view.js";
import { Collection } from "../../app/collection.js";
import { node } from "../../app/node.js";
import { followedWhileShown } from "../../app/stream.js";
import { hostOf, nodeConnections, takeUsage, usage } from "../../app/usage.js";

/** The API's NetworkInfo, DhtInfo (null: switched off), OfferInfos. */
export const network = signal(null);
export const dht = signal(undefined);
export const offers = computed(() => node.offers.value ?? []);

/** The nodes of the DHT's table, with `key` and `heard_at`: when it was heard of, in milliseconds since 1970. */
export const dhtNodes = new Collection("key");

/** What the services that run say of themselves: the API's ServiceStats. */
export const stats = signal({});

/** The API's FoundPeers. */
export const found = signal(null);

const keyOf = ({ id, address }) => `${id}-${address}`;
const row = (one) => ({ ...one, key: keyOf(one),
  heard_at: one.silent_s === null ? null : Date.now() - one.silent_s * 1000 });

const takers = {
  network: (data) => { network.value = data; },
  dht: (data) => { dht.value = data; },
  dht_nodes: (data) => dhtNodes.reset(data.map(row)),
  dht_node_changes: ({ changed, removed }) => {
    for (const one of removed) dhtNodes.remove(keyOf(one));
    for (const one of changed) dhtNodes.put(row(one));
  },
  services: (data) => { stats.value = data; },
  found: (data) => { found.value = data; },
};

function take(events) {
  batch(() => {
    for (const event of events) {
      takers[event.event]?.(event.data);
      takeUsage(event);
    }
  });
}

/** Keeps all of it true for as long as the component is shown. */
export const useNetwork = followedWhileShown("/network/events", take);

/** Who is at the other end, as few things as there are nodes and addresses: what each carries, and by which way. */
export const neighbours = computed(() => {
  const ways = new Map(nodeConnections.value.map((one) => [one.node, one]));
  const all = new Map();
  for (const flow of usage.value?.connections ?? []) {
    const key = flow.node ?? (flow.address ? hostOf(flow.address) : "?");
    const known = all.get(key) ?? {
      key, node: flow.node, person: flow.person, address: flow.address, name: flow.name ?? null, nodeName: null,
      services: new Set(), carriers: new Set(), relay: null, rtt: null, age: 0, down: 0, up: 0, downloaded: 0,
      uploaded: 0,
      incoming: flow.incoming, count: 0,
    };
    const met = ways.get(flow.node);
    if (met) {
      known.name ??= met.person_name;
      known.nodeName = met.node_name;
      known.relay = met.way?.relayed ?? null;
      known.way = met.way?.direct ?? met.way?.relayed ?? null;
      known.rtt = met.rtt_ms;
    }
    known.services.add(flow.service);
    known.carriers.add(flow.carrier);
    known.count += 1;
    known.age = Math.max(known.age, flow.age_s);
    known.down += flow.download_bytes_per_s;
    known.up += flow.upload_bytes_per_s;
    known.downloaded += flow.downloaded_bytes;
    known.uploaded += flow.uploaded_bytes;
    all.set(key, known);
  }
  const weight = (one) => one.downloaded + one.uploaded;
  return [...all.values()].sort((a, b) => Boolean(b.person) - Boolean(a.person) || weight(b) - weight(a)
    || (a.key < b.key ? -1 : 1));
});

/** How the DHT is, in one word of `network.health`. */
export function healthOf(info) {
  if (info === undefined) return "asking";
  if (info === null) return "off";
  const families = [info.v4, info.v6].filter(Boolean);
  const good = families.reduce((sum, { good: count }) => sum + count, 0);
  if (!info.ready || good === 0) return families.some(({ bootstrapped }) => bootstrapped) ? "silent" : "begins";
  return good < FEW ? "few" : "good";
}

/** Below so many nodes that answer, the table is thin: two buckets (BEP 5 has 8 in each). */
const FEW = 16;

export const goodNodes = (info) => [info?.v4, info?.v6].reduce((sum, family) => sum + (family?.good ?? 0), 0);

/** A relay's text without what only programs need: its host. */
export const relayName = (text) => text.replace(/^\w+:\/\//, "").split(/[/?#]/)[0].replace(/:443$/, "");
