// What is asked before something is taken, and before a folder is opened to people.

import { html } from "../../app/view.js";
import { api } from "../../app/api.js";
import { Dialog, lasting } from "../../app/dialog.js";
import { useDraft } from "../../app/draft.js";
import { FolderField } from "../../app/folder.js";
import { groups, node, take } from "../../app/node.js";
import { Field } from "../../app/parts.js";
import { Choosing, groupOptions, peopleOptions } from "../../app/people.js";
import { t } from "../../app/texts.js";
import { tell } from "../../app/toast.js";

const downloads = () => node.settings.value?.download_folder ?? "";

const byId = (id) => (groups.has(id) ? "group" : "from");

/** Takes shares of somebody, or with a group, without asking. `from`, `group`: who, as an id. */
export function RuleDialog({ from, group, folder: old = "", max_bytes: most, close }) {
  const [whose, setWhose] = useDraft("whose", from ?? group ?? "");
  const [folder, setFolder] = useDraft("folder", old);
  const [max, setMax] = useDraft("max", most ? String(most / 1e6) : "");
  const all = [...peopleOptions(), ...groupOptions()];
  const submit = async () => {
    const set = await api.put("/inbox/rules", {
      [byId(whose)]: whose, folder: folder.trim() || downloads(), max_bytes: max ? Math.round(Number(max) * 1e6) : null,
    });
    take("node", { rules: await api.get("/inbox/rules") });
    tell(set.taken_up > 0 ? t("rules.set-took", { count: set.taken_up }) : t("rules.set"));
  };
  return html`
    <${Dialog} title=${t("rules.new")} close=${close} submit=${submit} action=${t("rules.keep")} disabled=${!whose}>
      <p>${t("rules.text")}</p>
      <${Field} label=${t("rules.whose")}>
        ${(id) => html`<select id=${id} value=${whose} onChange=${(event) => setWhose(event.target.value)}>
          <option value="">${t("rules.choose")}</option>
          ${all.map((one) => html`<option key=${one.id} value=${one.id}
            selected=${one.id === whose}>${one.name}</option>`)}</select>`}<//>
      <${FolderField} label=${t("folder.into")} hint=${t("folder.into-hint")} value=${folder} onChange=${setFolder}
        placeholder=${downloads()} />
      <${Field} label=${t("rules.max")} hint=${t("rules.max-hint")}>
        ${(id, hint) => html`<input id=${id} aria-describedby=${hint} type="number" min="1" step="any" value=${max}
          onInput=${(event) => setMax(event.target.value)} />`}<//>
    <//>`;
}

/** Opens a folder to people; `library`: one that is changed. */
export function LibraryDialog({ library, close }) {
  const [folder, setFolder] = useDraft("folder", library?.folder ?? "");
  const [name, setName] = useDraft("name", library?.name ?? "");
  const [chosen, setChosen] = useDraft("chosen", library ? [...library.to_ids, ...library.group_ids] : []);
  const submit = async () => {
    const groupIds = chosen.filter((id) => groups.has(id));
    await api.put("/libraries", { name: name.trim(), folder: folder.trim(),
      to: chosen.filter((id) => !groupIds.includes(id)), groups: groupIds });
    take("node", { libraries: await api.get("/libraries") });
    tell(t("libraries.kept"));
  };
  return html`
    <${Dialog} title=${t(library ? "libraries.change" : "libraries.new")} close=${close} submit=${submit}
      action=${t("libraries.open")}
      disabled=${!folder.trim() || chosen.length === 0}>
      <${FolderField} label=${t("libraries.folder")} hint=${t("libraries.folder-hint")} value=${folder}
        onChange=${setFolder} />
      <${Field} label=${t("libraries.name")} hint=${library ? t("libraries.name-stays") : t("libraries.name-hint")}>
        ${(id, hint) => html`<input id=${id} aria-describedby=${hint} value=${name} disabled=${Boolean(library)}
          autocomplete="off"
          onInput=${(event) => setName(event.target.value)} />`}<//>
      <div class="field"><span class="label">${t("libraries.who")}</span>
        <${Choosing} label=${t("libraries.who")} options=${[...peopleOptions(), ...groupOptions()]} chosen=${chosen}
          onChange=${setChosen} none=${t("people.none")} /></div>
    <//>`;
}

lasting({ "inbox.rule": RuleDialog, "inbox.library": LibraryDialog });
