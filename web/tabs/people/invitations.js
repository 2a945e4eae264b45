// The invitations that were given out.

import { html } from "../../app/view.js";
import { api } from "../../app/api.js";
import { ask, openDialog } from "../../app/dialog.js";
import { moment } from "../../app/format.js";
import { Icon } from "../../app/icons.js";
import { node, take } from "../../app/node.js";
import { Button, copy, Empty, Menu } from "../../app/parts.js";
import { LinkDialog } from "../../app/qr.js";
import { t } from "../../app/texts.js";
import { attempt, tell } from "../../app/toast.js";
import { InviteDialog } from "./dialogs.js";

/** How many of those that are over are shown. Arbitrary: the last ones. */
const OVER = 10;

async function revoke(invite) {
  if (!await ask({
    title: t("invites.revoke-title"),
    text: t("invites.revoke-text"),
    action: t("invites.revoke"), danger: true,
  })) return;
  if (!await attempt(() => api.delete(`/invites/${invite.id}`))) return;
  const now = (one) => (one.id === invite.id ? { ...one, state: "revoked" } : one);
  take("node", { invites: (node.invites.peek() ?? []).map(now) });
  tell(t("invites.revoked"));
}

const lineOf = (invite) => [
  t("invites.made", { when: moment(invite.created_s) }),
  invite.state === "open" && (invite.expires_s ? t("invites.until",
    { when: moment(invite.expires_s) }) : t("invites.for-ever")),
  invite.uses > 0 && t("invites.uses", { count: invite.uses }),
].filter(Boolean).join(" · ");

const show = (invite) => openDialog(LinkDialog, { title: t("people.invite"), link: invite.link,
  hint: t("people.invite-hint") });

const Row = ({ invite }) => html`
  <li class="item wraps">
    <span class="sign"><${Icon} name=${invite.standing ? "users" : "user"} size=${20} /></span>
    <span class="what"><b>${t(invite.standing ? "invites.many" : "invites.one")}</b>
      <small>${lineOf(invite)}</small></span>
    <span class="does">
      ${invite.state !== "open" ? html`<span class="tag">${t(`invites.state.${invite.state}`)}</span>` : html`
        <${Button} icon="qr-code" text=${t("invites.show")} small onClick=${() => show(invite)} />
        <${Menu} label=${t("more")} items=${[
          { text: t("invites.copy"), icon: "link", act: () => copy(invite.link) },
          { text: t("invites.revoke"), icon: "ban", danger: true, act: () => revoke(invite) },
        ]} />`}
    </span>
  </li>`;

export function Invitations() {
  const all = [...(node.invites.value ?? [])].reverse();
  const open = all.filter(({ state }) => state === "open");
  const over = all.filter(({ state }) => state !== "open").slice(0, OVER);
  if (all.length === 0) {
    return html`
      <${Empty} icon="mail" title=${t("invites.empty.title")} text=${t("invites.empty.text")}>
        <${Button} icon="user-plus" text=${t("people.invite")} kind="primary"
          onClick=${() => openDialog(InviteDialog)} /><//>`;
  }
  return html`
    <div class="column">
      ${open.length > 0 && html`<ul class="card items">${open.map((invite) => html`<${Row} key=${invite.id}
        invite=${invite} />`)}</ul>`}
      ${over.length > 0 && html`
        <section class="block"><h2>${t("invites.over")}</h2>
          <ul class="card items">${over.map((invite) => html`<${Row} key=${invite.id}
            invite=${invite} />`)}</ul></section>`}
    </div>`;
}
