// Elements from names, attributes and children. A child that is a string becomes a text node: names from a file are text
// and never markup, since nothing in this page parses HTML. A child that is null or undefined is none.

const SVG = "http://www.w3.org/2000/svg"; // a name, not an address: nothing is fetched

const there = (child) => child !== null && child !== undefined;

function filled(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "value" || name === "checked" || name === "disabled" || name === "hidden") element[name] = value;
    else if (value !== null && value !== false) element.setAttribute(name, value);
  }
  element.append(...children.flat().filter(there));
  return element;
}

export const html = (name, attributes = {}, ...children) => filled(document.createElement(name), attributes, children);
export const svg = (name, attributes = {}, ...children) => filled(document.createElementNS(SVG, name), attributes, children);
export const byId = (id) => document.getElementById(id);

/** A choice as a drop-down menu's entries. */
export function options(select, texts, chosen) {
  select.replaceChildren(...texts.map((text, i) => html("option", { value: String(i) }, text)));
  select.value = String(chosen);
}

/** Replace what an element shows, and keep the focus on the element with the same id. */
export function show(element, ...children) {
  const focused = element.contains(document.activeElement) ? document.activeElement.id : "";
  element.replaceChildren(...children.flat().filter(there));
  if (focused) byId(focused)?.focus();
}
