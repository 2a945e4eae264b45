// The folders that people may look into.

import { html } from "../../app/view.js";
import { api } from "../../app/api.js";
import { ask, openDialog } from "../../app/dialog.js";
import { Icon } from "../../app/icons.js";
import { node, take } from "../../app/node.js";
import { Button, Empty, Menu } from "../../app/parts.js";
import { audience } from "../../app/people.js";
import { t } from "../../app/texts.js";
import { attempt, tell } from "../../app/toast.js";
import { LibraryDialog } from "./dialogs.js";

async function remove({ name }) {
  if (!await ask({
    title: t("libraries.close-title", { name }),
    text: t("libraries.close-text"),
    action: t("libraries.close"), danger: true,
  })) return;
  if (!await attempt(() => api.delete(`/libraries/${encodeURIComponent(name)}`))) return;
  take("node", { libraries: (node.libraries.peek() ?? []).filter((one) => one.name !== name) });
  tell(t("libraries.closed", { name }));
}

export function Libraries() {
  const all = node.libraries.value ?? [];
  if (all.length === 0) {
    return html`
      <${Empty} icon="library" title=${t("libraries.empty.title")} text=${t("libraries.empty.text")}>
        <${Button} icon="plus" text=${t("libraries.new")} kind="primary"
          onClick=${() => openDialog(LibraryDialog)} /><//>`;
  }
  return html`
    <div class="column"><ul class="card items">
      ${all.map((library) => html`
        <li key=${library.name} class="item">
          <span class="sign"><${Icon} name="library" size=${20} /></span>
          <span class="what"><b>${library.name}</b>
            <small>${[t("libraries.for", { who: audience(library) }), library.folder].join(" · ")}</small></span>
          <span class="does"><${Menu} label=${t("libraries.more", { name: library.name })} items=${[
            { text: t("libraries.change"), icon: "pencil", act: () => openDialog(LibraryDialog, { library }) },
            { text: t("libraries.close"), icon: "trash", danger: true, act: () => remove(library) },
          ]} /></span>
        </li>`)}
    </ul></div>`;
}
