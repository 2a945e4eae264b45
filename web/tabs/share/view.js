// Share: what, with whom, then the link.

import { classes, effect, html, untracked, useEffect, useMemo, useRef, useState } from "../../app/view.js";
import { FolderField } from "../../app/folder.js";
import { bytes } from "../../app/format.js";
import { Icon } from "../../app/icons.js";
import { Button, Field, Head, Note, Radios, Words } from "../../app/parts.js";
import { Choosing, groupOptions, isSomebody, peopleOptions } from "../../app/people.js";
import { to } from "../../app/router.js";
import { t } from "../../app/texts.js";
import { tellProblem } from "../../app/toast.js";
import { dropped, nameOf, picked } from "../../app/upload.js";
import { beginWizard } from "../../app/wizard.js";
import { Sorting, SortingFields } from "../transfers/sorting-dialogs.js";
import { Shares } from "./list.js";
import { Going } from "./going.js";
import { change, draft, files, job, lost, problem, ready, sending, start } from "./sending.js";

const takeFiles = (found) => {
  files.value = found;
  problem.value = null;
};

/** Follows what is dragged over the page; -> whether it is there just now. */
function useDrop(take) {
  const [over, setOver] = useState(false);
  useEffect(() => {
    let depth = 0;
    const holds = (event) => event.dataTransfer.types.includes("Files");
    const step = (by) => (event) => {
      if (!holds(event)) return;
      depth = Math.max(0, depth + by);
      setOver(depth > 0);
    };
    const drop = (event) => {
      depth = 0;
      setOver(false);
      if (!holds(event)) return;
      event.preventDefault();
      dropped(event.dataTransfer).then(take, tellProblem);
    };
    const all = { dragenter: step(1), dragleave: step(-1), dragover: (event) => holds(event)
      && event.preventDefault(), drop };
    for (const [name, act] of Object.entries(all)) window.addEventListener(name, act);
    return () => {
      for (const [name, act] of Object.entries(all)) window.removeEventListener(name, act);
    };
  }, []);
  return over;
}

function FileButton({ text, icon, folder }) {
  const input = useRef();
  const choose = () => {
    const found = picked(input.current.files);
    input.current.value = "";
    if (found.length > 0) takeFiles(found);
  };
  return html`
    <${Button} icon=${icon} text=${text} onClick=${() => input.current.click()} />
    <input ref=${input} type="file" hidden multiple webkitdirectory=${folder} onChange=${choose} />`;
}

const Taken = () => {
  const all = files.value;
  const size = all.reduce((sum, { file }) => sum + file.size, 0);
  return html`
    <div class="taken">
      <span class="sign"><${Icon} name=${all.length > 1 ? "folder" : "file"} size=${20} /></span>
      <div class="what"><b>${nameOf(all)}</b><small>${t("share.files", { count: all.length,
        size: bytes(size) })}</small></div>
      <${Button} icon="x" label=${t("share.take-out")} kind="quiet" onClick=${() => { files.value = []; }} />
    </div>`;
};

function What() {
  const over = useDrop(takeFiles);
  if (files.value.length > 0) return html`<${Taken} />`;
  return html`
    ${lost.value && html`<${Note} icon="circle-alert">${t("share.lost", { name: lost.value })} <${Button}
      text=${t("close")} small onClick=${() => { lost.value = ""; }} /><//>`}
    <div class=${classes("drop-zone", over && "over")}>
      <${Icon} name="upload" size=${28} />
      <p class="by-mouse"><b>${t("share.drop")}</b></p>
      <p class="by-touch"><b>${t("share.choose")}</b></p>
      <p class="hint">${t("share.drop-hint")}</p>
      <div class="actions">
        <${FileButton} icon="file" text=${t("share.choose-files")} />
        <${FileButton} icon="folder" text=${t("share.choose-folder")} folder />
      </div>
    </div>
    <${FolderField} label=${t("share.path")} hint=${t("share.path-hint")} value=${draft.value.path}
      onChange=${(path) => change({ path })} />`;
}

const WAYS = [["public", "globe"], ["people", "user"], ["group", "users"]];

const With = () => html`
  <${Radios} label=${t("share.with")} unseen look="tiles" value=${draft.value.who} onChange=${(who) => change({ who })}
    options=${WAYS.map(([value, icon]) => ({ value, icon, title: t(`share.who.${value}`),
      hint: t(`share.who-hint.${value}`) }))} />`;

function Chosen() {
  const { who, to: people, groups, note } = draft.value;
  if (who === "public") return null;
  if (!isSomebody()) {
    return html`<${Note}>${t("nobody.text")} <${Button} text=${t("controls.settings.begin")} small
      onClick=${beginWizard} /><//>`;
  }
  return html`
    ${who === "people"
      ? html`<${Choosing} label=${t("share.who.people")} options=${peopleOptions()} chosen=${people}
          onChange=${(chosen) => change({ to: chosen })}
          none=${html`${t("share.no-people")} <a href=${to("people")}>${t("share.invite")}</a>`} />`
      : html`<${Choosing} label=${t("share.who.group")} options=${groupOptions()} chosen=${groups}
          onChange=${(chosen) => change({ groups: chosen })}
          none=${html`${t("share.no-groups")} <a href=${to("people", "groups")}>${t("share.make-group")}</a>`} />`}
    <${Field} label=${t("share.note")}>
      ${(id) => html`<input id=${id} value=${note} maxlength="500" placeholder=${t("share.note-example")}
        onInput=${(event) => change({ note: event.target.value })} />`}
    <//>`;
}

/** By what it is sorted; folded away unless something was chosen before. */
function Sorted() {
  const { category, labels } = useMemo(() => draft.peek(), []);
  const sorting = useMemo(() => new Sorting([]), []);
  const [unasked, setUnasked] = useState(null);
  useEffect(() => {
    sorting.category.value = category;
    for (const label of labels) sorting.put(label, true);
    sorting.ask().catch(setUnasked);
    return effect(() => {
      const chosen = sorting.change();
      untracked(() => change({ category: chosen?.category ?? "", labels: chosen?.labels.add ?? [] }));
    });
  }, []);
  return html`
    <details class="sorted" open=${category !== "" || labels.length > 0}><summary>${t("sorting.title")}</summary>
      <div class="fields">${unasked && html`<${Words} problem=${unasked} />`}
        <${SortingFields} sorting=${sorting} /></div></details>`;
}

const submit = (event) => {
  event.preventDefault();
  if (ready.value) start();
};

const Form = () => html`
  <form class="form" onSubmit=${submit}>
    <section class="block"><h2>${t("share.what")}</h2><${What} /></section>
    <section class="block"><h2>${t("share.with")}</h2><${With} /><${Chosen} /></section>
    <${Sorted} />
    ${problem.value && html`<${Words} problem=${problem.value} />`}
    <div class="send">
      <p class="hint">${ready.value ? "" : t("share.not-ready")}</p>
      <button type="submit" class="primary" disabled=${!ready.value}><${Icon}
        name="share-2" />${t("share.action")}</button>
    </div>
  </form>`;

export function Share({ query }) {
  useEffect(() => {
    // Another tab sends here with somebody chosen: `?to=PERSON`, `?group=ID`.
    const [person, group] = [query.get("to"), query.get("group")];
    if (person) change({ who: "people", to: [person] });
    if (group) change({ who: "group", groups: [group] });
  }, [query]);
  return html`
    <${Head} title=${t("tabs.share")} />
    <div class="page"><div class="column">
      ${sending.value || job.value ? html`<${Going} />` : html`<${Form} />`}
      <${Shares} />
    </div></div>`;
}
