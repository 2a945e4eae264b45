// The recovery phrase: shown only when somebody asks for it, hidden again when nobody looks, and kept nowhere.

import { html, useEffect, useState } from "./view.js";
import { api } from "./api.js";
import { Dialog, openDialog } from "./dialog.js";
import { node } from "./node.js";
import { Button, Field, Note, Words } from "./parts.js";
import { t } from "./texts.js";

/** The 24 words behind a button, hidden again when the page is left. There is no way to the clipboard on purpose. */
export function Phrase({ phrase, onSeen }) {
  const [shown, setShown] = useState(false);
  useEffect(() => {
    const hide = () => document.hidden && setShown(false);
    document.addEventListener("visibilitychange", hide);
    return () => document.removeEventListener("visibilitychange", hide);
  }, []);
  const show = () => {
    setShown(true);
    onSeen?.();
  };
  return html`
    <div class="phrase">
      ${shown
        ? html`<ol aria-label=${t("phrase.title")} translate="no">${phrase.split(" ").map((word, index) => html`<li
          key=${index}>${word}</li>`)}</ol>`
        : html`<${Button} icon="eye" text=${t("phrase.look")} onClick=${show} />`}
    </div>`;
}

function PhraseDialog({ close }) {
  const locked = node.identity.value?.passphrase;
  const [secret, setSecret] = useState("");
  const [phrase, setPhrase] = useState(null);
  const [problem, setProblem] = useState(null);
  const ask = async () => setPhrase((await api.post("/identity/phrase", { passphrase: secret || null })).phrase);
  useEffect(() => { if (!locked) ask().catch(setProblem); }, []);
  const submit = phrase || !locked ? undefined : async () => { await ask(); return false; };
  return html`
    <${Dialog} title=${t("phrase.title")} close=${close} submit=${submit} action=${t("phrase.open")}>
      ${problem && html`<${Words} problem=${problem} />`}
      ${phrase ? html`<p>${t("phrase.what")}</p><${Phrase} phrase=${phrase} />
          <${Note} icon="lock">${t("phrase.keep")}<//>`
        : locked && html`<${Field} label=${t("phrase.passphrase")}>${(id) => html`
          <input id=${id} type="password" autocomplete="current-password" autofocus value=${secret}
            onInput=${(event) => setSecret(event.target.value)} />`}<//>`}
    <//>`;
}

/** Shows the recovery phrase in a dialog, after the passphrase where there is one. */
export const showPhrase = () => openDialog(PhraseDialog);
