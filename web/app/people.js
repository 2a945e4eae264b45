// People and groups, as every tab shows them: their pictures, whether they are there, and choosing some.

import { classes, computed, html } from "./view.js";
import { api } from "./api.js";
import { openDialog } from "./dialog.js";
import { useDraft } from "./draft.js";
import { ago } from "./format.js";
import { Icon } from "./icons.js";
import { contacts, groups, node } from "./node.js";
import { Button, Empty, Search } from "./parts.js";
import { LinkDialog } from "./qr.js";
import { t } from "./texts.js";
import { attempt } from "./toast.js";
import { beginWizard } from "./wizard.js";

/** How many colours there are for people; see `style/people.css`. */
const COLOURS = 6;

/** Above so many the list to choose from gets a field to search in. Arbitrary: more than a look takes in. */
const SEARCH_FROM = 7;

/** The first letters of up to two words. */
const initials = (name) =>
  name.split(/\s+/).filter(Boolean).slice(0, 2).map((word) => [...word][0].toUpperCase()).join("");

/** The same one for the same person, whatever it is called. */
function colourOf(id) {
  let sum = 0;
  for (const letter of id) sum = (sum * 31 + letter.charCodeAt(0)) % 997;
  return sum % COLOURS;
}

/** The sign of a person or a group; `online` puts a dot to it. The name stands beside it. */
export const Avatar = ({ id = "", name = "", group, online, size = 38 }) => html`
  <span class=${classes("avatar", group ? "of-group" : `colour-${colourOf(id)}`)} aria-hidden="true"
    style=${{ width: `${size}px`, height: `${size}px`, fontSize: `${Math.round(size * 0.37)}px` }}>
    ${group ? html`<${Icon} name="users" size=${Math.round(size * 0.5)} />` : initials(name) || "?"}
    ${online && html`<i class="online"></i>`}
  </span>`;

export const isOnline = (contact) => Boolean(contact?.nodes?.some(({ connected }) => connected));

/** Contacts proper, by name; follows them. */
export const friends = computed(() =>
  contacts.list("name", "state").filter(({ state }) => state === "contact")
    .sort((a, b) => a.name.localeCompare(b.name)));

export const groupName = (group) => group?.name ?? t("groups.nameless");

/** Groups that this person belongs to, by name; follows them. */
export const ownGroups = computed(() =>
  groups.list("name", "standing").filter(({ standing }) => standing === "member")
    .sort((a, b) => groupName(a).localeCompare(groupName(b))));

/** Several names as one text: `Anna, Boris and Clara`. */
export const namesOf = (names) => new Intl.ListFormat(document.documentElement.lang).format(names);

/** How long ago a moment was, given in seconds since 1970; its largest unit is enough. */
export function since(moment) {
  const seconds = Math.max(0, Math.floor(Date.now() / 1000) - moment);
  const unit = [86_400, 3600, 60].find((length) => seconds >= length) ?? 1;
  return ago(seconds - (seconds % unit));
}

/** For whom something is, in words. */
export const audience = ({ to = [], groups: of = [] }) => namesOf([...to, ...of]);

/** Where there is no identity, nothing with people can be done; says how it comes. */
export const Nobody = () => html`
  <${Empty} icon="user-plus" title=${t("nobody.title")} text=${t("nobody.text")}>
    <${Button} kind="primary" text=${t("controls.settings.begin")} onClick=${beginWizard} /><//>`;

/** Shows the link by which strangers may write to this person: with where the node is just now. */
export async function showOwnLink() {
  const identity = await attempt(() => api.get("/identity"));
  if (!identity) return;
  openDialog(LinkDialog, { title: t("people.own-link"), link: identity.link, hint: t("people.own-link-hint") });
}

/** Whether this node belongs to somebody; follows it. */
export const isSomebody = () => node.identity.value !== null;

/**
 * Chooses people or groups out of `options`: `{ id, name, hint?, group?, online? }`. `chosen` is a list of ids.
 */
export function Choosing({ label, options, chosen, onChange, none }) {
  const [search, setSearch] = useDraft(`search ${label}`, "");
  if (options.length === 0) return html`<p class="soft">${none}</p>`;
  const words = search.toLowerCase();
  const shown = options.filter(({ name, id }) => name.toLowerCase().includes(words) || chosen.includes(id));
  const turn = (id) => onChange(chosen.includes(id) ? chosen.filter((one) => one !== id) : [...chosen, id]);
  return html`
    <div class="choosing-people">
      ${options.length >= SEARCH_FROM && html`
        <${Search} label=${t("search")} value=${search} onChange=${setSearch} />`}
      <div class="options" role="group" aria-label=${label}>
        ${shown.map(({ id, name, hint, group, online }) => html`
          <label class="option" key=${id}>
            <input type="checkbox" checked=${chosen.includes(id)} onChange=${() => turn(id)} />
            <${Avatar} id=${id} name=${name} group=${group} online=${online} size=${30} />
            <span class="name">${name}</span>${hint && html`<small>${hint}</small>`}
          </label>`)}
      </div>
    </div>`;
}

/** What `Choosing` offers: all contacts. */
export const peopleOptions = () => friends.value.map((contact) => ({
  id: contact.person, name: contact.name, online: isOnline(contacts.get(contact.person)),
  hint: isOnline(contacts.get(contact.person)) ? t("people.online") : "",
}));

/** What `Choosing` offers: all groups. */
export const groupOptions = () => ownGroups.value.map((group) => ({
  id: group.id, name: groupName(group), group: true, hint: t("groups.members", { count: group.members }),
}));
