// How much the node gives and takes.

import { html, useState } from "../../app/view.js";
import { Dialog, lasting, openDialog } from "../../app/dialog.js";
import { bytes, rate } from "../../app/format.js";
import { node, rates } from "../../app/node.js";
import { Bar, Button, Fold, Note } from "../../app/parts.js";
import { friends } from "../../app/people.js";
import { t } from "../../app/texts.js";
import { KINDS, Limit } from "./fields.js";
import { change, orNone, patchBudget } from "./state.js";

const RATES = [["download_bytes_per_s", "rate"], ["upload_bytes_per_s", "rate"], ["disk_bytes", "amount"],
  ["keep_free_bytes", "amount"]];
const COUNTS = [
  ["connections", "count"], ["connections_per_torrent", "count"], ["connections_per_person", "count"],
  ["connections_per_address", "count"], ["upload_slots", "count"], ["dials", "count"], ["memory_bytes", "amount"],
    ["threads", "count"],
];

const written = (kind, value) => KINDS[kind].write(value) || t("controls.none");

function set(name, kind, value) {
  const before = node.budget.value.set[name];
  return change(() => patchBudget({ [name]: orNone(value) }),
    t("controls.limits.done", { what: t(`controls.limits.of.${name}`), value: written(kind, value) }),
    () => patchBudget({ [name]: orNone(before) }));
}

function Field({ name, kind }) {
  const { set: wanted, now, administrator } = node.budget.value;
  const most = administrator?.[name];
  const other = now[name] && now[name] !== wanted[name];
  const hints = [
    other && t("controls.limits.now", { value: written(kind, now[name]) }),
    most && t("controls.limits.administrator", { value: written(kind, most) }),
  ];
  return html`<${Limit} label=${t(`controls.limits.of.${name}`)} kind=${kind} value=${wanted[name]}
    hint=${hints.filter(Boolean).join(" · ")}
    none=${name.startsWith("connections") || name === "dials" || name === "threads"
      || name === "memory_bytes" ? t("controls.usual") : undefined}
    onChange=${(value) => set(name, kind, value)} />`;
}

const zero = { download_bytes_per_s: 0, upload_bytes_per_s: 0, connections: 0 };
const full = (share) => ({ ...zero, ...Object.fromEntries(Object.entries(share ?? {}).filter(([, value]) => value)) });

/** Asks for rates and connections of somebody, or of a service: `kind` is `persons` or `services`. */
function ShareDialog({ kind: of, id, name, close }) {
  const limits = node.budget.value.set[of][id] ?? {};
  const [wanted, setWanted] = useState(limits);
  const put = (share) => patchBudget({ [of]: { [id]: share } });
  const act = async (share) => {
    const before = full(limits);
    await put(share);
    await change(async () => {}, t("controls.limits.share-done", { name }), () => put(before));
  };
  const field = (what, kind) => html`
    <${Limit} live label=${t(`controls.limits.of.${what}`)} kind=${kind} value=${limits[what]}
      onChange=${(value) => setWanted((old) => ({ ...old, [what]: value }))} />`;
  const names = ["download_bytes_per_s", "upload_bytes_per_s", "connections"];
  return html`
    <${Dialog} title=${t("controls.limits.for", { name })} close=${close} action=${t("controls.keep")}
      disabled=${names.some((what) => wanted[what] === undefined && what in wanted)}
      submit=${() => act(Object.fromEntries(names.map((what) => [what, orNone(wanted[what])])))}>
      ${field("download_bytes_per_s", "rate")}${field("upload_bytes_per_s", "rate")}${field("connections", "count")}
      <p class="hint">${t("controls.limits.empty")}</p>
    <//>`;
}

lasting({ "controls.share": ShareDialog });

/** A share in words. */
export const shareWords = (share) => [
  share?.download_bytes_per_s && `↓ ${rate(share.download_bytes_per_s)}`,
  share?.upload_bytes_per_s && `↑ ${rate(share.upload_bytes_per_s)}`,
  share?.connections && t("controls.now.connections", { count: share.connections }),
].filter(Boolean).join(" · ");

/** Changes what a service or a person may take. */
export const changeShare = (kind, id, name) => openDialog(ShareDialog, { kind, id, name });

function Persons() {
  const { set: { persons }, names } = node.budget.value;
  const known = friends.value;
  const others = known.filter(({ person }) => !Object.hasOwn(persons, person));
  const nameOf = (id) => names[id] ?? known.find(({ person }) => person === id)?.name ?? id.slice(0, 12);
  const forget = (id) => change(() => patchBudget({ persons: { [id]: zero } }), t("controls.limits.freed",
    { name: nameOf(id) }),
    () => patchBudget({ persons: { [id]: full(persons[id]) } }));
  const add = (event) => {
    const id = event.target.value;
    event.target.value = "";
    if (id) changeShare("persons", id, nameOf(id));
  };
  if (known.length === 0 && Object.keys(persons).length === 0) return null;
  return html`
    <h3>${t("controls.limits.persons")}</h3>
    <ul class="entries">
      ${Object.entries(persons).map(([id, share]) => html`
        <li key=${id}><span class="grow"><b>${nameOf(id)}</b> <small>${shareWords(share)}</small></span>
          <${Button} small kind="quiet" icon="pencil" label=${t("controls.limits.for", { name: nameOf(id) })}
            onClick=${() => changeShare("persons", id, nameOf(id))} />
          <${Button} small kind="quiet" icon="trash" label=${t("controls.limits.free", { name: nameOf(id) })}
            onClick=${() => forget(id)} /></li>`)}
    </ul>
    ${others.length > 0 && html`
      <select aria-label=${t("controls.limits.add-person")} onChange=${add}>
        <option value="">${t("controls.limits.add-person")}</option>
        ${others.map(({ person, name }) => html`<option key=${person} value=${person}>${name}</option>`)}
      </select>`}`;
}

export function Giving() {
  const budget = node.budget.value;
  const used = rates.value?.disk_used_bytes ?? budget.disk_used_bytes;
  const most = budget.now.disk_bytes;
  return html`
    ${budget.window && html`<${Note} icon="clock">${t("controls.limits.window", { window: budget.window })}<//>`}
    <div class="fields">${RATES.map(([name, kind]) => html`<${Field} key=${name} name=${name} kind=${kind} />`)}</div>
    ${most && html`
      <p class="room"><${Bar} part=${Math.min(1, used / most)} kind=${used >= most ? "bad" : ""}
        label=${t("controls.limits.of.disk_bytes")} />
        <small>${t("controls.limits.used", { used: bytes(used), most: bytes(most) })}</small></p>`}
    <${Fold} summary=${t("controls.limits.more")}>
      <div class="fields">${COUNTS.map(([name, kind]) => html`<${Field} key=${name} name=${name} kind=${kind} />`)}
        </div><//>
    <${Persons} />`;
}
