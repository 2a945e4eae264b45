// Shows the OpenAPI document. Everything of it is put on the page as text, never as markup.
"use strict";

const METHODS = ["get", "post", "put", "patch", "delete"];

function make(name, content, ...children) {
  const element = document.createElement(name);
  if (content) element.textContent = content;
  element.append(...children);
  return element;
}

function link(name) {
  const anchor = make("a", name);
  anchor.href = `#${name}`;
  return anchor;
}

// Names a type; a named one is a link to its table.
function type(schema) {
  if (!schema) return make("span", "nothing");
  if (schema.$ref) return link(schema.$ref.split("/").pop());
  if (schema.type === "array") return make("span", "list of ", type(schema.items));
  const choices = schema.oneOf || schema.anyOf;
  if (choices) {
    const span = make("span");
    choices.forEach((choice, index) => span.append(index ? " or " : "", type(choice)));
    return span;
  }
  if (schema.enum) return make("span", schema.enum.map((value) => JSON.stringify(value)).join(" or "));
  const kinds = [schema.type || "anything"].flat().join(" or ");
  return make("span", schema.format ? `${kinds} (${schema.format})` : kinds);
}

function table(head, rows) {
  const body = make("tbody");
  for (const row of rows) {
    const line = make("tr");
    for (const cell of row) line.append(make("td", "", cell));
    body.append(line);
  }
  const line = make("tr");
  for (const word of head) line.append(make("th", word));
  return make("table", "", make("thead", "", line), body);
}

function content(body) {
  const kinds = Object.entries(body?.content || {});
  const span = make("span");
  kinds.forEach(([kind, { schema }], index) => span.append(index ? ", " : "", type(schema), ` as ${kind}`));
  return span;
}

function call(path, method, operation) {
  const what = make("span", ` ${operation.summary || ""}`);
  what.className = "words";
  const name = make("span", method.toUpperCase());
  name.className = "method";
  const details = make("details", "", make("summary", "", name, make("code", path), what));
  details.dataset.words = `${method} ${path} ${operation.summary} ${operation.description}`.toLowerCase();
  if (operation.description && operation.description !== operation.summary) {
    details.append(make("p", operation.description));
  }
  if (operation.security && operation.security.length === 0) details.append(make("p", "Needs no token."));
  if (operation.parameters) {
    const rows = operation.parameters.map((it) =>
      [make("code", it.name), it.in + (it.required ? "" : ", optional"), type(it.schema), it.description || ""]);
    details.append(table(["parameter", "in", "type", ""], rows));
  }
  if (operation.requestBody) details.append(make("p", "Body: ", content(operation.requestBody)));
  const answers = Object.entries(operation.responses).map(([status, answer]) =>
    [make("code", status), answer.description || "", content(answer)]);
  details.append(table(["answer", "", "body"], answers));
  return details;
}

function fields(schema, required) {
  const all = Object.entries(schema.properties || {});
  return table(["field", "type", ""], all.map(([name, field]) =>
    [make("code", name), make("span", required.includes(name) ? "" : "optional ", type(field)), field.description || ""]));
}

function described(name, schema) {
  const details = make("details", "", make("summary", "", make("code", name)));
  details.id = name;
  if (schema.description) details.append(make("p", schema.description));
  const parts = schema.allOf || schema.oneOf || [schema];
  for (const part of parts) {
    if (part.description && part !== schema) details.append(make("p", part.description));
    if (part.properties) details.append(fields(part, part.required || []));
    else details.append(make("p", "", type(part)));
  }
  return details;
}

function search(word) {
  for (const it of document.querySelectorAll("#calls details")) it.hidden = !it.dataset.words.includes(word.toLowerCase());
}

function unfold() {
  const meant = document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (meant) meant.open = true;
}

async function begin() {
  const answer = await fetch("v1/openapi.json");
  const it = await answer.json();
  document.getElementById("about").textContent = it.info.description;
  const calls = document.getElementById("calls");
  calls.replaceChildren();
  const groups = new Map();
  for (const [path, operations] of Object.entries(it.paths)) {
    for (const method of METHODS.filter((method) => operations[method])) {
      const group = (operations[method].tags || ["others"])[0];
      groups.set(group, [...(groups.get(group) || []), call(path, method, operations[method])]);
    }
  }
  for (const [name, members] of groups) calls.append(make("h2", name), ...members);
  const types = document.getElementById("types");
  for (const [name, schema] of Object.entries(it.components.schemas)) types.append(described(name, schema));
  document.getElementById("search").addEventListener("input", (event) => search(event.target.value));
  addEventListener("hashchange", unfold);
  unfold();
}

begin();
