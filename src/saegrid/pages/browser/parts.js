"use strict";
// Small parts of the pages' script: elements, numbers, compressed chunks, labels.

const $ = (selector) => document.querySelector(selector);
const SVG = "http://www.w3.org/2000/svg";
const ROW = 26; // px, height of a line of the list; app.css has the same
const SPECIAL = 1, IN_EDIT = 2, UNCAPTURED = 4; // bits of a token's flag, as in shown.py

function el(tag, properties = {}, ...children) {
  const { data, aria, ...rest } = properties;
  const node = Object.assign(document.createElement(tag), rest);
  for (const [name, value] of Object.entries(aria ?? {})) node.setAttribute(`aria-${name}`, value);
  Object.assign(node.dataset, data);
  node.append(...children);
  return node;
}

function shape(tag, attributes, text) {
  const node = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  if (text !== undefined) node.textContent = text;
  return node;
}

const count = (n) => n.toLocaleString("en");
const percent = (share) => (share === null ? "–" : `${(100 * share).toFixed(3)}\u00a0%`);
// Three decimals, and two digits of what these would make zero.
const plain = (value) => (value !== 0 && Math.abs(value) < 0.005 ? value.toPrecision(2) : value.toFixed(3));
const number = (value) => (value === null ? "–" : plain(value).replace("-", "−"));
const FORMS = { number, percent }; // of statistics

// ---- data

function unpack(node) {
  const raw = atob(node.textContent);
  const bytes = new Uint8Array(raw.length);
  for (let i = 0; i < raw.length; i++) bytes[i] = raw.charCodeAt(i);
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Response(stream).json();
}

const opened = new Map(); // the chunks last used: "f3" -> promise

function chunk(kind, k) {
  const name = kind + Math.floor(k / index.chunk);
  const promise = opened.get(name) ?? unpack($(`#${name}`));
  opened.delete(name);
  opened.set(name, promise); // last used, last out
  if (opened.size > 40) opened.delete(opened.keys().next().value);
  return promise.then((bodies) => bodies[k % index.chunk]);
}

// ---- labels: those of this browser, and beside them those in the results, which it never changes

const labels = {
  key: "", all: {},
  open() {
    this.key = `saegrid/${facts.study}/${facts.corpus}/${facts.cell}`;
    try {
      this.all = JSON.parse(localStorage.getItem(this.key) ?? "{}");
    } catch {
      notice("This browser keeps no labels here: export them before you close the page.");
    }
  },
  of(place) { return this.all[col.feature[place]] ?? ""; },
  imported(place) { return index.labels?.[col.feature[place]] ?? ""; }, // in the results
  shown(place) { return this.of(place) || this.imported(place); },
  set(place, text) {
    if (text.trim()) this.all[col.feature[place]] = text.trim();
    else delete this.all[col.feature[place]];
    this.save();
  },
  save() {
    try {
      localStorage.setItem(this.key, JSON.stringify(this.all));
    } catch {
      notice("The label could not be kept by this browser: export the labels.");
    }
  },
  download() {
    const { study, corpus, cell } = facts;
    const text = JSON.stringify({ study, corpus, cell, labels: this.all }, null, 1);
    const href = URL.createObjectURL(new Blob([text], { type: "application/json" }));
    el("a", { href, download: `labels-${study}-${cell}.json` }).click();
    setTimeout(() => URL.revokeObjectURL(href), 1000);
  },
  async upload(file) {
    let body;
    try {
      body = JSON.parse(await file.text());
    } catch (error) {
      return notice(`${file.name} must be JSON as exported here; ${error.message}`);
    }
    if (body?.cell !== facts.cell || typeof (body.labels ?? 0) !== "object") {
      return notice(`${file.name} must hold labels of ${facts.cell}; got ${body?.cell ?? "none"}.`);
    }
    for (const what of ["study", "corpus"]) {
      if (body[what] !== facts[what]) {
        return notice(`${file.name} must be of the ${what} ${facts[what]}; got ${body[what]}.`);
      }
    }
    this.merge(Object.entries(body.labels).map(([id, text]) => [id, String(text).trim()]));
  },
  // Labels of another are added; where both have one and they differ, mine stays until I choose.
  merge(read) {
    const theirs = read.filter(([, text]) => text), alike = (text) => text.trim().toLowerCase();
    const added = theirs.filter(([id]) => !this.all[id]);
    const differ = theirs.filter(([id, text]) => this.all[id] && alike(this.all[id]) !== alike(text));
    this.take(added);
    const n = theirs.length - added.length - differ.length;
    notice(`${count(added.length)} labels read${n ? `, ${count(n)} the same` : ""}` +
      `${differ.length ? `, ${count(differ.length)} differ` : ""}.`);
    if (differ.length) this.choose(differ);
  },
  take(pairs) {
    Object.assign(this.all, Object.fromEntries(pairs));
    this.save();
    relist();
    draw();
  },
  choose(differ) {
    const boxes = differ.map(([id]) => el("input", { type: "checkbox",
      aria: { label: `Take the imported label of feature ${id}` } }));
    const lines = differ.map(([id, text], i) => el("tr", {},
      el("th", { textContent: `#${id}`, scope: "row" }), el("td", { textContent: this.all[id] }),
      el("td", { textContent: text }), el("td", {}, boxes[i])));
    const box = el("dialog", { id: "conflicts", aria: { label: "Labels that differ" } });
    const close = (pairs) => { this.take(pairs); box.remove(); };
    const button = (textContent, pairs) => el("button", { textContent, onclick: () => close(pairs()) });
    box.append(
      el("h2", { textContent: "Labels that differ" }),
      el("p", { textContent: "Yours stay unless you take the imported ones." }),
      el("table", {}, el("thead", {}, el("tr", {}, ...["feature", "yours", "imported", "take"].map(
        (textContent) => el("th", { textContent, scope: "col" })))), el("tbody", {}, ...lines)),
      el("p", {}, button("take what is ticked", () => differ.filter((_, i) => boxes[i].checked)), " ",
        button("take all", () => differ), " ", button("keep all of mine", () => [])));
    box.addEventListener("close", () => box.remove()); // Escape keeps mine
    $("#conflicts")?.remove();
    document.body.append(box);
    box.showModal();
  },
};

function notice(text) {
  const box = $("#notice");
  box.textContent = text;
  box.hidden = false;
  clearTimeout(notice.timer);
  notice.timer = setTimeout(() => { box.hidden = true; }, 6000);
}
