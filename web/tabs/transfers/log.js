// What happened to a torrent lately.

import { classes, html } from "../../app/view.js";
import { Empty } from "../../app/parts.js";
import { locale, lookUp, t } from "../../app/texts.js";

const clock = new Intl.DateTimeFormat(locale, { dateStyle: "short", timeStyle: "medium" });
const BAD = new Set(["failed", "tracker", "bad_piece", "banned"]);

/** What the node wrote; the name of a state is told in the page's own words. */
const textOf = ({ kind, text }) => (kind === "state" ? lookUp(`transfers.state.${text}`) ?? text : text);

export function Log({ followed }) {
  const log = followed.log.value;
  if (log.length === 0) {
    return html`<${Empty} icon="list-checks" title=${t("log.none.title")} text=${t("log.none.text")} />`;
  }
  return html`
    <div class="page" tabindex="0">
      <ol class="log" reversed>
        ${[...log].reverse().map((entry) => html`
          <li key=${entry.number} class=${classes(BAD.has(entry.kind) && "bad")}>
            <time class="num soft" datetime=${new Date(entry.at_s * 1000).toISOString()}>
              ${clock.format(new Date(entry.at_s * 1000))}</time>
            <span><b>${lookUp(`log.kind.${entry.kind}`) ?? entry.kind}</b> ${textOf(entry)}</span>
          </li>`)}
      </ol>
    </div>`;
}
