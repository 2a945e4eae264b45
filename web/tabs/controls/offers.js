// The services: whether each is there, for whom, and how much it may take.

import { classes, html } from "../../app/view.js";
import { Dialog, lasting, openDialog } from "../../app/dialog.js";
import { useDraft } from "../../app/draft.js";
import { node } from "../../app/node.js";
import { Menu, Switch } from "../../app/parts.js";
import { Choosing, groupOptions, peopleOptions } from "../../app/people.js";
import { lookUp, t } from "../../app/texts.js";
import { serviceName } from "../network/drawing.js";
import { changeShare, shareWords } from "./budget.js";
import { change, patchOffer } from "./state.js";

const WORDS = ["everyone", "acquaintances", "contacts"];

const isOn = ({ off, runs }) => !off && runs !== false;

function AudienceDialog({ service, close }) {
  const offer = node.offers.value.find((one) => one.service === service);
  const given = WORDS.includes(offer.to[0]) ? [] : offer.to;
  const known = [
    ...peopleOptions().map((one) => ({ ...one, entry: `person:${one.id}` })),
    ...groupOptions().map((one) => ({ ...one, entry: `group:${one.id}` })),
  ];
  // What is in the list and is neither stays choosable.
  const others = given.filter((entry) => !known.some((one) => one.entry === entry))
    .map((entry) => ({ id: entry, entry, name: offer.names[entry] ?? entry }));
  const options = [...known, ...others];
  const [chosen, setChosen] = useDraft("chosen",
    () => options.filter(({ entry }) => given.includes(entry)).map(({ id }) => id));
  const name = serviceName(service);
  const title = t("controls.services.for-whom", { name });
  const submit = async () => {
    const before = offer.to;
    await patchOffer(service, { to: options.filter(({ id }) => chosen.includes(id)).map(({ entry }) => entry) });
    await change(async () => {}, t("controls.services.given", { name }), () => patchOffer(service, { to: before }));
  };
  return html`
    <${Dialog} title=${title} close=${close} action=${t("controls.keep")} disabled=${chosen.length === 0}
      submit=${submit}>
      <${Choosing} label=${title} options=${options} chosen=${chosen} onChange=${setChosen}
        none=${t("controls.services.nobody")} />
    <//>`;
}

lasting({ "controls.audience": AudienceDialog });

function audience({ to, names }) {
  if (WORDS.includes(to[0])) return t(`controls.services.to.${to[0]}`);
  return to.length === 0 ? t("controls.services.to.nobody") : to
    .map((entry) => names[entry] ?? entry.slice(0, 20)).join(", ");
}

function Offer({ offer }) {
  const name = serviceName(offer.service);
  const turn = (on) => change(() => patchOffer(offer.service, { off: !on }),
    t(on ? "controls.services.on" : "controls.services.off", { name }),
    () => patchOffer(offer.service, { off: on }));
  const give = (to) => change(() => patchOffer(offer.service, { to }), t("controls.services.given", { name }),
    () => patchOffer(offer.service, { to: offer.to }));
  const choose = () => openDialog(AudienceDialog, { service: offer.service });
  const limits = shareWords(offer.limits);
  const items = [
    ...WORDS.map((word) => ({ text: t(`controls.services.to.${word}`), on: offer.to[0] === word,
      act: () => give([word]) })),
    { text: t("controls.services.to.chosen"), on: !WORDS.includes(offer.to[0]), act: choose },
    null,
    { text: t("controls.services.limits"), icon: "gauge", act: () => changeShare("services", offer.service, name) },
  ];
  const words = [lookUp(`services.${offer.service}.text`) ?? offer.description, limits].filter(Boolean).join(" · ");
  return html`
    <li class=${classes(!isOn(offer) && "off")}>
      <${Switch} label=${name} hint=${words} checked=${isOn(offer)} disabled=${offer.forbidden} onChange=${turn} />
      <span class="to"><${Menu} icon="users" small text=${audience(offer)} label=${t("controls.services.for-whom",
        { name })} items=${items} /></span>
      ${(offer.forbidden || offer.message) && html`<p
        class="bad">${offer.forbidden ? t("controls.services.forbidden") : offer.message}</p>`}
    </li>`;
}

export function Offers() {
  const all = node.offers.value;
  // What others gain most by comes first; what the node needs for itself stands below.
  const roles = all.filter(({ runs }) => runs !== null && runs !== undefined);
  const rest = all.filter((offer) => !roles.includes(offer));
  return html`
    <ul class="offers">${roles.map((offer) => html`<${Offer} key=${offer.service} offer=${offer} />`)}</ul>
    <h3>${t("controls.services.own")}</h3>
    <ul class="offers">${rest.map((offer) => html`<${Offer} key=${offer.service} offer=${offer} />`)}</ul>`;
}
