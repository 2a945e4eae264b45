// Whose shares are taken up without being asked about.

import { html } from "../../app/view.js";
import { api } from "../../app/api.js";
import { openDialog } from "../../app/dialog.js";
import { bytes } from "../../app/format.js";
import { Icon } from "../../app/icons.js";
import { node, take } from "../../app/node.js";
import { Button, Empty } from "../../app/parts.js";
import { t } from "../../app/texts.js";
import { attempt, tell } from "../../app/toast.js";
import { RuleDialog } from "./dialogs.js";

const sameRule = (a, b) => a.from === b.from && a.group === b.group;

const remove = (rule) => attempt(async () => {
  const whose = new URLSearchParams(rule.from ? { from: rule.from } : { group: rule.group });
  await api.delete(`/inbox/rules?${whose}`);
  take("node", { rules: (node.rules.peek() ?? []).filter((one) => !sameRule(one, rule)) });
  tell(t("rules.removed"));
});

export function Rules() {
  const all = node.rules.value ?? [];
  if (all.length === 0) {
    return html`
      <${Empty} icon="list-checks" title=${t("rules.empty.title")} text=${t("rules.empty.text")}>
        <${Button} icon="plus" text=${t("rules.new")} kind="primary" onClick=${() => openDialog(RuleDialog)} /><//>`;
  }
  return html`
    <div class="column"><ul class="card items">
      ${all.map((rule) => html`
        <li key=${`${rule.from} ${rule.group}`} class="item">
          <span class="sign"><${Icon} name=${rule.group ? "users" : "user"} size=${20} /></span>
          <span class="what"><b>${rule.from ?? rule.group}</b>
            <small>${[t("rules.into", { folder: rule.folder }), rule.max_bytes && t("rules.up-to",
              { size: bytes(rule.max_bytes) })].filter(Boolean).join(" · ")}</small></span>
          <span class="does"><${Button} icon="trash" label=${t("rules.remove", { name: rule.from ?? rule.group })}
            kind="quiet" onClick=${() => remove(rule)} /></span>
        </li>`)}
    </ul></div>`;
}
