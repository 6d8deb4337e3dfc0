// The feature browser. The index is opened at once, a chunk of features when one of them is viewed.

let index, col, facts; // the index, its columns, the facts of the cell
let placeOf; // feature id -> place in the columns
let lower; // the strings in lower case, for the search
let shown = []; // places in the list, in its order
let here = -1; // place of the feature in view
let turn = 0; // counts calls of show: a later one wins
let everySpace = false, logarithmic = false;

// ---- the list

function sorts() {
  const known = (name, place) => col[name][place] ?? -Infinity; // what has no number comes last
  return {
    density: ["density", null],
    max: ["max activation", (a, b) => col.max_activation[b] - col.max_activation[a]],
    ...Object.fromEntries(index.statistics.map(({ name }) =>
      [name, [name.replaceAll("_", " "), (a, b) => known(name, b) - known(name, a)]])),
    n_active: ["active tokens", (a, b) => col.n_active[b] - col.n_active[a]],
    context: ["density context", (a, b) => col.density_context[b] - col.density_context[a]],
    words: ["distinct words", (a, b) => col.n_words[b] - col.n_words[a]],
    id: ["id", (a, b) => col.feature[a] - col.feature[b]],
  };
}
const has = (place, kind) => col.badges[place].some((badge) => badge[0] === kind);
const FILTERS = {
  all: ["all features", () => true],
  examples: ["with examples", (place) => col.words[place].length > 0],
  labelled: ["labelled", (place) => labels.shown(place) !== ""],
  meaning: ["of a concept", (place) => has(place, "meaning")],
  coherent: ["of near words", (place) => has(place, "coherent")],
  form: ["one word, piece or spelling", (place) => has(place, "form")],
};

const BADGES = { // tooltips of the lines that say what a feature is about
  meaning: "the words on which it is strongest belong to this concept, more of them than chance allows",
  coherent: "no concept, but its words are nearer to one another in the word space than chance allows, and enough of them lie around one word",
  form: "most of the tokens on which it is strongest share this word, piece or place",
  share: "no verdict: a number that stands beside, such as the concept nearest to its words",
};

function among(flat, hit) { // whether a string of [string, count, ...] is hit
  for (let i = 0; i < flat.length; i += 2) if (hit[flat[i]]) return true;
  return false;
}

function matcher(query) {
  const text = query.trim().toLowerCase();
  if (!text) return () => true;
  if (text[0] === "#") return (place) => String(col.feature[place]).startsWith(text.slice(1));
  const hit = lower.map((string) => string.includes(text)); // every distinct string once
  return (place) =>
    String(col.feature[place]) === text ||
    among(col.tokens[place], hit) || among(col.words[place], hit) ||
    col.terms[place].some((code) => hit[code]) ||
    `${labels.of(place)}\n${labels.imported(place)}`.toLowerCase().includes(text) ||
    col.badges[place].some((badge) => badge[1].toLowerCase().includes(text));
}

function relist() {
  const match = matcher($("#search").value), keep = FILTERS[$("#filter").value][1];
  const order = sorts()[$("#sort").value][1];
  shown = [];
  for (let place = 0; place < col.feature.length; place++) {
    if (keep(place) && match(place)) shown.push(place);
  }
  if (order) shown.sort((a, b) => order(a, b) || a - b);
  $("#count").textContent = shown.length
    ? `${count(shown.length)} of ${count(col.feature.length)} active features`
    : "no feature matches";
  $("#rows").style.height = `${shown.length * ROW}px`;
  $("#list").scrollTop = 0;
  reveal();
  paint();
}

function paint() { // only the lines in view
  const box = $("#list"), first = Math.max(0, Math.floor(box.scrollTop / ROW) - 2);
  const last = first + Math.ceil(box.clientHeight / ROW) + 4;
  $("#rows").replaceChildren(...shown.slice(first, last).map((place, i) => line(place, first + i)));
  const current = shown.indexOf(here);
  if (current >= first && current < last) box.setAttribute("aria-activedescendant", `o${here}`);
  else box.removeAttribute("aria-activedescendant");
}

function line(place, at) {
  const label = labels.shown(place);
  const tokens = pairs(col.tokens[place]), words = pairs(col.words[place]).slice(0, 4);
  const node = el("div", {
    className: "row", id: `o${place}`, role: "option", onclick: () => go(place),
    aria: { selected: place === here, posinset: at + 1, setsize: shown.length },
  },
    el("span", { className: "id", textContent: `#${col.feature[place]}` }),
    label ? el("span", { className: "label", textContent: label })
      : el("span", { title: "tokens with their share of the firings; words beside" },
        ...shares(tokens.slice(0, 2), place),
        el("span", { className: "beside" }, ...spell(words))),
    el("span", { className: "n", textContent: percent(col.density[place]) }));
  node.style.top = `${at * ROW}px`;
  return node;
}

function reveal() { // scroll the list to the feature in view
  const at = shown.indexOf(here), box = $("#list");
  if (at < 0) return;
  if (at * ROW < box.scrollTop) box.scrollTop = at * ROW;
  else if ((at + 1) * ROW > box.scrollTop + box.clientHeight) {
    box.scrollTop = (at + 1) * ROW - box.clientHeight;
  }
}

function pairs(flat) { // [string, count, ...] -> [[text, count], ...]
  const found = [];
  for (let i = 0; i < flat.length; i += 2) found.push([glyphs(index.strings[flat[i]]), flat[i + 1]]);
  return found;
}

function shares(tokens, place) { // "dog 43 % cat 12 %": tokens with their share of all firings
  return tokens.flatMap(([token, n]) => {
    const share = 100 * n / (col.n_seen ?? col.n_active)[place];
    return [el("bdi", { className: "token", textContent: token }),
      el("span", { className: "part", textContent: ` ${share < 1 ? "<1" : Math.round(share)}\u00a0% ` })];
  });
}

function spell(words, counted) { // "kids ×3, boy": each word isolated, whatever its direction
  return words.flatMap(([word, n], i) =>
    [i ? ", " : "", el("bdi", { textContent: word }), counted && n > 1 ? ` ×${n}` : ""]);
}

async function draw() {
  const mine = ++turn, place = here, page = $("#feature");
  if (place < 0) return;
  const body = await chunk("f", place);
  if (mine !== turn) return;
  const paragraph = (name, heading, parts) => el("p", { className: name }, ...(parts.length
    ? [el("span", { className: "muted", textContent: heading }), ...parts] : []));
  const tokens = paragraph("tokens", col.n_seen ? "fires on, in the rows shown, " : "fires on ", shares(pairs(col.tokens[place]), place));
  const words = paragraph("words", "words of its top tokens ", spell(pairs(col.words[place]), true));
  const badges = col.badges[place].map(([kind, text]) =>
    el("li", { className: kind, textContent: text, title: BADGES[kind] ?? "" }));
  page.replaceChildren(title(place), tokens, words, numbers(place, definitions()),
    el("ul", { className: "badges" }, ...badges),
    el("div", { className: "panels" }, histogram(body, place), ...(body.l ? [logitTables(body.l)] : [])),
    ...(body.y ?? []).flatMap((rows, i) => (rows.length ? [panel(...index.panels[i], rows)] : [])),
    body.t.length ? exampleGroups(body) : el("p", { className: "muted",
      textContent: "No examples: the density is below the cut of this study's examples." }));
  const id = col.feature[place];
  document.title = `#${id} ${labels.shown(place)} · ${facts.cell} · ${facts.study}`;
  document.body.dataset.feature = id;
  $("#status").textContent = `Feature ${id}, ${shown.indexOf(place) + 1} of ${shown.length}`;
}

async function follow() { // show what the address says
  const id = decodeURIComponent(location.hash.slice(1)), place = placeOf.get(id);
  if (place === undefined && id) {
    here = -1;
    turn++;
    delete document.body.dataset.feature;
    $("#feature").replaceChildren(el("h2", { textContent: `#${id}` }), el("p", {
      textContent: "This feature has no active counted token on this corpus." }));
    return paint();
  }
  here = place ?? shown[0] ?? 0;
  $("#feature").scrollTop = 0;
  reveal();
  paint();
  await draw();
  const next = shown[shown.indexOf(here) + 1];
  if (next !== undefined) chunk("f", next); // have the next one ready
}

function go(place) {
  if (place !== undefined) location.hash = col.feature[place]; // hashchange shows it
}

function move(by) {
  const at = shown.indexOf(here);
  go(at < 0 ? shown[0] : shown[Math.min(shown.length - 1, Math.max(0, at + by))]);
}

// ---- keys and start

const KEYS = {
  j: () => move(1), ArrowRight: () => move(1), k: () => move(-1), ArrowLeft: () => move(-1),
  r: () => go(shown[Math.floor(Math.random() * shown.length)]),
  "/": () => $("#search").select(),
  n: () => $("#label")?.focus(),
  e: () => document.querySelectorAll(".peak").forEach((button) => button.click()),
  l: () => $("#log")?.click(),
  w: () => $("#spaces").click(),
  "?": () => $("#help").showModal(),
};

function onKey(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || $("#help").open) return;
  const field = event.target.matches?.("input, select, textarea");
  if (event.target.id === "search" && event.key === "Enter") go(shown[0]);
  if (event.target.id === "search" && event.key === "Escape") { event.target.value = ""; relist(); }
  if (field && (event.key === "Enter" || event.key === "Escape")) event.target.blur();
  if (field) return;
  const inList = event.target.id === "list" && { ArrowDown: KEYS.j, ArrowUp: KEYS.k }[event.key];
  const act = inList || KEYS[event.key];
  if (!act) return;
  event.preventDefault();
  act();
}

async function start() {
  index = await unpack($("#index"));
  col = index.columns;
  facts = index.facts;
  lower = index.strings.map((string) => string.toLowerCase());
  placeOf = new Map(col.feature.map((id, place) => [String(id), place]));
  labels.open();
  for (const [select, options] of [["#sort", sorts()], ["#filter", FILTERS]]) {
    $(select).append(...Object.entries(options).map(([value, [text]]) => new Option(text, value)));
    $(select).onchange = relist;
  }
  $("#definitions").append(...Object.entries(definitions()).map(([name, text]) =>
    el("div", {}, el("dt", { textContent: name }), el("dd", { textContent: text }))));
  $("#search").oninput = relist;
  $("#list").onscroll = paint;
  $("#export").onclick = () => labels.download();
  $("#import").onchange = async (event) => {
    const [file] = event.target.files;
    if (file) await labels.upload(file);
    event.target.value = ""; // so that the same file may be read again
  };
  $("#ask").onclick = KEYS["?"];
  $("#spaces").onclick = () => {
    everySpace = !everySpace;
    $("#spaces").setAttribute("aria-pressed", everySpace);
    draw();
  };
  addEventListener("keydown", onKey);
  addEventListener("hashchange", follow);
  addEventListener("resize", paint);
  if (col.feature.length) {
    relist();
    await follow();
  } else {
    $("#feature").append(el("p", { textContent: "No feature is active on the counted tokens." }));
  }
  document.body.dataset.ready = "1";
}

start();
