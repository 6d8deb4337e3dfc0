"use strict";
// The table of discovered features. All that a reader needs first stands in the document itself.
(() => {
  const $ = (selector, root = document) => root.querySelector(selector);
  const study = JSON.parse($("#data").textContent);
  const col = study.columns, n = col.feature.length, STEP = innerWidth > 700 ? 25 : 8;

  function el(tag, properties = {}, ...children) {
    const { aria, data, ...rest } = properties;
    const node = Object.assign(document.createElement(tag), rest);
    for (const [name, value] of Object.entries(aria ?? {})) node.setAttribute(`aria-${name}`, value);
    Object.assign(node.dataset, data);
    node.append(...children.filter((child) => child !== null && child !== undefined));
    return node;
  }
  function shape(tag, attributes, ...children) {
    const node = document.createElementNS("http://www.w3.org/2000/svg", tag);
    for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
    node.append(...children);
    return node;
  }

  // ---- numbers, written as in the text
  const minus = (text) => (/[1-9]/.test(text) ? text.replace("-", "−") : text.replace(/[+-]/, ""));
  const signed = (value, digits) => minus(`${value > 0 ? "+" : ""}${value.toFixed(digits)}`);
  const UP = "⁰¹²³⁴⁵⁶⁷⁸⁹";
  const percent = (value) => `${(100 * value).toFixed(value === 0 || value >= 0.1 ? 0 : value >= 0.01 ? 1 : 2)} %`;
  const FORMS = {
    count: (value) => value.toLocaleString("en"),
    effect: (value, row) => (ratesOf(row) ? signed(100 * value, 2) : signed(value, 3)),
    share: percent,
    density: (value) => `${(100 * value).toPrecision(3)} %`,
    lift: (value) => `${value >= 9.95 ? value.toFixed(0) : value.toFixed(value >= 1 ? 1 : 2)}×`,
    auc: (value) => value.toFixed(3),
    number: (value) => minus(value.toPrecision(3)),
    p: (value) => {
      if (value >= 0.001) return String(Number(value.toPrecision(2)));
      if (value < 1e-30) return "< 10⁻³⁰";
      const [mantissa, exponent] = value.toExponential(0).split("e-");
      return `${mantissa} × 10⁻${[...exponent].map((digit) => UP[digit]).join("")}`;
    },
  };
  const get = (name, row) => col[name]?.[row] ?? null;
  const contrastOf = (row) => study.contrasts[col.contrast[row]];
  const ratesOf = (row) => contrastOf(row).rates;
  const write = (name, form, row) => { const value = get(name, row); return value === null ? "–" : FORMS[form](value, row); };
  const range = (low, high, form, row) => {
    if (get(low, row) === null) return "";
    const [from, to] = [write(low, form, row), write(high, form, row)];
    return from === to ? `both ends ${from}` : `${from} to ${to}`;
  };
  const cellOf = (row) => study.cells[col.cell[row]];
  const hrefOf = (row) => `${encodeURIComponent(study.corpus)}/cells/${encodeURIComponent(cellOf(row))}/features.html#${col.feature[row]}`;
  const nameOf = (row) => `${cellOf(row)} #${col.feature[row]}`;
  const some = (name) => Boolean(col[name]?.some((value) => value !== null));

  // ---- small charts of a row
  const placeIn = (low, high) => (value) => `${(100 * Math.min(1, Math.max(0, (value - low) / (high - low || 1)))).toFixed(2)}%`;
  const scales = study.contrasts.map((_, k) => { // of effects, one a question
    let low = 0, high = 0;
    for (let row = 0; row < n; row++) {
      if (col.contrast[row] !== k) continue;
      for (const name of ["effect", "effect_confirm"]) { // wider intervals end at the edge
        const value = get(name, row);
        if (value !== null) { low = Math.min(low, value); high = Math.max(high, value); }
      }
    }
    const more = 0.15 * (high - low);
    return placeIn(low - (low < 0 ? more : 0), high + (high > 0 ? more : 0));
  });
  function mini(place, value, low, high, line, other) {
    const node = shape("svg", { class: "mini", "aria-hidden": "true" }, shape("line", { x1: 0, x2: "100%", y1: 8, y2: 8, class: "axis" }));
    if (line !== null) node.append(shape("line", { x1: place(line), x2: place(line), y1: 0, y2: 16, class: "zero" }));
    if (low !== null && high !== null) node.append(shape("line", { x1: place(low), x2: place(high), y1: 8, y2: 8, class: "span" }));
    if (value !== null) node.append(shape("circle", { cx: place(value), cy: 8, r: 4, class: "aside" }));
    if (other !== undefined && other !== null) node.append(shape("circle", { cx: place(other), cy: 8, r: 3.5, class: "search" }));
    return node;
  }

  const onHigh = placeIn(0, Math.max(study.base ?? 0, ...(col.high_high ?? [1]).map((value) => value ?? 0)));

  // ---- columns of the table
  const sure = (row) => {
    const low = get("lift_low", row), high = get("lift_high", row);
    return low === null ? null : Math.max(low, 1 / high);
  };
  const tag = (row) => (get("confirmed", row) === true ? null : el("span", { className: "chip" }, "not confirmed"));
  const COLUMNS = [
    { name: "feature", key: (row) => col.layer[row] * 1e9 + col.feature[row], up: true, kind: "id", fill: (row, td) => td.append(toggle(row), el("a", { href: hrefOf(row) }, nameOf(row)), " ", tag(row) ?? "", el("span", { className: "small" }, contrastOf(row).title), el("span", { className: "small" }, `more on: ${col.sign[row] < 0 ? contrastOf(row).b : contrastOf(row).a}`)) },
    { name: "words of its texts", key: (row) => col.words[row] ?? "", up: true, kind: "words", fill: (row, td) => td.append(col.words[row] ?? "–") },
    { name: "lift", key: sure, shown: some("lift"), fill: (row, td) => td.append(write("lift", "lift", row), el("span", { className: "small" }, range("lift_low", "lift_high", "lift", row))) },
    { name: "effect: search, aside", key: (row) => Math.abs(get("effect_confirm", row) ?? get("effect", row) ?? 0), fill: (row, td) => td.append(
      mini(scales[col.contrast[row]], get("effect_confirm", row), get("low_confirm", row), get("high_confirm", row), 0, get("effect", row)),
      `${write("effect", "effect", row)} → ${write("effect_confirm", "effect", row)}`, el("span", { className: "small" }, range("low_confirm", "high_confirm", "effect", row))) },
    { name: "AUROC", key: (row) => get("auroc", row), kind: "n", fill: (row, td) => td.append(write("auroc", "auc", row)) },
    { name: "p aside", key: (row) => get("p_confirm", row), up: true, kind: "n", fill: (row, td) => td.append(write("p_confirm", "p", row)) },
    { name: "high when it fires", key: (row) => get("high_given_fires", row), shown: some("high_given_fires"), fill: (row, td) => td.append(
      mini(onHigh, get("high_given_fires", row), get("high_low", row), get("high_high", row), study.base ?? null),
      `${write("high_given_fires", "share", row)}`, el("span", { className: "small" }, `${range("high_low", "high_high", "share", row)}${get("n_fires", row) === null ? "" : `, ${write("n_high_fires", "count", row)} of ${write("n_fires", "count", row)}`}`)) },
  ].filter((column) => column.shown !== false);

  const state = { sort: null, up: false, most: STEP, open: new Set() };
  let listed = [];

  function toggle(row) {
    const isOpen = state.open.has(row);
    return el("button", { type: "button", className: "open", aria: { expanded: isOpen, label: `texts and numbers of ${nameOf(row)}` }, onclick: () => {
      if (isOpen) state.open.delete(row); else state.open.add(row);
      draw();
      $(`#rows [data-row="${row}"] .open`)?.focus();
    } }, "▸");
  }
  const KINDS = { strongest: "strongest", random: "drawn at random", miss: "a miss" };
  function example([kind, before, original, edited, after, activation, label, id]) {
    const mark = edited === "" ? null : el("mark", { className: activation ? "" : "quiet" }, edited);
    const gap = original !== "" && mark ? " " : null;
    const facts = [KINDS[kind] ?? kind, activation ? `activation ${FORMS.number(activation)}` : "does not fire",
      label === null ? null : `${study.label ?? "label"} ${FORMS.number(label)}`, id === null ? null : `id ${id}`];
    return el("li", {}, el("span", { className: "headline" }, before, original === "" ? null : el("del", {}, original), gap, mark, after),
      el("span", { className: "small" }, facts.filter(Boolean).join(" · ")));
  }
  function detail(row) {
    const examples = study.examples[row] ?? [];
    const texts = el("div", { className: "texts" }, examples.length
      ? el("ul", { className: "examples" }, ...examples.map(example))
      : el("p", { className: "small" }, "Its texts are in evidence_examples.parquet."));
    const { a, b } = contrastOf(row);
    const sides = el("p", { className: "small" }, `First side: ${a}. Second side: ${b}.${ratesOf(row) ? " Effects in points of firing rate." : " Effects: rank correlation."}`);
    const numbers = el("div", { className: "groups" });
    for (const [heading, columns] of study.groups) {
      const known = columns.filter(([name]) => get(name, row) !== null);
      if (!known.length) continue;
      numbers.append(el("div", {}, el("h4", {}, heading), el("table", {}, el("tbody", {}, ...known.map(([name, words, form]) =>
        el("tr", {}, el("th", { scope: "row" }, words, el("code", {}, name)), el("td", {}, write(name, form, row))))))));
    }
    // .meaning is the place of what the feature stands for, filled where a study knows it.
    return el("tr", { className: "detail" }, el("td", { colSpan: COLUMNS.length },
      el("div", { className: "inside" }, el("div", { className: "meaning" }), texts, sides, numbers)));
  }
  function line(row) {
    const tr = el("tr", { className: "row", data: { row } });
    for (const column of COLUMNS) {
      const td = el("td", { className: column.kind ?? "" });
      if (column.kind !== "id") td.dataset.label = column.name;
      column.fill(row, td);
      if (td.textContent === "–") td.classList.add("empty");
      tr.append(td);
    }
    return tr;
  }

  // ---- filters
  const STATES = {
    confirmed: ["confirmed", (row) => get("confirmed", row) === true],
    words: ["confirmed on new words too", (row) => get("confirmed", row) === true && get("p_new_words", row) !== null && get("p_new_words", row) <= study.alpha],
    unconfirmed: ["discovered, not confirmed", (row) => get("confirmed", row) !== true],
    all: ["all discovered", () => true],
  };
  const choose = (id, options) => $(id).append(...options.map(([value, words]) => new Option(words, value)));
  const values = (name) => [...new Set(col[name])].sort((x, y) => x - y);
  choose("#by-contrast", [["", "all"], ...values("contrast").map((k) => [k, study.contrasts[k].title])]);
  choose("#by-cell", [["", "all"], ...values("cell").map((k) => [k, study.cells[k]]).sort((x, y) => x[1].localeCompare(y[1], "en", { numeric: true }))]);
  choose("#by-layer", [["", "all"], ...values("layer").map((layer) => [layer, String(layer)])]);
  choose("#by-sign", [["", "both"], ["1", "first side"], ["-1", "second side"]]);
  choose("#by-state", Object.entries(STATES).map(([value, [words]]) => [value, words]));
  if (!some("p_new_words")) $("#by-state option[value=words]").remove();

  function list() {
    const query = $("#search").value.trim().toLowerCase(), is = STATES[$("#by-state").value][1];
    const chosen = { contrast: $("#by-contrast").value, cell: $("#by-cell").value, layer: $("#by-layer").value };
    const sign = $("#by-sign").value;
    listed = [];
    for (let row = 0; row < n; row++) {
      if (!is(row)) continue;
      if (Object.entries(chosen).some(([name, value]) => value !== "" && String(col[name][row]) !== value)) continue;
      if (sign !== "" && Math.sign(col.sign[row]) !== Number(sign)) continue;
      if (query && !`${col.words[row] ?? ""} ${nameOf(row)}`.toLowerCase().includes(query)) continue;
      listed.push(row);
    }
    if (state.sort !== null) {
      const { key } = COLUMNS[state.sort], turn = state.up ? 1 : -1;
      listed.sort((x, y) => {
        const [one, other] = [key(x), key(y)];
        if (one === null || other === null) return (one === null) - (other === null); // always last
        return turn * (typeof one === "string" ? one.localeCompare(other, "en") : one - other) || x - y;
      });
    }
  }
  function draw() {
    const rows = listed.slice(0, state.most);
    $("#rows tbody").replaceChildren(...rows.flatMap((row) => (state.open.has(row) ? [line(row), detail(row)] : [line(row)])));
    $("#count").textContent = listed.length ? `${Math.min(state.most, listed.length).toLocaleString("en")} of ${listed.length.toLocaleString("en")} shown` : "no feature matches";
    const left = listed.length - rows.length;
    $("#more").hidden = left <= 0;
    $("#more").textContent = `Show ${Math.min(left, 4 * STEP)} more`;
    [...$("#rows thead tr").cells].forEach((head, i) => {
      if (i === state.sort) head.setAttribute("aria-sort", state.up ? "ascending" : "descending");
      else head.removeAttribute("aria-sort");
    });
  }
  function relist() { state.most = STEP; list(); draw(); }

  COLUMNS.forEach((column, i) => $("#rows thead tr").append(el("th", { scope: "col", className: column.kind === "n" ? "n" : "" },
    el("button", { type: "button", onclick: () => {
      state.up = state.sort === i ? !state.up : Boolean(column.up);
      state.sort = i;
      relist();
    } }, column.name))));
  for (const id of ["#by-contrast", "#by-cell", "#by-layer", "#by-sign", "#by-state"]) $(id).onchange = relist;
  $("#search").oninput = relist;
  $("#filters").onsubmit = () => false;
  $("#clear").onclick = () => { $("#filters").reset(); state.sort = null; relist(); };
  $("#more").onclick = () => { state.most += 4 * STEP; draw(); };

  // ---- CSV: numbers as they are; a text that a spreadsheet would take for a formula gets a '
  const SCALARS = ["layer", "position", "sae", "feature", "sign", "confirmed", "words"];
  function cellText(value) {
    if (value === null || value === undefined) return "";
    if (typeof value !== "string") return String(value);
    const safe = /^[\s]*[=+\-@\t\r]/.test(value) ? `'${value}` : value;
    return /[",\r\n]/.test(safe) || safe !== safe.trim() ? `"${safe.replaceAll('"', '""')}"` : safe;
  }
  $("#csv").onclick = () => {
    const names = [...SCALARS, ...study.groups.flatMap(([, columns]) => columns.map(([name]) => name))];
    const lines = [["contrast", "cell", ...names].map(cellText), ...listed.map((row) =>
      [contrastOf(row).name, cellOf(row), ...names.map((name) => get(name, row))].map(cellText))];
    const text = lines.map((parts) => `${parts.join(",")}\r\n`).join("");
    const href = URL.createObjectURL(new Blob([text], { type: "text/csv;charset=utf-8" }));
    el("a", { href, download: `findings-${study.study}.csv` }).click();
    setTimeout(() => URL.revokeObjectURL(href), 1000);
  };

  // ---- a link to a row of a closed table opens it; the place in the page; paper
  function reveal() {
    const target = location.hash.length > 1 && document.getElementById(decodeURIComponent(location.hash.slice(1)));
    if (!target) return;
    let closed = false;
    for (let node = target; node; node = node.parentElement) {
      if (node.tagName === "DETAILS" && !node.open) { node.open = true; closed = true; }
    }
    const inside = target.tagName === "DETAILS" ? target : null;
    if (inside) inside.open = true;
    if (closed) target.scrollIntoView({ block: "center" });
  }
  addEventListener("hashchange", reveal);
  document.addEventListener("click", (event) => { // the same link once more
    const link = event.target.closest?.('a[href^="#"]');
    if (link && link.getAttribute("href") === location.hash) reveal();
  });
  const marks = new Map([...document.querySelectorAll(".top nav a")].map((a) => [a.getAttribute("href").slice(1), a]));
  const watch = new IntersectionObserver((entries) => {
    for (const entry of entries) {
      if (!entry.isIntersecting) continue;
      for (const a of marks.values()) a.removeAttribute("aria-current");
      marks.get(entry.target.id)?.setAttribute("aria-current", "true");
    }
  }, { rootMargin: "-20% 0px -70% 0px" });
  for (const section of document.querySelectorAll("main section")) watch.observe(section);
  addEventListener("beforeprint", () => {
    for (const details of document.querySelectorAll("details")) details.open = true;
  });

  if (!n) { $("#filters").hidden = true; $("#rows").hidden = true; $("#legend").hidden = true; }
  // Where nothing is confirmed, the discovered ones are shown.
  else if (!col.confirmed.some((value) => value === true)) $("#by-state").value = "all";
  if (n && values("contrast").length > 1) { // one question at a time, the main one first
    const main = values("contrast").find((k) => study.contrasts[k].primary);
    $("#by-contrast").value = main ?? col.contrast[0];
  }
  relist();
  reveal();
})();
