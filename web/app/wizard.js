// The first visit: four questions, each with a good answer already, and at the end something that works.

import { classes, html, signal, useEffect, useLayoutEffect, useMemo, useRef, useState } from "./view.js";
import { api } from "./api.js";
import { useDraftSignal } from "./draft.js";
import { FolderField } from "./folder.js";
import { Icon } from "./icons.js";
import { kept } from "./kept.js";
import { connection, node, take } from "./node.js";
import { Button, Field, Note, Radios, Words } from "./parts.js";
import { Phrase } from "./phrase.js";
import { LinkField, Qr } from "./qr.js";
import { go } from "./router.js";
import { t } from "./texts.js";
import { Toasts } from "./toast.js";

/** Whether this browser was told to ask later. */
const later = kept("wizard.later", false);

const open = signal(false);

/** Asks the questions. */
export const beginWizard = () => { open.value = true; };

/** The rates to choose from, in bytes per second; 0: no limit. Arbitrary: for a fast line, and for a slow one. */
const GIVE = [0, 2_000_000, 250_000];

/** Who may find the node, from the most open to the most closed; what each means for the settings. */
const FOUND = {
  everybody: { published: true, local_network: true },
  near: { published: false, local_network: true },
  nobody: { published: false, local_network: false },
};

const STEPS = ["name", "folder", "give", "found"];

/** For how long the invitation of the end is good, in seconds: a week, as the form of invitations proposes. */
const INVITE_S = 7 * 86_400;

function Name({ answers, put }) {
  const restoring = answers.phrase !== null;
  return html`
    <${Field} label=${t("wizard.name.label")} hint=${t("wizard.name.hint")}>${(id, hint) => html`
      <input id=${id} aria-describedby=${hint} value=${answers.name} maxlength="64" required
        autocomplete="nickname" autofocus
        onInput=${(event) => put({ name: event.target.value })} />`}<//>
    <${Field} label=${t("wizard.name.computer")} hint=${t("wizard.name.computer-hint")}>${(id, hint) => html`
      <input id=${id} aria-describedby=${hint} value=${answers.computer} maxlength="64" required autocomplete="off"
        onInput=${(event) => put({ computer: event.target.value })} />`}<//>
    <details open=${answers.again}><summary>${t("wizard.name.more")}</summary>
      <${Field} label=${t("wizard.name.passphrase")} hint=${t("wizard.name.passphrase-hint")}>${(id, hint) => html`
        <input id=${id} aria-describedby=${hint} type="password" autocomplete="new-password" value=${answers.passphrase}
          onInput=${(event) => put({ passphrase: event.target.value })} />`}<//>
      ${restoring
        ? html`<${Field} label=${t("wizard.name.phrase")} hint=${t("wizard.name.phrase-hint")}>${(id, hint) => html`
            <textarea id=${id} aria-describedby=${hint} rows="3" autocomplete="off" spellcheck=${false}
              value=${answers.phrase}
              onInput=${(event) => put({ phrase: event.target.value })}></textarea>`}<//>`
        : html`<button type="button" class="link"
          onClick=${() => put({ phrase: "" })}>${t("wizard.name.restore")}</button>`}
    </details>`;
}

const Folder = ({ answers, put }) => html`
  <${FolderField} label=${t("wizard.folder.label")} hint=${t("wizard.folder.hint")} value=${answers.folder}
    onChange=${(folder) => put({ folder })} />`;

const Give = ({ answers, put }) => html`
  <${Radios} label=${t("wizard.give.title")} unseen look="boxes" value=${answers.give}
    onChange=${(give) => put({ give })}
    options=${GIVE.map((value, index) => ({ value, title: t(`wizard.give.${index}`),
      hint: t(`wizard.give.${index}-text`) }))} />
  <p class="hint">${t("wizard.give.hint")}</p>`;

const Found = ({ answers, put }) => html`
  <${Radios} label=${t("wizard.found.title")} unseen look="boxes" value=${answers.found}
    onChange=${(found) => put({ found })}
    options=${Object.keys(FOUND).map((value) => ({ value, title: t(`wizard.found.${value}`),
      hint: t(`wizard.found.${value}-text`) }))} />
  <p class="hint">${t("wizard.found.hint")}</p>`;

const VIEWS = { name: Name, folder: Folder, give: Give, found: Found };

/** Puts the answers into force, the identity last: with it there is nothing more to ask. -> What was made. */
async function settle(answers) {
  const settings = await api.patch("/settings", { download_folder: answers.folder.trim(), ...FOUND[answers.found] });
  const budget = await api.patch("/budget", { upload_bytes_per_s: answers.give });
  take("node", { settings, budget });
  const who = { name: answers.name.trim(), node_name: answers.computer.trim(), passphrase: answers.passphrase || null };
  const made = answers.phrase?.trim()
    ? await api.post("/identity/restore", { ...who, phrase: answers.phrase.trim() })
    : await api.post("/identity", who);
  if (made.identity) take("node", { identity: made.identity });
  return made;
}

/** The end: what was made, and a link by which somebody else comes in. */
function Done({ made, close }) {
  const [invite, setInvite] = useState(null);
  const [problem, setProblem] = useState(null);
  useEffect(() => {
    if (made.restart) return;
    api.post("/invites", { standing: false, valid_s: INVITE_S }).then((one) => {
      take("node", { invites: [...(node.invites.peek() ?? []).filter(({ id }) => id !== one.id), one] });
      setInvite(one);
    }, setProblem);
  }, []);
  const leave = (tab) => {
    close();
    go(`#/${tab}`);
  };
  return html`
    <div class="content">
      ${made.restart && html`<${Note} icon="circle-alert">${made.restart}<//>`}
      ${made.phrase && html`
        <h3>${t("phrase.title")}</h3>
        <p>${t("phrase.what")}</p>
        <${Phrase} phrase=${made.phrase} />
        <p class="hint">${t("phrase.keep")}</p>`}
      ${invite && html`
        <h3>${t("wizard.done.invite")}</h3>
        <p>${t("wizard.done.invite-text")}</p>
        <div class="invite"><${Qr} text=${invite.link} />
          <${LinkField} link=${invite.link} label=${t("wizard.done.invite")} /></div>`}
      ${problem && html`<${Words} problem=${problem} />`}
    </div>
    <footer><${Button} text=${t("wizard.done.get")} onClick=${() => leave("transfers")} /><span class="grow"></span>
      <button type="button" class="primary" onClick=${close}>${t("wizard.done.close")}</button></footer>`;
}

const valid = {
  name: ({ name, computer, phrase }) => name.trim() && computer.trim()
    && (phrase === null || phrase === "" || phrase.trim().split(/\s+/).length === 24),
  folder: ({ folder }) => folder.trim(), give: () => true, found: () => true,
};

/** -> The answers and the step of before a reload, over the proposed ones; what does not fit is left out. */
function readDraft(draft, proposed) {
  const fits = {
    name: (value) => typeof value === "string", computer: (value) => typeof value === "string",
    folder: (value) => typeof value === "string", give: (value) => GIVE.includes(value),
    found: (value) => Object.hasOwn(FOUND, value),
  };
  const answers = Object.fromEntries(Object.entries(fits).filter(([name, good]) => good(draft?.answers?.[name]))
    .map(([name]) => [name, draft.answers[name]]));
  // Where there was a secret, it is asked for again.
  const again = draft?.secret === true;
  return { answers: { ...proposed, ...answers, again }, step: STEPS[draft?.step] && !again ? draft.step : 0 };
}

/** What is kept of the answers: not the passphrase and the recovery phrase, but that there was one. */
function draftOf({ name, computer, folder, give, found, again, passphrase, phrase }, step) {
  const secret = again || passphrase !== "" || phrase !== null;
  return { answers: { name, computer, folder, give, found }, secret, step };
}

function Steps({ close }) {
  const settings = node.settings.value;
  const before = useDraftSignal("wizard", null);
  const draft = useMemo(() => readDraft(before.peek(), {
    name: settings.suggested_name, computer: settings.suggested_node_name, passphrase: "", phrase: null,
    folder: settings.download_folder, give: GIVE[0], found: "everybody",
  }), []);
  const [answers, setAnswers] = useState(draft.answers);
  const [step, setStep] = useState(draft.step);
  const [made, setMade] = useState(null);
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState(null);
  const title = useRef();
  const name = STEPS[step];
  // A screen reader hears each new question; its first field is one Tab away.
  useEffect(() => { title.current?.focus(); }, [step, made]);
  useLayoutEffect(() => { before.value = made ? null : draftOf(answers, step); }, [answers, step, made]);
  const next = async (event) => {
    event.preventDefault();
    setProblem(null);
    if (step < STEPS.length - 1) return setStep(step + 1);
    setBusy(true);
    try {
      setMade(await settle(answers));
      setAnswers({ ...answers, passphrase: "", phrase: null });
    } catch (failure) {
      setProblem(failure);
    }
    return setBusy(false);
  };
  const View = VIEWS[name];
  return html`
    <header>
      <div class="grow"><p class="count" role="status">
        ${made ? t("wizard.count-done") : t("wizard.count", { step: step + 1, steps: STEPS.length })}</p>
        <h2 id="wizard-title" tabindex="-1"
          ref=${title}>${t(made ? "wizard.done.title" : `wizard.${name}.title`)}</h2></div>
      ${!made && html`<button type="button" class="quiet"
        onClick=${() => { later.value = true; close(); }}>${t("wizard.later")}</button>`}
    </header>
    <div class="steps" aria-hidden="true">${STEPS.map((one, index) => html`
      <i key=${one} class=${classes((made || index <= step) && "on")}></i>`)}</div>
    ${made ? html`<${Done} made=${made} close=${close} />` : html`
      <form onSubmit=${next}>
        <div class="content"><p class="soft">${t(`wizard.${name}.text`)}</p>
          <${View} answers=${answers} put=${(fields) => setAnswers((old) => ({ ...old, ...fields }))} />
          ${problem && html`<${Words} problem=${problem} />`}</div>
        <footer>
          ${step > 0 && html`<button type="button" class="plain" disabled=${busy}
            onClick=${() => setStep(step - 1)}>${t("wizard.back")}</button>`}
          <span class="grow"></span>
          <button type="submit" class="primary" disabled=${busy || !valid[name](answers)}>
            ${busy && html`<${Icon} name="loader-circle"
              class="turning" />`}${t(step < STEPS.length - 1 ? "wizard.next" : "wizard.finish")}</button>
        </footer>
      </form>`}`;
}

function Wizard({ close }) {
  const ref = useRef();
  useLayoutEffect(() => { ref.current.showModal(); }, []);
  // Escape does not throw away what was answered, or the only sight of the words: the buttons close.
  return html`
    <dialog ref=${ref} class="dialog wizard" aria-labelledby="wizard-title"
      onCancel=${(event) => event.preventDefault()}>
      <${Steps} close=${close} />
      <${Toasts} />
    </dialog>`;
}

/** Opens by itself where the node belongs to nobody yet, unless it was put off. */
export function FirstVisit() {
  const fresh = connection.value === "open" && node.settings.value !== null && node.identity.value === null;
  useEffect(() => {
    if (fresh && !later.peek()) open.value = true;
  }, [fresh]);
  return open.value && node.settings.value ? html`<${Wizard} close=${() => { open.value = false; }} />` : null;
}
