// Whom the node meets: in general, in any case, and not at all.

import { html, useId, useState } from "../../app/view.js";
import { useDraft } from "../../app/draft.js";
import { Icon } from "../../app/icons.js";
import { contacts, groups, node } from "../../app/node.js";
import { Button, Fold, Radios, Words } from "../../app/parts.js";
import { groupName } from "../../app/people.js";
import { t } from "../../app/texts.js";
import { attempt, tell } from "../../app/toast.js";
import { changeGate, unlist } from "./block.js";
import { change } from "./state.js";

const WHO = ["everyone", "acquaintances", "contacts", "groups", "listed"];

function Who() {
  const { who, groups: chosen } = node.gate.value;
  const own = groups.list("name");
  const choose = (value) => change(() => changeGate({ who: value }),
    t("controls.meeting.meets", { who: t(`controls.meeting.who.${value}`) }),
    () => changeGate({ who }));
  const turn = (id, on) => {
    const next = on ? [...chosen, id] : chosen.filter((one) => one !== id);
    return change(() => changeGate({ groups: next }), t("controls.meeting.groups-done"),
      () => changeGate({ groups: chosen }));
  };
  const options = WHO.filter((value) => value !== "groups" || own.length > 0 || who === "groups");
  return html`
    <${Radios} label=${t("controls.meeting.in-general")} value=${who} onChange=${choose}
      options=${options.map((value) => ({ value, title: t(`controls.meeting.who.${value}`),
        hint: t(`controls.meeting.what.${value}`) }))} />
    ${who === "groups" && html`
      <fieldset class="checks"><legend>${t("controls.meeting.which")}</legend>
        ${own.map((group) => html`<label key=${group.id}><input type="checkbox" checked=${chosen.includes(group.id)}
          onChange=${(event) => turn(group.id, event.target.checked)} /> ${groupName(group)}</label>`)}
      </fieldset>`}`;
}

/** What an entry is called, and of which kind it is. */
function wordsOf(entry) {
  const { names } = node.gate.value;
  const [kind, id] = /^(node|person|group):(.*)$/.exec(entry)?.slice(1) ?? ["address", entry];
  return { name: names[entry] ?? (kind === "address" ? id : `${id.slice(0, 16)}…`),
    kind: t(`controls.meeting.kind.${kind}`), icon:
    { node: "monitor", person: "user", group: "users", address: "globe" }[kind] };
}

function Entry({ list, entry }) {
  const { name, kind, icon } = wordsOf(entry);
  return html`
    <li><${Icon} name=${icon} size=${16} /><span class="grow" title=${entry}>${name} <small>${kind}</small></span>
      <${Button} small kind="quiet" icon="x" label=${t(`controls.${list}.take`, { name })}
        onClick=${() => unlist(list, entry, name)} /></li>`;
}

function List({ list }) {
  const id = useId();
  const entries = node.gate.value[list];
  const [text, setText] = useDraft(`${list} of the gate`, "");
  const [problem, setProblem] = useState(null);
  const add = async (event) => {
    event.preventDefault();
    const entry = text.trim();
    if (!entry) return;
    const before = new Set(node.gate.value[list]);
    try {
      await changeGate({ [list]: { add: [entry] } });
    } catch (failure) {
      setProblem(failure);
      return;
    }
    setProblem(null);
    setText("");
    const added = node.gate.value[list].find((one) => !before.has(one));
    tell(t(`controls.${list}.done`, { name: entry }),
      added && { text: t("controls.undo"), act: () => attempt(() => changeGate({ [list]: { remove: [added] } }),
        t("controls.undone")) });
  };
  return html`
    <div class="list-of">
      <h3 id=${id}>${t(`controls.${list}.title`)}</h3>
      <ul class="entries" aria-labelledby=${id}>
        ${entries.map((entry) => html`<${Entry} key=${entry} list=${list} entry=${entry} />`)}
        ${entries.length === 0 && html`<li class="soft">${t(`controls.${list}.nobody`)}</li>`}
      </ul>
      <form class="with-button" onSubmit=${add}>
        <input aria-label=${t(`controls.${list}.add`)} placeholder=${t("controls.meeting.entry")} value=${text}
          list="controls-known"
          autocomplete="off" spellcheck=${false} onInput=${(event) => setText(event.target.value)} />
        <button type="submit" class="plain" disabled=${!text.trim()}>${t(`controls.${list}.do`)}</button>
      </form>
      ${problem && html`<${Words} problem=${problem} />`}
    </div>`;
}

function Files() {
  const { lists, listed_ranges: ranges } = node.gate.value;
  const [path, setPath] = useDraft("lists of the gate", "");
  const put = (add, remove, done) => change(() => changeGate({ lists: { add, remove } }), done,
    () => changeGate({ lists: { add: remove, remove: add } }));
  const add = async (event) => {
    event.preventDefault();
    if (await put([path.trim()], [], t("controls.meeting.file-done"))) setPath("");
  };
  return html`
    <${Fold} summary=${t("controls.meeting.files")} begins=${lists.length > 0}>
      <p class="hint">${t("controls.meeting.files-hint")} ${ranges > 0 && t("controls.meeting.ranges",
        { count: ranges })}</p>
      <ul class="entries">${lists.map((file) => html`
        <li key=${file}><span class="grow">${file}</span><${Button} small kind="quiet" icon="x"
          label=${t("controls.meeting.file-take", { file })}
          onClick=${() => put([], [file], t("controls.meeting.file-taken"))} /></li>`)}</ul>
      <form class="with-button" onSubmit=${add}>
        <input aria-label=${t("controls.meeting.file")} placeholder=${t("controls.meeting.file")} value=${path}
          spellcheck=${false} autocomplete="off"
          onInput=${(event) => setPath(event.target.value)} />
        <button type="submit" class="plain" disabled=${!path.trim()}>${t("add")}</button>
      </form>
    <//>`;
}

export function Meeting() {
  const { forbidden_services: forbidden } = node.gate.value;
  return html`
    <${Who} />
    <div class="two"><${List} list="block" /><${List} list="allow" /></div>
    <datalist id="controls-known">
      ${contacts.list("name").map(({ person, name }) => html`<option key=${person} value=${name}></option>`)}
      ${groups.list("name").map(({ id, name }) => name && html`<option key=${id} value=${name}></option>`)}
    </datalist>
    <${Files} />
    ${forbidden.length > 0 && html`<p class="hint">${t("controls.meeting.forbidden",
      { services: forbidden.join(", ") })}</p>`}`;
}
