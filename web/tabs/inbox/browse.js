// Looking into the libraries of others, and taking from them: at `#/inbox/browse/PERSON/LIBRARY/FOLDER…`.

import { html, useEffect, useState } from "../../app/view.js";
import { api, Problem } from "../../app/api.js";
import { lasting, openDialog } from "../../app/dialog.js";
import { IntoDialog } from "../../app/folder.js";
import { bytes, moment } from "../../app/format.js";
import { Icon } from "../../app/icons.js";
import { kept } from "../../app/kept.js";
import { contacts, jobs, told } from "../../app/node.js";
import { Button, Empty, Menu, Words } from "../../app/parts.js";
import { Avatar, friends, isOnline } from "../../app/people.js";
import { go, to } from "../../app/router.js";
import { t } from "../../app/texts.js";
import { attempt, tell, tellProblem } from "../../app/toast.js";

/** What is being taken, by its job: `{ job, person, path }`. */
const taking = kept("browse.taking", [], (all) => Array.isArray(all) && all.every((one) => Number.isInteger(one?.job)),
  { here: true });

const get = (person, path, folder = null) => attempt(async () => {
  const job = await api.post("/browse", { from: person, path, folder });
  jobs.answer(job);
  taking.value = [...taking.value, { job: job.id, person, path }];
});

/** Asks into which folder it goes. */
const TakeDialog = ({ person, path, bytes: size, close }) => html`
  <${IntoDialog} title=${t("inbox.accept-title", { name: path.split("/").pop() })} action=${t("inbox.accept")}
    bytes=${size} act=${(folder) => get(person, path, folder)} close=${close} />`;

lasting({ "browse.take": TakeDialog });

/** Says how taking something ended; the transfer itself is told of in Transfers. */
function Taking({ one }) {
  const job = jobs.get(one.job);
  // A node that began anew knows nothing of it.
  const ended = told.value && job?.state !== "running";
  useEffect(() => {
    if (!ended) return;
    taking.value = taking.value.filter((other) => other !== one);
    if (job?.state === "failed") tellProblem(new Problem(job.problem ?? { detail: t("browse.failed") }));
    else if (job?.torrent) tell(t("browse.begun", { name: one.path.split("/").pop() }), { text: t("inbox.show"),
      act: () => go(to("transfers", job.torrent)) });
  }, [ended]);
  return html`
    <li class="item"><span class="sign turning-in"><${Icon} name="loader-circle" class="turning" /></span>
      <span class="what"><b>${one.path.split("/").pop()}</b><small>${t("browse.preparing")}</small></span></li>`;
}

/** The people whose libraries can be looked into. */
const People = () => friends.value.length === 0 ? html`
  <${Empty} icon="library" title=${t("browse.nobody.title")} text=${t("browse.nobody.text")}>
    <${Button} icon="users" text=${t("messages.to-people")} kind="primary"
      onClick=${() => go(to("people"))} /><//>` : html`
  <div class="column">
    <p class="soft">${t("browse.whose")}</p>
    <ul class="card items">${friends.value.map(({ person }) => {
      const contact = contacts.get(person);
      return html`
        <li key=${person}><a class="item" href=${to("inbox", "browse", person)}>
          <${Avatar} id=${person} name=${contact.name} online=${isOnline(contact)} />
          <span class="what"><b>${contact.name}</b>
            <small>${t(isOnline(contact) ? "people.online" : "people.offline")}</small></span>
          <${Icon} name="chevron-right" /></a></li>`;
    })}</ul>
  </div>`;

function Entry({ entry, person, path }) {
  const whole = [...path, entry.name];
  const inside = whole.join("/");
  const library = path.length === 0;
  const small = [!entry.folder && bytes(entry.size_bytes), moment(entry.modified_at_s)].filter(Boolean).join(" · ");
  const what = html`
    <span class="sign"><${Icon} name=${library ? "library" : entry.folder ? "folder" : "file"} size=${20} /></span>
    <span class="what"><b>${entry.name}</b>${small && html`<small>${small}</small>`}</span>`;
  return html`
    <li class="entry">
      ${entry.folder ? html`<a class="item" href=${to("inbox", "browse", person, ...whole)}>${what}</a>` : html`<div
        class="item">${what}</div>`}
      <span class="does">
        <${Button} icon="download" text=${t("browse.take")} small onClick=${() => get(person, inside)} />
        <${Menu} label=${t("inbox.more", { name: entry.name })} small items=${[
          { text: t("inbox.accept-into"), icon: "folder", act: () => openDialog(TakeDialog,
            { person, path: inside, bytes: entry.size_bytes }) },
        ]} />
      </span>
    </li>`;
}

const Path = ({ person, name, path }) => html`
  <nav class="crumbs" aria-label=${t("browse.where")}>
    <a href=${to("inbox", "browse")}>${t("browse.all")}</a>
    ${[name, ...path].map((part, index) => html`
      <${Icon} name="chevron-right" size=${14} />
      ${index === path.length ? html`<b aria-current="page">${part}</b>`
        : html`<a href=${to("inbox", "browse", person, ...path.slice(0, index))}>${part}</a>`}`)}
  </nav>`;

function Folder({ person, path }) {
  const [entries, setEntries] = useState(null);
  const [problem, setProblem] = useState(null);
  const where = path.join("/");
  const look = async () => {
    setProblem(null);
    setEntries(null);
    try {
      const found = await api.get(`/browse?${new URLSearchParams({ from: person, path: where })}`);
      setEntries(found.sort((a, b) => Number(b.folder) - Number(a.folder) || a.name.localeCompare(b.name, undefined,
        { numeric: true })));
    } catch (failure) {
      setProblem(failure);
    }
  };
  useEffect(() => { look(); }, [person, where]);
  const name = contacts.get(person)?.name ?? person.slice(0, 8);
  const mine = taking.value.filter((one) => one.person === person);
  return html`
    <div class="column">
      <${Path} person=${person} name=${name} path=${path} />
      ${mine.length > 0 && html`<ul class="card items">${mine.map((one) => html`<${Taking} key=${one.job}
        one=${one} />`)}</ul>`}
      ${problem ? html`<${Words} problem=${problem} /><div><${Button} icon="refresh-cw" text=${t("browse.again")}
        onClick=${look} /></div>`
        : !entries ? html`<p class="soft" role="status">${t("browse.asking", { name })}</p>`
        : entries.length === 0 ? html`<${Empty} icon="library" title=${t("browse.empty.title")}
          text=${t(path.length ? "browse.empty.folder" : "browse.empty.text", { name })} />`
        : html`<ul class="card items">${entries.map((entry) => html`<${Entry} key=${entry.name} entry=${entry}
          person=${person} path=${path} />`)}</ul>`}
    </div>`;
}

export const Browse = ({ place: [person, ...path] }) => (person ? html`<${Folder} person=${person}
  path=${path} />` : html`<${People} />`);
