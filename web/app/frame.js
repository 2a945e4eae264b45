// The frame of the page: the way to the tabs, how the node is, and the tab that is shown.

import { classes, computed, html, useEffect, useErrorBoundary, useRef } from "./view.js";
import { loggedIn, logOut } from "./api.js";
import { perSecond } from "./format.js";
import { Dialogs } from "./dialog.js";
import { Icon } from "./icons.js";
import { forgetTyped, theme } from "./kept.js";
import { LogIn } from "./login.js";
import { connection, rates, sumRates } from "./node.js";
import { Button, Menu } from "./parts.js";
import { go, route } from "./router.js";
import { t } from "./texts.js";
import { attempt, Toasts } from "./toast.js";
import { tabs } from "../tabs/index.js";

/** How many tabs a phone shows beside "more". */
const ON_A_PHONE = 4;

const shownTab = computed(() => tabs.find(({ id }) => id === route.value.tab) ?? tabs[0]);
const speed = computed(() => rates.value ?? sumRates());

function Badge({ badge }) {
  const count = badge?.();
  return count ? html`<span class="badge">${count > 99 ? "99+" : count}</span>` : null;
}

const TabLink = ({ tab }) => html`
  <a href=${`#/${tab.id}`} aria-current=${shownTab.value === tab ? "page" : undefined}>
    <${Icon} name=${tab.icon} size=${20} /><span class="name">${t(`tabs.${tab.id}`)}</span>
    <${Badge} badge=${tab.badge} />
  </a>`;

const Speed = () => html`
  <p class="speed" aria-label=${t("frame.speed")}>
    <span><${Icon} name="arrow-down" size=${14} />${perSecond(speed.value.download_bytes_per_s)}</span>
    <span><${Icon} name="arrow-up" size=${14} />${perSecond(speed.value.upload_bytes_per_s)}</span>
  </p>`;

const THEMES = [["auto", "monitor"], ["light", "sun"], ["dark", "moon"]];

/** Logs out, and forgets what was typed: who comes to this browser next has no business with it. */
async function leave() {
  await logOut();
  forgetTyped();
}

function More({ small }) {
  const items = THEMES.map(([value, icon]) => ({
    text: t(`frame.theme.${value}`), icon, on: theme.value === value, act: () => { theme.value = value; },
  }));
  items.push(null, { text: t("frame.log-out"), icon: "log-out", act: () => attempt(leave) });
  if (small) {
    const rest = tabs.slice(ON_A_PHONE);
    if (rest.length > 0) items.unshift(null);
    items.unshift(...rest.map((tab) => ({ text: t(`tabs.${tab.id}`), icon: tab.icon, count: tab.badge?.(),
      act: () => go(`#/${tab.id}`) })));
  }
  return html`<${Menu} icon=${small ? "menu" : "ellipsis"} label=${t("frame.more")} items=${items} end=${small} />`;
}

const Side = () => html`
  <nav class="side" aria-label=${t("frame.tabs")}>
    <a class="brand" href=${`#/${tabs[0].id}`}>
      <img src="icon.svg" alt="" width="28" height="28" /><span>Compeer</span></a>
    <div class="tabs">${tabs.map((tab) => html`<${TabLink} key=${tab.id} tab=${tab} />`)}</div>
    <div class="below"><${Speed} /><${More} /></div>
  </nav>`;

/** What waits in the tabs that a phone has in its menu. */
const waiting = () => tabs.slice(ON_A_PHONE).reduce((sum, { badge }) => sum + (badge?.() ?? 0), 0);

const Foot = () => html`
  <nav class="foot" aria-label=${t("frame.tabs")}>
    ${tabs.slice(0, ON_A_PHONE).map((tab) => html`<${TabLink} key=${tab.id} tab=${tab} />`)}
    <div class=${classes("rest", tabs.indexOf(shownTab.value) >= ON_A_PHONE && "here")}>
      <${More} small /><${Badge} badge=${waiting} /></div>
  </nav>`;

/** Says that the node does not answer; what is shown meanwhile is what it said last. */
const Lost = () => connection.value === "lost" && html`
  <div class="lost" role="alert">
    <${Icon} name="wifi-off" /><p><b>${t("frame.lost.title")}</b> ${t("frame.lost.text")}</p>
    <span class="turning"><${Icon} name="loader-circle" size=${16} /></span>
  </div>`;

function Shown() {
  const tab = shownTab.value;
  const [failure, again] = useErrorBoundary((error) => console.error(error));
  const place = useRef();
  const first = useRef(true);
  useEffect(() => {
    document.title = `${t(`tabs.${tab.id}`)} – Compeer`;
    // Who goes to another tab by keyboard or screen reader is put at its beginning; not at the first sight of the page.
    if (!first.current) place.current.focus({ preventScroll: true });
    first.current = false;
    if (failure) again();
  }, [tab]);
  const View = tab.view;
  return html`
    <main id="main" class=${classes("main", tab.id)} ref=${place} tabindex="-1">
      <${Lost} />
      ${failure ? html`
        <div class="empty">
          <span class="sign"><${Icon} name="circle-alert" size=${28} /></span>
          <h2>${t("frame.broken.title")}</h2><p>${t("frame.broken.text")}</p><pre>${String(failure)}</pre>
          <div class="actions"><${Button} text=${t("frame.broken.again")} kind="primary" onClick=${again} /></div>
        </div>` : html`<${View} key=${tab.id} place=${route.value.rest} query=${route.value.query} />`}
    </main>`;
}

export function Frame() {
  if (loggedIn.value === undefined) {
    return html`<div class="waiting" role="status" aria-label=${t("frame.waiting")}></div>`;
  }
  if (!loggedIn.value) return html`<${LogIn} /><${Toasts} />`;
  return html`
    <a class="skip" href="#main"
      onClick=${(event) => { event.preventDefault(); document.querySelector("main").focus(); }}>
      ${t("frame.skip")}</a>
    <${Side} /><${Shown} /><${Foot} /><${Dialogs} /><${Toasts} />
    ${tabs.map(({ id, always: Always }) => Always && html`<${Always} key=${id} />`)}`;
}
