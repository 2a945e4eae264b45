// Begins the page: what it needs is loaded, a code in the address is exchanged, then it is drawn.

import { effect, html, render } from "./view.js";
import { loggedIn, logIn } from "./api.js";
import { begin } from "./node.js";
import { go, route } from "./router.js";
import { keepScroll } from "./scroll.js";
import { tellProblem } from "./toast.js";
import { Frame } from "./frame.js";
import { tabs } from "../tabs/index.js";

/** Takes a code out of the address: `#code=…`, by which `compeer open` lets a browser in. */
async function takeCode() {
  const code = new URLSearchParams(location.hash.replace(/^#\/?/, "")).get("code");
  if (code === null) return;
  go("#/", { replace: true });
  await logIn({ code });
}

function loadStyles() {
  for (const { id, style } of tabs) {
    if (!style) continue;
    const link = Object.assign(document.createElement("link"), { rel: "stylesheet", href: `tabs/${id}/style.css` });
    document.head.append(link);
  }
}

async function main() {
  loadStyles();
  let problem = null;
  try {
    await takeCode();
  } catch (failure) {
    problem = failure;
  }
  if (route.value.tab === "") go(`#/${tabs[0].id}`, { replace: true });
  render(html`<${Frame} />`, document.getElementById("page"));
  keepScroll();
  try {
    if (!loggedIn.value) await logIn();
  } catch {
    // The stream goes on trying, and the frame says so.
    loggedIn.value = true;
  }
  if (problem && !loggedIn.value) tellProblem(problem);
  let end = null;
  effect(() => {
    if (loggedIn.value && !end) end = begin();
    else if (loggedIn.value === false && end) {
      end();
      end = null;
    }
  });
}

main();
