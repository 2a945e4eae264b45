// Choosing a folder of the node's computer: written, or looked up.

import { html, useEffect, useState } from "./view.js";
import { api } from "./api.js";
import { Dialog, openDialog } from "./dialog.js";
import { useDraft, useScope } from "./draft.js";
import { bytes } from "./format.js";
import { Icon } from "./icons.js";
import { node } from "./node.js";
import { Button, Field, Words } from "./parts.js";
import { t } from "./texts.js";

/** A field for the absolute path of a folder. `onChange` gets the path. */
export function FolderField({ label, hint, value, onChange, placeholder }) {
  const scope = useScope(`choosing ${label}`);
  const [choosing, setChoosing] = useDraft(`folder ${label}`, false);
  const choose = async () => {
    setChoosing(true);
    const path = await openDialog(FolderDialog, { path: value || placeholder }, { scope });
    setChoosing(false);
    if (path) onChange(path);
  };
  // Somebody was choosing when the page was loaded anew.
  useEffect(() => { if (choosing) choose(); }, []);
  return html`
    <${Field} label=${label} hint=${hint}>
      ${(id, described) => html`
        <span class="with-button">
          <input id=${id} value=${value} placeholder=${placeholder} spellcheck=${false} autocomplete="off"
            aria-describedby=${described} onInput=${(event) => onChange(event.target.value)} />
          <${Button} icon="folder-open" label=${t("folder.choose")} onClick=${choose} />
        </span>`}
    <//>`;
}

/** Asks into which folder something is put; `act` gets its path, null for that of downloads; -> whether it is done. */
export function IntoDialog({ title, action, bytes: size, act, close }) {
  const [folder, setFolder] = useDraft("folder", "");
  return html`
    <${Dialog} title=${title} close=${close} action=${action}
      submit=${async () => Boolean(await act(folder.trim() || null))}>
      ${size > 0 && html`<p class="soft">${bytes(size)}</p>`}
      <${FolderField} label=${t("folder.into")} hint=${t("folder.into-hint")} value=${folder} onChange=${setFolder}
        placeholder=${node.settings.value?.download_folder} />
    <//>`;
}

function FolderDialog({ path, close }) {
  const [at, setAt] = useState(null);
  const [problem, setProblem] = useState(null);
  const [here, setHere] = useDraft("at", "");
  const [fresh, setFresh] = useDraft("fresh", null);
  const show = (found) => {
    setAt(found);
    setHere(found.path);
    setProblem(null);
  };
  const look = async (where) => {
    try {
      show(await api.get(`/folders${where ? `?path=${encodeURIComponent(where)}` : ""}`));
    } catch (failure) {
      // A folder that is not there yet: its beginning is shown instead.
      if (where && !at) return look("");
      setProblem(failure);
    }
    return undefined;
  };
  const make = async () => {
    try {
      show(await api.post("/folders",
        { path: `${at.path.replace(/[\\/]$/, "")}${at.path.includes("\\") ? "\\" : "/"}${fresh}` }));
      setFresh(null);
    } catch (failure) {
      setProblem(failure);
    }
  };
  const go = (where) => {
    setFresh(null);
    look(where);
  };
  useEffect(() => { look(here || path); }, []);
  const enter = (event) => {
    if (event.key !== "Enter") return;
    event.preventDefault();
    make();
  };
  return html`
    <${Dialog} title=${t("folder.title")} close=${close} submit=${() => at.path} action=${t("folder.take")}
      disabled=${!at}
      secondary=${html`<${Button} icon="folder-plus" text=${t("folder.new")} disabled=${!at}
        onClick=${() => setFresh("")} />`}>
      ${at && html`
        <div class="folder-path">
          <${Button} icon="arrow-up" label=${t("folder.up")} small disabled=${!at.parent}
            onClick=${() => go(at.parent)} />
          <code>${at.path}</code>
        </div>
        ${fresh !== null && html`
          <span class="with-button">
            <input autofocus ref=${(input) => input?.focus()} aria-label=${t("folder.name")}
              placeholder=${t("folder.name")}
              value=${fresh} onInput=${(event) => setFresh(event.target.value)} onKeyDown=${enter} />
            <${Button} text=${t("folder.make")} disabled=${!fresh} onClick=${make} />
          </span>`}
        <ul class="folders">
          ${at.folders.map((folder) => html`
            <li key=${folder.path}><button type="button" class="quiet" onClick=${() => go(folder.path)}>
              <${Icon} name="folder" />${folder.name}</button></li>`)}
          ${at.folders.length === 0 && html`<li class="soft">${t("folder.none")}</li>`}
          ${at.more && html`<li class="soft">${t("folder.more")}</li>`}
        </ul>`}
      ${problem && html`<${Words} problem=${problem} />`}
    <//>`;
}
