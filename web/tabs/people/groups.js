// The groups of this person.

import { html } from "../../app/view.js";
import { api } from "../../app/api.js";
import { openDialog } from "../../app/dialog.js";
import { Icon } from "../../app/icons.js";
import { groups, take } from "../../app/node.js";
import { Button, Empty, Note } from "../../app/parts.js";
import { Avatar, groupName } from "../../app/people.js";
import { to } from "../../app/router.js";
import { t } from "../../app/texts.js";
import { JoinGroupDialog, NewGroupDialog, PassphraseDialog } from "./dialogs.js";

/** How a group is, in a line. */
export const lineOf = (group) => {
  if (group.standing === "expelled") return t("groups.expelled");
  if (group.standing === "outside") return t("groups.outside");
  return [
    group.kind && t(`groups.kind.${group.kind}`), t("groups.members", { count: group.members }),
    group.connected > 0 && t("groups.connected", { count: group.connected }),
  ].filter(Boolean).join(" · ");
};

const unlock = () => openDialog(PassphraseDialog, {
  title: t("groups.unlock"), text: t("groups.unlock-text"), action: t("groups.unlock-action"),
  act: async (passphrase) => {
    for (const group of await api.post("/groups/unlock", { passphrase })) take("group", group);
  },
});

/** Says that the person's key is locked, where it is. */
export const Locked = () => html`
  <${Note} icon="lock">${t("groups.locked")} <${Button} text=${t("groups.unlock-action")} small
    onClick=${unlock} /><//>`;

export function Groups() {
  const all = groups.list("name", "standing", "members", "connected", "kind", "locked")
    .sort((a, b) => groupName(a).localeCompare(groupName(b)));
  if (all.length === 0) {
    return html`
      <${Empty} icon="users" title=${t("groups.empty.title")} text=${t("groups.empty.text")}>
        <${Button} icon="plus" text=${t("groups.new")} kind="primary" onClick=${() => openDialog(NewGroupDialog)} />
        <${Button} icon="link" text=${t("groups.join")} onClick=${() => openDialog(JoinGroupDialog)} /><//>`;
  }
  return html`
    <div class="column">
      ${all.some(({ locked }) => locked) && html`<${Locked} />`}
      <ul class="card items">${all.map((group) => html`
        <li key=${group.id}><a class="item" href=${to("people", "group", group.id)}>
          <${Avatar} id=${group.id} name=${groupName(group)} group />
          <span class="what"><b>${groupName(group)}</b><small>${lineOf(group)}</small></span>
          ${group.role === "admin" && html`<span class="tag">${t("groups.role.admin")}</span>`}
          <${Icon} name="chevron-right" /></a></li>`)}</ul>
    </div>`;
}
