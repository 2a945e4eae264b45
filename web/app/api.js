// Calls the node. Whatever goes wrong becomes a `Problem`, whose `message` says to a person what happened and
// what to do.

import { signal } from "./view.js";
import { t } from "./texts.js";

const PREFIX = "/api/v1";

/** Whether the node knows this browser: `undefined` until it was asked. */
export const loggedIn = signal(undefined);

/**
 * Begins with a capital letter: programs tell of errors within sentences of their own, here they stand alone. What
 * begins with no word but a link, a path or a name stays as it is.
 */
export const sentence = (text) => text.replace(/^\p{Ll}[\p{L}'’-]*(?=[:,;.]?(?:\s|$))/u,
  (word) => word[0].toUpperCase() + word.slice(1));

/** Whether a log-in of this page ended by itself. */
export const wasIn = signal(false);

/** What went wrong, as RFC 9457 says it; `status` 0: the node could not be reached. */
export class Problem extends Error {
  constructor(problem) {
    super(sentence(problem.detail || problem.title || ""));
    this.name = "Problem";
    this.kind = problem.type ?? "unknown";
    this.status = problem.status ?? 0;
    this.title = problem.title ?? "";
  }
}

async function problemOf(response) {
  const type = response.headers.get("content-type") ?? "";
  if (type.startsWith("application/problem+json")) return new Problem(await response.json());
  return new Problem({ status: response.status, title: response.statusText, detail: t("problem.status", response) });
}

async function call(method, path, body, { signal: stop, type } = {}) {
  const options = { method, headers: {}, signal: stop, credentials: "same-origin" };
  if (type) {
    options.headers["content-type"] = type;
    options.body = body;
  } else if (body !== undefined) {
    options.headers["content-type"] = "application/json";
    options.body = JSON.stringify(body);
  }
  let response;
  try {
    response = await fetch(PREFIX + path, options);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Problem({ type: "unreachable", detail: t("problem.unreachable") });
  }
  if (response.status === 401) {
    wasIn.value ||= loggedIn.peek() === true;
    loggedIn.value = false;
  }
  if (!response.ok) throw await problemOf(response);
  if (response.status === 204) return null;
  const kind = response.headers.get("content-type") ?? "";
  return kind.startsWith("application/json") ? response.json() : response.text();
}

/** The calls of the API; a path begins after `/api/v1`. */
export const api = {
  get: (path, options) => call("GET", path, undefined, options),
  post: (path, body, options) => call("POST", path, body, options),
  put: (path, body, options) => call("PUT", path, body, options),
  patch: (path, body, options) => call("PATCH", path, body, options),
  delete: (path, body, options) => call("DELETE", path, body, options),
  /** The address of something that the browser itself fetches: a picture, a film. */
  url: (path) => PREFIX + path,
};

/** Logs in by a code, by a secret, or by what the browser has already; -> whether the node knows this browser now. */
export async function logIn(how) {
  try {
    if (how) await api.post("/login", how);
    else await api.get("/login");
    loggedIn.value = true;
  } catch (problem) {
    // A node that has no log-in of its own knows whom it answers.
    if (problem.status === 404) {
      loggedIn.value = await api.get("/session").then(() => true, () => false);
    } else if (problem.status !== 0 || how) {
      loggedIn.value = false;
      // The node says what would log in; what went wrong is known here.
      if (problem.kind === "wrong-secret") problem.message = t(how.code ? "login.used" : "login.wrong");
      if (how) throw problem;
    } else {
      throw problem;
    }
  }
  return loggedIn.value;
}

/** Forgets this browser. */
export async function logOut() {
  await api.post("/logout");
  loggedIn.value = false;
}
