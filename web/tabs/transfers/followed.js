// One torrent, followed closely while it is looked at.

import { batch, computed, signal } from "../../app/view.js";
import { Collection } from "../../app/collection.js";
import { take as takeNode, torrents } from "../../app/node.js";
import { follow } from "../../app/stream.js";
import { FileTree } from "./tree.js";

/** How many seconds of rates are kept: as many as the node keeps. */
const PAST_S = 300;

/** How many entries of the log are kept: as many as the node keeps. */
const LOG = 100;

/** The bits of a map of pieces, in base64, the high bit of the first byte first. */
const bits = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));

const bit = (map, index) => (map[index >> 3] >> (7 - (index & 7))) & 1;

/** Which pieces are there. */
export class Pieces {
  constructor(map) {
    this.count = map.count;
    this.length = map.piece_length_bytes;
    this.have = bits(map.have);
    this.fetching = bits(map.fetching);
    this.availability = map.availability;
  }

  has(index) {
    return bit(this.have, index) === 1;
  }

  fetches(index) {
    return bit(this.fetching, index) === 1;
  }

  /** How many connected peers have the rarest piece of the run that this one is in. */
  available(index) {
    return this.availability[Math.floor((index * this.availability.length) / this.count)] ?? 0;
  }

  change({ got, lost, begun, ended, availability }) {
    const set = (map, list, to) => {
      for (const index of list) {
        const mask = 128 >> (index & 7);
        map[index >> 3] = to ? map[index >> 3] | mask : map[index >> 3] & ~mask;
      }
    };
    set(this.have, got, true);
    set(this.have, lost, false);
    set(this.fetching, begun, true);
    set(this.fetching, ended, false);
    if (availability) this.availability = availability;
  }
}

/** What is known of a torrent while it is looked at. */
export class Followed {
  peers = new Collection("number");
  /** The API's TorrentMore: what no list shows, and changes. */
  more = signal(null);
  tree = signal(null);
  trackers = signal([]);
  webSeeds = signal([]);
  sources = signal([]);
  log = signal([]);
  /** The pieces, in a box that is new with every change. */
  pieces = signal({ map: null });
  ready = signal(false);
  gone = signal(false);
  #past = { at: [], down: [], up: [] };
  #drawn = signal(0);
  #ends = [];

  /** The rates of the last minutes, in columns for a plot. */
  past = computed(() => {
    this.#drawn.value;
    return [[...this.#past.at], [...this.#past.down], [...this.#past.up]];
  });

  constructor(id) {
    this.id = id;
    this.#ends.push(follow(`/torrents/${id}/events`,
      (events) => batch(() => events.forEach((event) => this.#take(event)))));
    const timer = setInterval(() => this.#sample(), 1000);
    this.#ends.push(() => clearInterval(timer));
    this.#sample();
  }

  end() {
    for (const end of this.#ends) end();
  }

  #sample() {
    const torrent = torrents.row(this.id)?.peek();
    if (!torrent) return;
    const { at, down, up } = this.#past;
    at.push(Date.now() / 1000);
    down.push(torrent.download_bytes_per_s);
    up.push(torrent.upload_bytes_per_s);
    while (at[0] < at.at(-1) - PAST_S) for (const column of [at, down, up]) column.shift();
    this.#drawn.value += 1;
  }

  /** Takes what the node kept of the time before it was looked at. Seconds in which nothing moved are not among it. */
  #before(rates) {
    const { at, down, up } = this.#past;
    const since = at[0] ?? Infinity;
    const kept = rates.filter(({ at_s: second }) => second < since);
    const add = (second, { download_bytes_per_s: got = 0, upload_bytes_per_s: sent = 0 } = {}) => {
      at.push(second);
      down.push(got);
      up.push(sent);
    };
    const seen = [at.splice(0), down.splice(0), up.splice(0)];
    for (const one of kept) {
      // It stood still until then.
      if (at.length > 0 && one.at_s - at.at(-1) > 2) add(one.at_s - 1);
      add(one.at_s, one);
    }
    [at, down, up].forEach((column, index) => column.push(...seen[index]));
    this.#drawn.value += 1;
  }

  #take({ event, data }) {
    switch (event) {
      case "snapshot":
        this.more.value = data.more;
        this.peers.reset(data.peers);
        this.#files(data.files);
        this.trackers.value = data.trackers;
        this.webSeeds.value = data.web_seeds;
        this.sources.value = data.sources;
        this.log.value = data.log ?? [];
        this.#before(data.rates ?? []);
        this.pieces.value = { map: data.pieces ? new Pieces(data.pieces) : null };
        this.ready.value = true;
        break;
      case "changed": takeNode("changed", data); break;
      case "more": this.more.value = data; break;
      case "peers":
        for (const number of data.removed) this.peers.remove(number);
        for (const peer of data.added) this.peers.put(peer);
        for (const { number, changed } of data.changed) this.peers.change(number, changed);
        break;
      case "files": this.#files(data); break;
      case "progress": this.tree.value?.progress(data); break;
      case "trackers": this.trackers.value = data; break;
      case "web_seeds": this.webSeeds.value = data; break;
      case "sources": this.sources.value = data; break;
      case "pieces": this.pieces.value = { map: new Pieces(data) }; break;
      case "piece_changes": {
        const { map } = this.pieces.value;
        map?.change(data);
        this.pieces.value = { map };
        break;
      }
      case "log": this.log.value = [...this.log.value, ...data].slice(-LOG); break;
      case "removed": this.gone.value = true; break;
      default:
    }
  }

  #files(files) {
    const old = this.tree.value;
    if (old?.fits(files)) old.progress(files);
    else this.tree.value = files.length > 0 ? new FileTree(files) : null;
  }
}
