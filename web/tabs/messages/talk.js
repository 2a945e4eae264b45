// One conversation while it is looked at: its messages, as far as they were read from the node, kept true by events.

import { batch, computed, signal } from "../../app/view.js";
import { api } from "../../app/api.js";
import { Collection } from "../../app/collection.js";
import { kept } from "../../app/kept.js";
import { chats, onEvent } from "../../app/node.js";

/** How many messages are read at once. Arbitrary: some screens. */
const PAGE = 60;

/** How many characters of a message are quoted. Arbitrary: more than a line has. */
const QUOTED = 200;

/** The path of a conversation in the API. */
export const pathOf = (id) => `/chats/${encodeURIComponent(id)}`;

/** What was begun to be written, by conversation: `{ text, answers, edits: { id, text } }`. */
const drafts = kept("messages.drafts", {}, (value) => value !== null && typeof value === "object", { typed: true });

export const draftOf = (id) => drafts.value[id] ?? { text: "", answers: null, edits: null };

/** Keeps what is being written; what is empty is forgotten. */
export function keepDraft(id, draft) {
  const { [id]: old, ...others } = drafts.peek();
  drafts.value = draft.text || draft.answers || draft.edits ? { ...others, [id]: draft } : others;
}

/** The order in which messages are shown: by their numbers, then by the two parts of their ids. */
function compare(a, b) {
  if (a.order !== b.order) return a.order - b.order;
  const [[first, one], [second, two]] = [a.id.split("-"), b.id.split("-")];
  if (first !== second) return first < second ? -1 : 1;
  return Number(one) - Number(two);
}

/** How far a message is with those who are to get it, from least to most. */
const STAGES = ["waiting", "in_mailbox", "delivered", "read"];

export class Talk {
  messages = new Collection("id");
  moreBefore = signal(false);
  moreAfter = signal(false);
  ready = signal(false);
  problem = signal(null);
  /** Who writes just now, by name. */
  typing = signal([]);
  /** The first message that was not read when the conversation was opened. */
  firstUnread = signal(null);
  #told = signal(null);
  /** What events told since a page was asked for, which may not have it; null: none is. */
  #meanwhile = null;
  /** The page that was asked for is to be asked for again: it may be from before a gap. */
  #gap = false;
  #ends = [];

  ids = computed(() => this.messages.list("order").sort(compare).map(({ id }) => id));

  /** The conversation as lists show it. */
  info = computed(() => chats.get(this.id) ?? this.#told.value);

  constructor(id, around) {
    this.id = id;
    this.path = pathOf(id);
    const mine = (act) => (data) => data.chat === id && this.#happens(() => act(data));
    this.#ends = [
      onEvent("message", mine((message) => this.#put(message))),
      onEvent("messages_gone", mine(({ ids }) => batch(() => ids.forEach((gone) => {
        this.messages.remove(gone);
        this.#requote(gone, null);
      })))),
      onEvent("delivery", mine((progress) => this.#deliver(progress))),
      onEvent("typing", mine(({ name, typing }) => {
        const others = this.typing.value.filter((one) => one !== name);
        this.typing.value = typing ? [...others, name] : others;
      })),
      onEvent("chats_missed", () => this.#again()),
      onEvent("snapshot", () => this.#again()),
    ];
    api.get(this.path).then((info) => { this.#told.value = info; }, () => {});
    if (around) this.around(around);
    else this.newest();
  }

  end() {
    for (const end of this.#ends) end();
  }

  /** Reads what may have been missed; who looks at an old place stays there, and meets it on the way down. */
  #again() {
    this.typing.value = [];
    if (this.#meanwhile) this.#gap = true;
    else if (!this.moreAfter.peek()) this.newest();
  }

  /** Reads the last messages. */
  newest() {
    return this.#load("", (page) => {
      this.messages.reset(page.messages);
      this.moreAfter.value = false;
      this.moreBefore.value = page.more_before;
    });
  }

  /** Reads what was said around a message. */
  around(id) {
    return this.#load(`&around=${id}`, (page) => {
      this.messages.reset(page.messages);
      this.moreBefore.value = page.more_before;
      this.moreAfter.value = page.more_after;
    });
  }

  /** Reads older messages. */
  older() {
    const first = this.ids.peek()[0];
    return first && this.moreBefore.peek() ? this.#load(`&before=${first}`, (page) => {
      page.messages.forEach((message) => this.messages.put(message));
      this.moreBefore.value = page.more_before;
    }) : false;
  }

  /** Reads newer messages, where the last ones are not there. */
  newer() {
    const last = this.ids.peek().at(-1);
    return last && this.moreAfter.peek() ? this.#load(`&after=${last}`, (page) => {
      page.messages.forEach((message) => this.messages.put(message));
      this.moreAfter.value = page.more_after;
    }) : false;
  }

  async #load(where, take) {
    if (this.#meanwhile) return false;
    const meanwhile = [];
    this.#meanwhile = meanwhile;
    try {
      const page = await api.get(`${this.path}/messages?limit=${PAGE}${where}`);
      batch(() => {
        take(page);
        for (const act of meanwhile) act();
        if (!this.ready.value) this.firstUnread.value = page.messages.find(({ mine, read }) => !mine && !read)?.id
          ?? null;
        this.ready.value = true;
        this.problem.value = null;
      });
      return true;
    } catch (problem) {
      this.problem.value = problem;
      return false;
    } finally {
      this.#meanwhile = null;
      if (this.#gap) {
        this.#gap = false;
        this.#again();
      }
    }
  }

  #happens(act) {
    act();
    this.#meanwhile?.push(act);
  }

  #put(message) {
    const known = this.messages.row(message.id);
    const first = this.messages.row(this.ids.peek()[0])?.peek();
    // What lies outside of what was read comes when that part is read.
    const outside = this.moreAfter.peek() || (this.moreBefore.peek() && first && compare(message, first) < 0);
    batch(() => {
      if (known || !outside) this.messages.put(message);
      this.#requote(message.id, message.deleted ? null : message);
    });
  }

  /** Lets the messages that answer this one quote what it says now; null: it is not here any more. */
  #requote(id, message) {
    for (const answer of this.messages.list("answers").filter(({ answers }) => answers?.id === id)) {
      const text = message ? [message.attachment?.name, message.text].filter(Boolean).join(" ") : "";
      const quote = { id, from: message?.from ?? null, text: text.slice(0, QUOTED) };
      this.messages.change(answer.id, { answers: quote });
    }
  }

  #deliver({ id, delivery }) {
    const message = this.messages.row(id)?.peek();
    if (!message) return;
    const all = [...message.delivery.filter(({ person }) => person !== delivery.person), delivery];
    const least = Math.min(...all.map(({ stage }) => STAGES.indexOf(stage)));
    this.messages.change(id, { delivery: all, stage: STAGES[least] });
  }

  /** Says something; what was said is there at once. */
  async say(what) {
    const { id } = await api.post(`${this.path}/messages`, what);
    if (!what.text) return;
    if (this.moreAfter.peek()) await this.newest();
    else if (!this.messages.row(id)) {
      const message = await api.get(`${this.path}/messages/${id}`);
      // An event told of it first, and maybe how far it is.
      if (!this.messages.row(id)) this.#put(message);
    }
  }

  /** Tells the node what was seen. */
  async markRead() {
    const unread = this.messages.list("read").filter(({ mine, read }) => !mine && !read).map(({ id }) => id);
    // Whoever is at the end has left behind what lies before what was loaded, too.
    const all = this.moreBefore.peek() && this.info.peek()?.unread > unread.length;
    if ((unread.length === 0 && !all) || this.info.peek()?.request) return;
    await api.post(`${this.path}/read`, { messages: all ? [] : unread });
    batch(() => unread.forEach((id) => this.messages.change(id, { read: true })));
  }
}
