// Plays a file, also while it is fetched: in the page where the browser can, or in a player by a link.

import { html, useState } from "../../app/view.js";
import { api } from "../../app/api.js";
import { Dialog, openDialog } from "../../app/dialog.js";
import { Button, copy, Note } from "../../app/parts.js";
import { t } from "../../app/texts.js";
import { tellProblem } from "../../app/toast.js";

const FILMS = /\.(mp4|m4v|webm|ogv|mov|mkv|avi|mpe?g|wmv|ts)$/i;
const SOUNDS = /\.(mp3|flac|ogg|oga|opus|m4a|aac|wav|mka)$/i;
const PICTURES = /\.(jpe?g|png|gif|webp)$/i;

export const canPlay = (name) => FILMS.test(name) || SOUNDS.test(name) || PICTURES.test(name);

/** The address of what is in a file, on this page's own origin. */
async function addressOf(torrent, row) {
  const { url } = await api.post(`/torrents/${torrent.id}/files/${row.index}/link`, undefined);
  return { here: new URL(url).pathname, elsewhere: url };
}

export async function play(torrent, row) {
  try {
    openDialog(Player, { row, address: await addressOf(torrent, row) });
  } catch (problem) {
    tellProblem(problem);
  }
}

/**
 * Begins as soon as there is something to show; left to itself, a browser waits until it expects no gap, or for all
 * of it.
 */
const begin = (player) => {
  // Where it cannot be played, the player says so by itself.
  player?.play().catch(() => {});
};

function Player({ row, address, close }) {
  const [cannot, setCannot] = useState(false);
  const failed = () => setCannot(true);
  const shown = PICTURES.test(row.name)
    ? html`<img class="played" src=${address.here} alt=${row.name} onError=${failed} />`
    : SOUNDS.test(row.name)
      ? html`<audio class="played" src=${address.here} controls ref=${begin} onError=${failed}></audio>`
      : html`<video class="played" src=${address.here} controls playsinline ref=${begin}
          onError=${failed}></video>`;
  return html`
    <${Dialog} title=${row.name} close=${close} wide
      secondary=${html`<${Button} icon="link" text=${t("files.player-link")}
        onClick=${() => copy(address.elsewhere)} />`}>
      ${cannot ? html`<${Note}>${t("files.cannot")}<//>` : shown}
    <//>`;
}
