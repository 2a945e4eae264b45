// Who uses what now. It is followed only while something shows it.

import { batch, signal } from "./view.js";
import { followedWhileShown } from "./stream.js";

/** The API's UsageInfo: connections that stand, and totals; null: not told yet. */
export const usage = signal(null);

/** The connections with other nodes by their keys, with their numbers. */
export const nodeConnections = signal([]);

/** Takes one event, if it is about who uses what. */
export function takeUsage({ event, data }) {
  if (event === "usage") usage.value = data;
  else if (event === "connections") nodeConnections.value = data;
}

/** Follows it for as long as the component is shown. */
export const useUsage = followedWhileShown("/usage/events", (events) => batch(() => events.forEach(takeUsage)));

/** The address without its port. */
export const hostOf = (address) => address.replace(/:\d+$/, "").replace(/^\[|\]$/g, "");

/** How the gate names whoever is at the other end: the node, or the address. */
export const entryOf = ({ node, address }) => (node ? `node:${node}` : hostOf(address ?? ""));
