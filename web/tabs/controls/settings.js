// The settings that most people want to see: who one is, where content goes, who finds the node, what others are told.

import { html, useState } from "../../app/view.js";
import { api } from "../../app/api.js";
import { Dialog, lasting, openDialog } from "../../app/dialog.js";
import { useDraft } from "../../app/draft.js";
import { FolderField } from "../../app/folder.js";
import { node, take } from "../../app/node.js";
import { Button, Field, Switch } from "../../app/parts.js";
import { showOwnLink } from "../../app/people.js";
import { t } from "../../app/texts.js";
import { tell } from "../../app/toast.js";
import { showPhrase } from "../../app/phrase.js";
import { beginWizard } from "../../app/wizard.js";
import { Password } from "./password.js";
import { change, patchSettings } from "./state.js";

function NameDialog({ close }) {
  const { name, node_name: nodeName, passphrase } = node.identity.value;
  const [own, setOwn] = useDraft("name", name);
  const [computer, setComputer] = useDraft("computer", nodeName ?? "");
  const [secret, setSecret] = useState("");
  const submit = async () => {
    const answer = await api.patch("/identity", {
      ...(own.trim() !== name && { name: own.trim() }),
        ...(computer.trim() !== (nodeName ?? "") && { node_name: computer.trim() }),
      ...(passphrase && { passphrase: secret }),
    });
    take("node", { identity: answer });
    tell(t("controls.settings.named"));
  };
  return html`
    <${Dialog} title=${t("controls.settings.rename")} close=${close} submit=${submit} action=${t("controls.keep")}
      disabled=${!own.trim()}>
      <${Field} label=${t("controls.settings.name")}>${(id) => html`
        <input id=${id} value=${own} maxlength="64" autofocus onInput=${(event) => setOwn(event.target.value)} />`}<//>
      <${Field} label=${t("controls.settings.node-name")}>${(id) => html`
        <input id=${id} value=${computer} maxlength="64" onInput=${(event) => setComputer(event.target.value)} />`}<//>
      ${passphrase && html`<${Field} label=${t("phrase.passphrase")}>${(id) => html`
        <input id=${id} type="password" autocomplete="current-password" value=${secret}
          onInput=${(event) => setSecret(event.target.value)} />`}<//>`}
    <//>`;
}

lasting({ "controls.name": NameDialog });

function Who() {
  const identity = node.identity.value;
  if (!identity) {
    return html`<div class="row-of"><span class="grow">${t("controls.settings.nobody")}</span>
      <${Button} kind="primary" text=${t("controls.settings.begin")} onClick=${beginWizard} /></div>`;
  }
  return html`
    <div class="row-of"><span class="grow"><b>${identity.name}</b><small>${identity.node_name ?? ""}</small></span>
      <${Button} icon="pencil" text=${t("controls.settings.rename")} onClick=${() => openDialog(NameDialog)} />
      <${Button} icon="qr-code" text=${t("people.own-link")} onClick=${showOwnLink} />
      ${identity.has_secret && html`<${Button} icon="key" text=${t("phrase.show")} onClick=${showPhrase} />`}</div>`;
}

/** A folder holds when it is taken, not with each letter. */
function Folder() {
  const { download_folder: folder } = node.settings.value;
  const [path, setPath] = useDraft("folder of downloads", null);
  const shown = path ?? folder;
  const keep = async (event) => {
    event.preventDefault();
    const done = await change(() => patchSettings({ download_folder: shown.trim() }),
      t("controls.settings.folder-done"),
      () => patchSettings({ download_folder: folder }));
    if (done) setPath(null);
  };
  return html`
    <form class="folder-form" onSubmit=${keep}>
      <${FolderField} label=${t("controls.settings.folder")} value=${shown} onChange=${setPath} />
      ${shown.trim() !== folder && shown.trim() && html`<button type="submit"
        class="primary">${t("controls.keep")}</button>`}
    </form>`;
}

const SWITCHES = ["published", "local_network", "dht", "read_receipts", "typing"];

const turn = (name, on) => change(() => patchSettings({ [name]: on }),
  t(on ? "controls.settings.on" : "controls.settings.off", { what: t(`controls.settings.switch.${name}`) }),
    () => patchSettings({ [name]: !on }));

function Goal({ name, none, read }) {
  const value = node.settings.value[name];
  const [text, setText] = useDraft(`goal ${name}`, null);
  const wanted = (text ?? "").trim() === "" ? none : read(text);
  // What is no number stays there, with what to write instead.
  const bad = !Number.isFinite(wanted) || (text !== null && wanted < 0 && wanted !== none);
  const keep = () => {
    if (text === null || bad) return;
    setText(null);
    if (wanted === (value ?? none)) return;
    change(() => patchSettings({ [name]: wanted }), t("controls.settings.goal-done"),
      () => patchSettings({ [name]: value ?? none }));
  };
  return html`
    <${Field} label=${t(`controls.settings.goal.${name}`)}
      hint=${bad && t("controls.wrong.number")}>${(id, hint) => html`
      <input id=${id} inputmode="decimal" value=${text ?? value ?? ""} placeholder=${t("controls.settings.forever")}
        autocomplete="off" aria-invalid=${bad} aria-describedby=${hint}
        onInput=${(event) => setText(event.target.value)} onBlur=${keep}
          onKeyDown=${(event) => event.key === "Enter" && keep()} />`}<//>`;
}

const decimal = (text) => Number(text.replace(",", "."));
const minutes = (text) => Math.round(decimal(text));

export function Settings() {
  const settings = node.settings.value;
  return html`
    <${Who} />
    <${Password} />
    <${Folder} />
    <div class="fields goals">
      <${Goal} name="seed_ratio" none=${-1} read=${decimal} />
      <${Goal} name="seed_minutes" none=${0} read=${minutes} />
      <${Goal} name="seed_idle_minutes" none=${0} read=${minutes} /></div>
    <h3>${t("controls.settings.visible")}</h3>
    ${SWITCHES.map((name) => html`
      <${Switch} key=${name} label=${t(`controls.settings.switch.${name}`)} checked=${settings[name]}
        onChange=${(on) => turn(name, on)}
        hint=${[t(`controls.settings.hint.${name}`),
          settings.restart.includes(name) && t("controls.settings.restart")].filter(Boolean).join(" ")} />`)}
    <p class="hint">${t("controls.settings.file", { file: settings.file })}</p>`;
}
