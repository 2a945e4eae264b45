// Two panes: the conversations, and the one that is open; on a phone one of them.

import { classes, html, useEffect, useState } from "../../app/view.js";
import { api } from "../../app/api.js";
import { chats, onEvent } from "../../app/node.js";
import { Button, Empty, Head, Words } from "../../app/parts.js";
import { isSomebody, Nobody } from "../../app/people.js";
import { t } from "../../app/texts.js";
import { List, write } from "./list.js";
import { Thread } from "./thread.js";

/** Why nothing goes out and nothing is taken in, where that is so. */
function Failing() {
  const [reason, setReason] = useState(null);
  useEffect(() => {
    api.get("/chat").then(({ failure }) => setReason(failure), () => {});
    return onEvent("chat_failing", (news) => setReason(news.reason));
  }, []);
  return reason && html`<${Words} problem=${{ message: t("messages.failing", { reason }) }} />`;
}

export function Messages({ place: [id, found] }) {
  if (!isSomebody()) return html`<${Head} title=${t("tabs.messages")} /><${Nobody} />`;
  return html`
    <div class=${classes("panes", id ? "one-open" : chats.size === 0 && "nothing")}>
      <${List} at=${id} />
      <div class="open">
        <${Failing} />
        ${id ? html`<${Thread} key=${`${id} ${found}`} id=${id} found=${found} />` : chats.size > 0 && html`
          <${Empty} icon="message-circle" title=${t("messages.none-open.title")} text=${t("messages.none-open.text")}>
            <${Button} icon="plus" text=${t("messages.new")} onClick=${write} /><//>`}
      </div>
    </div>`;
}
