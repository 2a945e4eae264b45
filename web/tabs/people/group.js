// One group: its members, whom it waits for, what the user may do with it.

import { html, useEffect, useState } from "../../app/view.js";
import { api } from "../../app/api.js";
import { ask, openDialog } from "../../app/dialog.js";
import { Icon } from "../../app/icons.js";
import { contacts, groups, take } from "../../app/node.js";
import { Button, Menu, Words } from "../../app/parts.js";
import { Avatar, groupName, isOnline, since } from "../../app/people.js";
import { go, to } from "../../app/router.js";
import { t } from "../../app/texts.js";
import { attempt, tell } from "../../app/toast.js";
import { Top } from "./contact.js";
import { GroupInviteDialog, invited, RenameGroupDialog } from "./dialogs.js";
import { lineOf, Locked } from "./groups.js";

const shortId = (person) => `${person.slice(0, 8)}…`;

async function leave(group) {
  const name = groupName(group);
  if (!await ask({
    title: t("groups.leave-title", { name }),
    text: t("groups.leave-text"),
    action: t("groups.leave"), danger: true,
  })) return;
  if (!await attempt(() => api.delete(`/groups/${group.id}`))) return;
  take("group_removed", { id: group.id });
  go(to("people", "groups"));
  tell(t("groups.left", { name }));
}

const rename = ({ id, name }) => openDialog(RenameGroupDialog, { group: { id, name } });

function Member({ member, group, admin, again }) {
  const contact = contacts.get(member.person);
  const name = member.own ? t("groups.you") : member.name ?? shortId(member.person);
  const path = `/groups/${group}/members/${member.person}`;
  const role = (wanted) => attempt(() => api.put(path, { role: wanted })).then(again);
  const expel = async () => {
    if (!await ask({
      title: t("groups.expel-title", { name }),
      text: t("groups.expel-text"),
      action: t("groups.expel"), danger: true,
    })) return;
    await attempt(() => api.delete(path));
    again();
  };
  const items = [
    contact?.state === "contact" && { text: t("groups.show"), icon: "user", act: () => go(to("people", "contact",
      member.person)) },
    admin && (member.role === "admin"
      ? { text: t("groups.make-member"), icon: "user", act: () => role("member") }
      : { text: t("groups.make-admin"), icon: "shield", act: () => role("admin") }),
    admin && { text: t("groups.expel"), icon: "ban", danger: true, act: expel },
  ].filter(Boolean);
  return html`
    <li class="item">
      <${Avatar} id=${member.person} name=${member.name ?? "?"} online=${isOnline(contact)} />
      <span class="what"><b>${name}</b>
        <small>${t("groups.since", { when: since(member.since_s) })}</small></span>
      <span class="does">
        ${member.role === "admin" && html`<span class="tag">${t("groups.role.admin")}</span>`}
        ${!member.own && items.length > 0 && html`<${Menu} label=${t("groups.more", { name })} items=${items} />`}
      </span>
    </li>`;
}

const Invitation = ({ one, detail, admin, again }) => html`
  <li class="item">
    <span class="sign"><${Icon} name=${one.person ? "mail" : "link"} size=${20} /></span>
    <span class="what"><b>${one.person ? detail.names[one.person] ?? shortId(one.person) : t("groups.whoever")}</b>
      <small>${one.left ? t("groups.left-uses", { count: one.left }) : one.person
        ? t("groups.not-yet") : t("groups.any")}</small></span>
    ${admin && html`<span class="does"><${Button} text=${t("groups.cancel")} small onClick=${async () => {
      await attempt(() => api.delete(`/groups/${detail.id}/invitations/${one.id}`));
      again();
    }} /></span>`}
  </li>`;

export function Group({ id }) {
  const group = groups.get(id);
  const [detail, setDetail] = useState(null);
  const [problem, setProblem] = useState(null);
  const again = () => api.get(`/groups/${id}`).then(setDetail, setProblem);
  // The group's event says that something changed; what, the node tells when asked.
  useEffect(() => { again(); }, [group, invited.value]);
  if (problem) return html`<div class="page"><div class="column"><${Words} problem=${problem} /><a
    href=${to("people", "groups")}>${t("people.back")}</a></div></div>`;
  if (!detail) return null;
  const admin = detail.role === "admin" && !detail.locked;
  const member = detail.standing === "member";
  const items = [
    admin && { text: t("groups.rename"), icon: "pencil", act: () => rename(detail) },
    { text: t("groups.leave"), icon: "log-out", danger: true, act: () => leave(detail) },
  ].filter(Boolean);
  const invite = () => openDialog(GroupInviteDialog, { group: { id, name: detail.name } });
  return html`
    <div class="page"><div class="column">
      <${Top} back=${to("people", "groups")} name=${groupName(detail)} line=${lineOf(detail)} items=${items}
        picture=${html`<${Avatar} id=${id} name=${groupName(detail)} group size=${56} />`}>
        ${member && html`
          <${Button} icon="message-circle" text=${t("groups.rooms")} kind="primary"
            onClick=${() => go(to("messages", `group:${id}/main`))} />
          <${Button} icon="share-2" text=${t("people.share")} onClick=${() => go(`${to("share")}?group=${id}`)} />
          ${admin && html`<${Button} icon="user-plus" text=${t("groups.invite")} onClick=${invite} />`}`}
      <//>
      ${detail.locked && html`<${Locked} />`}
      <section class="block">
        <h2>${t("groups.members-title")}</h2>
        <ul class="card items">${detail.people.map((one) => html`
          <${Member} key=${one.person} member=${one} group=${id} admin=${admin} again=${again} />`)}</ul>
      </section>
      ${detail.invitations.length > 0 && html`
        <section class="block"><h2>${t("groups.invitations")}</h2>
          <ul class="card items">${detail.invitations.map((one) => html`
            <${Invitation} key=${one.id} one=${one} detail=${detail} admin=${admin}
              again=${again} />`)}</ul></section>`}
      ${detail.expelled.length > 0 && html`
        <section class="block"><h2>${t("groups.expelled-title")}</h2>
          <p class="soft">${detail.expelled.map((person) => detail.names[person]
            ?? shortId(person)).join(", ")}</p></section>`}
    </div></div>`;
}
