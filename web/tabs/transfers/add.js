// Adding: by link, by file, dropped or pasted anywhere; with a look at the files before anything is fetched.

import { html, useEffect, useState } from "../../app/view.js";
import { Problem } from "../../app/api.js";
import { Dialog, dialogOpen, lasting, openDialog } from "../../app/dialog.js";
import { useDraft } from "../../app/draft.js";
import { Icon } from "../../app/icons.js";
import { told } from "../../app/node.js";
import { route } from "../../app/router.js";
import { t } from "../../app/texts.js";
import { tellProblem } from "../../app/toast.js";
import { PreviewDialog } from "./preview.js";
import { tidyUndecided } from "./undecided.js";

/** How many can be added at once. Arbitrary: each is looked at. */
const MOST = 50;

/** The links in a text: magnets, bare info-hashes, addresses of torrent files. */
export function linksIn(text) {
  const words = text.split(/\s+/).map((word) => word.replace(/^[<"']+|[>"']+$/g, ""));
  const hash = /^([0-9a-f]{40}|[a-z2-7]{32})$/i;
  return words
    .filter((word) => /^magnet:\?/i.test(word) || /^https?:\/\/\S+/i.test(word) || hash.test(word))
    .map((word) => (hash.test(word) ? `magnet:?xt=urn:btih:${word}` : word));
}

const isTorrent = (file) => /\.torrent$/i.test(file.name) || file.type === "application/x-bittorrent";

/** Asks for links or files, unless they are there; then shows what is in them. */
export function addTorrents({ links = [], files = [] } = {}) {
  if (links.length + files.length === 0) openDialog(AddDialog);
  else {
    openDialog(PreviewDialog, {
      links: links.slice(0, MOST), files: files.slice(0, Math.max(0, MOST - links.length)),
      offered: links.length + files.length,
    });
  }
}

function AddDialog({ close }) {
  const [text, setText] = useDraft("links", "");
  const links = linksIn(text);
  const look = (what) => {
    close();
    addTorrents(what);
  };
  const take = (event) => {
    const files = [...event.target.files];
    if (files.length > 0) look({ files });
  };
  const paste = (event) => {
    // A link alone needs no further word.
    const pasted = linksIn(event.clipboardData.getData("text"));
    if (pasted.length > 0 && text.trim() === "") {
      event.preventDefault();
      look({ links: pasted });
    }
  };
  return html`
    <${Dialog} title=${t("transfers.add.title")} close=${close} submit=${() => look({ links })}
      action=${t("transfers.add.look")} disabled=${links.length === 0}>
      <div class="field">
        <label for="add-links">${t("transfers.add.links")}</label>
        <textarea id="add-links" rows="4" autofocus spellcheck=${false} placeholder="magnet:?xt=…" value=${text}
          onPaste=${paste}
          aria-describedby="add-hint" onInput=${(event) => setText(event.target.value)}></textarea>
        <p class="hint" id="add-hint" role="status">
          ${t(text.trim() !== "" && links.length === 0 ? "transfers.add.none" : "transfers.add.hint")}</p>
      </div>
      <label class="drop">
        <${Icon} name="upload" size=${22} />
        <span>${t("transfers.add.file")}</span>
        <input class="unseen" type="file" accept=".torrent,application/x-bittorrent" multiple onChange=${take} />
      </label>
    <//>`;
}

lasting({ "transfers.add": AddDialog });

/** The tabs that take what is dropped themselves: to share it, or to send it. */
const OTHERS = ["share", "messages"];

const typing = (element) => element.closest?.("input, textarea, [contenteditable]");

/** Takes links that are pasted and torrent files that are dropped, wherever one is on the page. */
export function Catcher() {
  const [over, setOver] = useState(false);
  useEffect(() => { if (told.value) tidyUndecided(); }, [told.value]);
  useEffect(() => {
    const paste = (event) => {
      if (typing(event.target) || dialogOpen()) return;
      const links = linksIn(event.clipboardData.getData("text"));
      const files = [...event.clipboardData.files].filter(isTorrent);
      if (links.length + files.length === 0) return;
      event.preventDefault();
      addTorrents({ links, files });
    };
    let depth = 0;
    const holds = (event, ...types) => types.some((type) => event.dataTransfer.types.includes(type));
    const ours = (event) => !OTHERS.includes(route.peek().tab) && !dialogOpen()
      && (holds(event, "Files") || (!typing(event.target) && holds(event, "text/uri-list", "text/plain")));
    const enter = (event) => {
      if (!ours(event)) return;
      depth += 1;
      setOver(true);
    };
    const leave = () => {
      depth = Math.max(0, depth - 1);
      if (depth === 0) setOver(false);
    };
    // A file that nothing takes would be shown by the browser in place of the page.
    const keep = (event) => (ours(event) || holds(event, "Files")) && event.preventDefault();
    const drop = (event) => {
      depth = 0;
      setOver(false);
      keep(event);
      if (!ours(event)) return;
      const files = [...event.dataTransfer.files].filter(isTorrent);
      const links = linksIn(event.dataTransfer.getData("text/uri-list") || event.dataTransfer.getData("text/plain"));
      if (files.length + links.length > 0) addTorrents({ links: files.length > 0 ? [] : links, files });
      else if (holds(event, "Files")) tellProblem(new Problem({ detail: t("transfers.add.no-torrent") }));
    };
    const all = { paste, dragenter: enter, dragleave: leave, dragover: keep, drop };
    for (const [name, act] of Object.entries(all)) window.addEventListener(name, act);
    return () => {
      for (const [name, act] of Object.entries(all)) window.removeEventListener(name, act);
    };
  }, []);
  return over && html`<div class="drop-here"><p><${Icon} name="download" size=${30} />${t("transfers.add.drop")}</p>
    </div>`;
}
