// What is asked before people and groups come together.

import { html, signal, useState } from "../../app/view.js";
import { api } from "../../app/api.js";
import { Dialog, lasting, openDialog } from "../../app/dialog.js";
import { useDraft } from "../../app/draft.js";
import { contacts, groups, node, take } from "../../app/node.js";
import { Choice, Field, Radios } from "../../app/parts.js";
import { Choosing, groupName, peopleOptions } from "../../app/people.js";
import { LinkDialog } from "../../app/qr.js";
import { go, to } from "../../app/router.js";
import { t } from "../../app/texts.js";
import { tell } from "../../app/toast.js";

const DAY_S = 86_400;

/** For how long an invitation can be good, in seconds; null: until it is used or taken back. */
const TERMS = { day: DAY_S, week: 7 * DAY_S, ever: null };

const text = (id, value, set, more = {}) => html`
  <input id=${id} value=${value} autocomplete="off" spellcheck=${false} onInput=${(event) => set(event.target.value)}
    ...${more} />`;

export function InviteDialog({ close }) {
  const [standing, setStanding] = useDraft("standing", false);
  const [term, setTerm] = useDraft("term", "week");
  const submit = async () => {
    const invite = await api.post("/invites", { standing, valid_s: TERMS[term] });
    take("node", { invites: [...(node.invites.peek() ?? []).filter(({ id }) => id !== invite.id), invite] });
    openDialog(LinkDialog, { title: t("people.invite"), link: invite.link, hint: t("people.invite-hint") });
  };
  const option = (value, icon) => ({ value, icon, title: t(`people.invite-for.${value ? "many" : "one"}`),
    hint: t(`people.invite-for.${value ? "many" : "one"}-hint`) });
  return html`
    <${Dialog} title=${t("people.invite")} close=${close} submit=${submit} action=${t("people.make-link")}>
      <${Radios} label=${t("people.invite")} unseen look="boxes" value=${standing} onChange=${setStanding}
        options=${[option(false, "user"), option(true, "users")]} />
      <div class="field"><span class="label">${t("people.valid")}</span>
        <${Choice} label=${t("people.valid")} value=${term} onChange=${setTerm}
          options=${Object.keys(TERMS).map((value) => ({ value, text: t(`people.term.${value}`) }))} /></div>
    <//>`;
}

export function AddContactDialog({ close, link: given = "" }) {
  const [link, setLink] = useDraft("link", given);
  const [name, setName] = useDraft("name", "");
  const submit = async () => {
    const contact = await api.post("/contacts", { link: link.trim(), name: name.trim() || null });
    contacts.answer(contact);
    tell(t(contact.state === "contact" ? "people.added" : "people.added-later", { name: contact.name }));
    go(to("people", "contact", contact.person));
  };
  return html`
    <${Dialog} title=${t("people.add")} close=${close} submit=${submit} action=${t("add")} disabled=${!link.trim()}>
      <${Field} label=${t("people.link")} hint=${t("people.link-hint")}>
        ${(id, hint) => text(id, link, setLink, { autofocus: true, placeholder: "compeer:contact?…",
          "aria-describedby": hint })}<//>
      <${Field} label=${t("people.call")} hint=${t("people.call-hint")}>
        ${(id, hint) => text(id, name, setName, { "aria-describedby": hint })}<//>
    <//>`;
}

function RenameDialog({ title, hint, name: old, act, close }) {
  const [name, setName] = useDraft("name", old);
  const submit = async () => {
    await act(name.trim());
  };
  return html`
    <${Dialog} title=${title} close=${close} submit=${submit} action=${t("people.rename")}>
      <${Field} label=${t("people.name")} hint=${hint}>
        ${(id, described) => text(id, name, setName, { autofocus: true, "aria-describedby": described })}<//>
    <//>`;
}

export const RenameContactDialog = ({ contact: { person, name, shown_name: own }, close }) => html`
  <${RenameDialog} title=${t("people.rename-title")} hint=${t("people.rename-hint", { name: own ?? "" })} name=${name}
    act=${async (fresh) => contacts.answer(await api.patch(`/contacts/${person}`, { name: fresh }), ["name"])}
    close=${close} />`;

export const RenameGroupDialog = ({ group: { id, name }, close }) => html`
  <${RenameDialog} title=${t("groups.rename")} hint=${t("groups.rename-hint")} name=${name ?? ""}
    act=${async (fresh) => groups.answer(await api.patch(`/groups/${id}`, { name: fresh }), ["name"])}
    close=${close} />`;

const KINDS = [["by_invitation", "mail"], ["open", "globe"], ["private", "lock"]];

export function NewGroupDialog({ close }) {
  const [name, setName] = useDraft("name", "");
  const [kind, setKind] = useDraft("kind", "by_invitation");
  const submit = async () => {
    const group = await api.post("/groups", { name: name.trim(), kind });
    groups.answer(group);
    go(to("people", "group", group.id));
  };
  return html`
    <${Dialog} title=${t("groups.new")} close=${close} submit=${submit} action=${t("groups.make")}
      disabled=${!name.trim()}>
      <${Field} label=${t("people.name")}>${(id) => text(id, name, setName, { autofocus: true })}<//>
      <${Radios} label=${t("groups.kind.label")} unseen look="boxes" value=${kind} onChange=${setKind}
        options=${KINDS.map(([value, icon]) => ({ value, icon, title: t(`groups.kind.${value}`),
          hint: t(`groups.kind-hint.${value}`) }))} />
    <//>`;
}

export function JoinGroupDialog({ close, link: given = "" }) {
  const [link, setLink] = useDraft("link", given);
  const submit = async () => {
    const group = await api.post("/groups/join", { link: link.trim() });
    groups.answer(group);
    go(to("people", "group", group.id));
    tell(t("groups.joined", { name: groupName(group) }));
  };
  return html`
    <${Dialog} title=${t("groups.join")} close=${close} submit=${submit} action=${t("groups.join-action")}
      disabled=${!link.trim()}>
      <${Field} label=${t("people.link")} hint=${t("groups.join-hint")}>
        ${(id, hint) => text(id, link, setLink, { autofocus: true, placeholder: "compeer:group?…",
          "aria-describedby": hint })}<//>
    <//>`;
}

/** Counts the invitations to groups that were made here. */
export const invited = signal(0);

/** Invites contacts, each by a link of their own that is sent as a message, or whoever gets a link. */
export function GroupInviteDialog({ group, close }) {
  const [way, setWay] = useDraft("way", "people");
  const [chosen, setChosen] = useDraft("chosen", []);
  const [uses, setUses] = useDraft("uses", "1");
  const submit = async () => {
    const path = `/groups/${group.id}/invitations`;
    if (way === "link") {
      const { link } = await api.post(path, { uses: Number(uses) });
      invited.value += 1;
      openDialog(LinkDialog, { title: t("groups.invite"), link, hint: t("groups.link-hint",
        { name: groupName(group) }) });
      return;
    }
    for (const person of chosen) {
      const { link } = await api.post(path, { person, uses: 1 });
      await api.post(`/chats/${encodeURIComponent(`person:${person}`)}/messages`,
        { text: `${t("groups.message", { name: groupName(group) })}\n${link}` });
      // If the next one fails, this one is not invited again.
      setChosen((left) => left.filter((one) => one !== person));
      invited.value += 1;
    }
    tell(t("groups.invited", { count: chosen.length }));
  };
  return html`
    <${Dialog} title=${t("groups.invite")} close=${close} submit=${submit} disabled=${way === "people"
      && chosen.length === 0}
      action=${t(way === "link" ? "people.make-link" : "groups.send")}>
      <${Choice} label=${t("groups.invite")} value=${way} onChange=${setWay} options=${[
        { value: "people", text: t("groups.by-message") }, { value: "link", text: t("groups.by-link") }]} />
      ${way === "people" ? html`
        <${Choosing} label=${t("groups.invite")} options=${peopleOptions()} chosen=${chosen} onChange=${setChosen}
          none=${t("people.none")} />`
      : html`
        <div class="field"><span class="label">${t("groups.uses")}</span>
          <${Choice} label=${t("groups.uses")} value=${uses} onChange=${setUses} options=${[
            { value: "1", text: t("groups.uses-one") }, { value: "10", text: t("groups.uses-ten") },
              { value: "0", text: t("groups.uses-any") }]} /></div>`}
    <//>`;
}

lasting({
  "people.invite": InviteDialog, "people.add": AddContactDialog, "people.rename": RenameContactDialog,
  "groups.rename": RenameGroupDialog, "groups.new": NewGroupDialog, "groups.join": JoinGroupDialog,
  "groups.invite": GroupInviteDialog,
});

/** Asks for the passphrase where one protects the person's key, then does it; it is written down nowhere. */
export function PassphraseDialog({ title, text: words, action, danger, act, close }) {
  const [passphrase, setPassphrase] = useState("");
  const needed = node.identity.value?.passphrase;
  return html`
    <${Dialog} title=${title} close=${close} action=${action} danger=${danger} disabled=${needed && !passphrase}
      submit=${() => act(needed ? passphrase : null)}>
      ${words && html`<p>${words}</p>`}
      ${needed && html`<${Field} label=${t("people.passphrase")}>
        ${(id) => text(id, passphrase, setPassphrase, { type: "password", autofocus: true,
          autocomplete: "current-password" })}<//>`}
    <//>`;
}
