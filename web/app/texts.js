// Looks texts up: `t("transfers.count", { count: 3 })`. All words of the page are in `texts/`, one file a language.

import en from "../texts/en.js";

const languages = { en };
const language = navigator.languages.map((name) => name.split("-")[0]).find((name) => languages[name]) ?? "en";
const texts = languages[language];
const plural = new Intl.PluralRules(language);

/** The language that the page speaks, for numbers and dates. */
export const locale = navigator.languages.find((name) => name.startsWith(language)) ?? language;

/** Returns the text by that name, or undefined. */
export function lookUp(name, values = {}) {
  let text = name.split(".").reduce((part, key) => part?.[key], texts);
  if (text && typeof text === "object") text = text[plural.select(values.count ?? 0)] ?? text.other;
  if (typeof text !== "string") return undefined;
  return text.replace(/\{(\w+)\}/g, (all, key) => {
    const value = values[key];
    return typeof value === "number" ? value.toLocaleString(locale) : (value ?? all);
  });
}

/** Returns the text by that name, with the values in place of `{names}`; `count` chooses between one and many. */
export function t(name, values) {
  const text = lookUp(name, values);
  if (text === undefined) console.error(`there is no text ${name}: write it in texts/`);
  return text ?? name;
}

document.documentElement.lang = language;
