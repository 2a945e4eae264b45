// Who is not known yet is told how to get in.

import { html, useState } from "./view.js";
import { logIn, wasIn } from "./api.js";
import { Note, Words } from "./parts.js";
import { t } from "./texts.js";

export function LogIn() {
  const [secret, setSecret] = useState("");
  const [problem, setProblem] = useState(null);
  const submit = async (event) => {
    event.preventDefault();
    try {
      await logIn({ secret: secret.trim() });
    } catch (failure) {
      setProblem(failure);
    }
  };
  return html`
    <main class="log-in">
      <form onSubmit=${submit}>
        <img src="icon.svg" alt="" width="48" height="48" />
        <h1>${t("login.title")}</h1>
        ${wasIn.value && html`<${Note}>${t("login.over")}<//>`}
        <p>${t("login.open")}</p>
        <pre><code>compeer open</code></pre>
        <p>${t("login.or")}</p>
        <div class="field">
          <label for="secret">${t("login.secret")}</label>
          <input id="secret" type="password" autocomplete="current-password" required value=${secret}
            onInput=${(event) => setSecret(event.target.value)} aria-describedby="secret-hint" />
          <p class="hint" id="secret-hint">${t("login.hint")}</p>
        </div>
        ${problem && html`<${Words} problem=${problem} />`}
        <button type="submit" class="primary" disabled=${!secret.trim()}>${t("login.enter")}</button>
      </form>
    </main>`;
}
