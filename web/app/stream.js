// A stream of server-sent events that heals itself: it is opened again after a loss, and rests while nobody looks,
// since a browser has few connections to one node and each stream holds one.

import { api, loggedIn } from "./api.js";
import { useEffect } from "./view.js";

/** How long the page may be hidden before its streams rest, in milliseconds. Arbitrary. */
const REST_AFTER_MS = 20_000;

/** After how long a silence the node is asked whether it is there, and how long it has to answer, in milliseconds. */
const SILENCE_MS = 15_000;
const ANSWER_MS = 5000;

/** How long events are gathered before they are handed over, in milliseconds: three pictures of a screen. */
const GATHER_MS = 50;

/** The waits before each new try, in milliseconds; the last one is repeated. Arbitrary. */
const WAITS_MS = [250, 1000, 2000, 5000];

/**
 * Follows the events at a path of the API; after a loss, behind the last one that came.
 * `take` gets the events in order, several at once; `state` gets `open` or `lost`.
 * Returns a function that ends it.
 */
export function follow(path, take, state = () => {}) {
  let source = null;
  let tries = 0;
  let timer = 0;
  let resting = 0;
  let gathering = 0;
  let waiting = [];
  let heard = 0;
  let last = "";

  const hand = () => {
    gathering = 0;
    const events = waiting;
    waiting = [];
    if (events.length > 0) take(events);
  };
  const close = () => {
    source?.close();
    source = null;
    clearTimeout(timer);
  };
  const open = () => {
    close();
    // An EventSource shows the id by itself only where it opens itself again.
    source = new EventSource(api.url(last ? `${path}?last_event_id=${last}` : path));
    heard = Date.now();
    // Of several with which everything begins, the last alone has an id.
    source.onmessage = ({ data, lastEventId }) => {
      tries = 0;
      heard = Date.now();
      last = lastEventId;
      state("open");
      waiting.push(JSON.parse(data));
      gathering ||= setTimeout(hand, GATHER_MS);
    };
    source.onerror = lose;
  };
  const lose = async () => {
    close();
    state("lost");
    const wait = WAITS_MS[Math.min(tries, WAITS_MS.length - 1)];
    tries += 1;
    // What a stream met is not told to a page; a plain question is: it notices that the log-in ended.
    await api.get("/session", { signal: AbortSignal.timeout(ANSWER_MS) }).catch(() => {});
    if (loggedIn.value !== false && !source && !resting && !ended) timer = setTimeout(open, wait);
  };
  // A connection that broke somewhere between says nothing any more, and no browser notices.
  const probe = async () => {
    heard = Date.now();
    try {
      await api.get("/session", { signal: AbortSignal.timeout(ANSWER_MS) });
    } catch (problem) {
      if (problem.status === 0 && source) lose();
    }
  };
  const listening = setInterval(() => {
    if (source && !document.hidden && Date.now() - heard > SILENCE_MS) probe();
  }, 1000);
  const look = () => {
    if (document.hidden) {
      resting ||= setTimeout(close, REST_AFTER_MS);
    } else {
      clearTimeout(resting);
      resting = 0;
      // It rested, or was lost while nobody looked.
      if (!source) open();
    }
  };
  const retry = () => {
    if (!source && !resting) open();
  };
  let ended = false;
  document.addEventListener("visibilitychange", look);
  window.addEventListener("online", retry);
  window.addEventListener("offline", probe);
  open();
  return () => {
    ended = true;
    document.removeEventListener("visibilitychange", look);
    window.removeEventListener("online", retry);
    window.removeEventListener("offline", probe);
    clearInterval(listening);
    clearTimeout(gathering);
    clearTimeout(resting);
    close();
  };
}

/** -> a hook: follows the events at a path for as long as any component is shown that uses it. */
export function followedWhileShown(path, take) {
  let users = 0;
  let end = null;
  return () => useEffect(() => {
    users += 1;
    end ??= follow(path, take);
    return () => {
      users -= 1;
      if (users > 0) return;
      end();
      end = null;
    };
  }, []);
}
