// The password by which other computers log in. Only the node's own computer is asked about it.

import { html, useEffect, useState } from "../../app/view.js";
import { api } from "../../app/api.js";
import { ask, Dialog, openDialog } from "../../app/dialog.js";
import { Button, Field } from "../../app/parts.js";
import { t } from "../../app/texts.js";
import { attempt, tell } from "../../app/toast.js";

function PasswordDialog({ close }) {
  const [password, setPassword] = useState("");
  const [again, setAgain] = useState("");
  const submit = async () => {
    await api.put("/password", { password });
    tell(t("password.done"));
  };
  const input = (value, set, focus) => (id, hint) => html`
    <input id=${id} aria-describedby=${hint} type="password" autocomplete="new-password" autofocus=${focus}
      value=${value} onInput=${(event) => set(event.target.value)} />`;
  return html`
    <${Dialog} title=${t("password.title")} close=${close} submit=${submit} action=${t("controls.keep")}
      disabled=${!password || password !== again}>
      <p>${t("password.what")}</p>
      <${Field} label=${t("password.new")}>${input(password, setPassword, true)}<//>
      <${Field} label=${t("password.again")} hint=${again && again !== password ? t("password.differ") : undefined}>
        ${input(again, setAgain)}<//>
    <//>`;
}

/** Whether there is one, and what can be done about it; nothing where the node tells only its own computer. */
export function Password() {
  const [set, setSet] = useState(null);
  const look = () => api.get("/password").then((answer) => setSet(answer.set), () => setSet(null));
  useEffect(() => { look(); }, []);
  const change = async () => { if (await openDialog(PasswordDialog)) await look(); };
  const remove = async () => {
    const yes = await ask({ title: t("password.remove-title"), text: t("password.remove-text"),
      action: t("password.remove"), danger: true });
    if (yes && await attempt(() => api.delete("/password"), t("password.removed"))) await look();
  };
  if (set === null) return null;
  return html`
    <div class="row-of"><span class="grow"><b>${t("password.title")}</b>
        <small>${t(set ? "password.set" : "password.none")}</small></span>
      <${Button} icon="lock" text=${t(set ? "password.change" : "password.make")} onClick=${change} />
      ${set && html`<${Button} icon="trash" label=${t("password.remove")} kind="quiet" onClick=${remove} />`}</div>`;
}
