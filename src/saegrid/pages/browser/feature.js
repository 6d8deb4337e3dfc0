// Drawing one feature: its numbers, histogram and examples. Corpus text reaches the document
// through textContent only.

// ---- tokens

function glyphs(text, all) { // white space and control characters made visible
  if (text === "") return "◌";
  const seen = text
    .replace(/\r\n|\n/g, "↵").replace(/\t/g, "⇥").replace(/\u00a0/g, "⍽")
    .replace(/[\u0000-\u001f]/g, (c) => String.fromCharCode(0x2400 + c.charCodeAt(0)))
    .replace(/[\u200e\u200f\u202a-\u202e\u2066-\u2069]/g, "⇄"); // would turn the line around
  if (all || everySpace || !seen.trim()) return seen.replaceAll(" ", "␣");
  return seen.replace(/ {2,}| $/g, (run) => "␣".repeat(run.length));
}

function token(code, flag, shade, scale, peak) {
  const text = index.strings[code], names = ["t"], isPeak = peak !== undefined;
  if (flag & SPECIAL) names.push("s");
  if (flag & IN_EDIT) names.push("e");
  if (flag & UNCAPTURED && !(flag & SPECIAL)) names.push("u");
  if (shade) names.push("on");
  if (isPeak) names.push("c");
  if (text.length > 40) names.push("long");
  const node = el("span", { className: names.join(" "), textContent: glyphs(text, isPeak) });
  if (shade) node.style.setProperty("--a", Math.sqrt(shade / 255).toFixed(3));
  if (isPeak && peak !== null) node.title = String(peak);
  else if (shade) node.title = `≈ ${plain((shade / 255) * scale)}`;
  else if (flag & SPECIAL) node.title = "special token: never encoded";
  else if (flag & UNCAPTURED) node.title = "not captured";
  return node;
}

function shades(flat) { // [position, shade, ...] -> position -> shade
  const map = new Map();
  for (let i = 0; i < flat.length; i += 2) map.set(flat[i], flat[i + 1]);
  return map;
}

function example(body, i) {
  const center = body.c[i], start = body.p[i] - center, shade = shades(body.z[i]);
  const tokens = body.t[i].map((code, j) =>
    token(code, +body.f[i][j], shade.get(start + j), body.s, j === center ? body.a[i] : undefined));
  const word = glyphs(index.strings[body.w[i]]);
  const node = el("li", { className: "ex" });
  const button = el("button", {
    className: "peak", textContent: number(body.a[i]), title: "show the full text",
    aria: { expanded: "false" }, onclick: () => unfold(node, button, body, i),
  });
  node.append(
    button,
    el("span", { className: "kwic" },
      el("span", { className: "left" }, ...tokens.slice(0, center)),
      el("span", { className: "mid" }, tokens[center]),
      el("span", { className: "right" }, ...tokens.slice(center + 1))),
    el("span", { className: "word", textContent: word, title: `the whole word: ${word}` }));
  return node;
}

async function unfold(node, button, body, i) { // the full text of an example, or close it
  const open = button.getAttribute("aria-expanded") === "false";
  button.setAttribute("aria-expanded", open);
  node.querySelector(".full")?.remove();
  if (!open) return;
  const full = node.appendChild(el("div", { className: "full" }));
  const [row, codes, flags] = await chunk("r", body.r[i]);
  const [item, id, original, values] = await chunk("i", body.i[i]);
  const shade = shades(body.z[i]);
  full.append(el("p", { className: "seq", dir: "auto" }, ...codes.map((code, p) =>
    token(code, +flags[p], shade.get(p), body.s, p === body.p[i] ? body.a[i] : undefined))));
  if (original) {
    full.append(el("p", {}, el("span", { className: "muted", textContent: "original: " }), original));
  }
  const where = [`row ${row}, position ${body.p[i]}`, `item ${item}`];
  if (id !== undefined) where.push(`id ${id}`, ...values.map(([name, v]) => `${name} ${v ?? "–"}`));
  full.append(el("p", { className: "muted", textContent: where.join(" · ") }));
}

// ---- the feature in view

function definitions() {
  const all = facts.layout === "packed" ? "positions" : "tokens that are not special";
  return {
    DENSITY: `active counted tokens / all ${count(facts.n_tokens)} ${all}`,
    ...(facts.has_edits && {
      "density in edit": `active counted tokens / all ${count(facts.n_masked)} counted tokens, those of edits`,
    }),
    ...(facts.n_context !== 0 && { "density context": "active tokens / captured context tokens" }),
    MAX: "the largest activation of a counted token",
    ...Object.fromEntries(index.statistics.map(({ heading, words }) => [heading, words])),
    rank: "place by density; ties by id",
    "fires on": `tokens by their share of the active counted tokens${col.n_seen ? " that published rows show" : ""}, blanks around them left out`,
    words: "the whole words around the top tokens; a token without a letter or digit is its own",
    top: facts.has_edits
      ? "distinct edit words and distinct originals among the top tokens"
      : "distinct words and distinct texts among the top tokens",
  };
}

function numbers(place, define) {
  const n = count(col.n_active[place]);
  const entry = (name, text, caption = name) =>
    el("div", { title: define[name] },
      el("dt", { textContent: caption }), el("dd", { textContent: text }));
  const list = el("dl", { className: "numbers" },
    entry("DENSITY", `DENSITY = ${percent(col.density[place])}`,
      `${n} active of ${count(facts.n_tokens)}`),
    entry("MAX", `MAX = ${number(col.max_activation[place])}`, "largest activation"),
    ...(facts.has_edits
      ? [entry("density in edit", percent(col.density_in_edit[place]), `density in edit, of ${count(facts.n_masked)}`)]
      : []),
    ...(facts.n_context === 0 ? [] : [entry("density context", percent(col.density_context[place]))]),
    ...index.statistics.map(({ name, heading, form }) =>
      entry(heading, FORMS[form](col[name][place]))),
    entry("rank", `${count(place + 1)} of ${count(col.feature.length)}`));
  const top = pairs(col.words[place]).reduce((sum, pair) => sum + pair[1], 0);
  if (top) {
    const several = (n, noun) => `${n} ${noun}${n === 1 ? "" : "s"}`;
    const texts = several(col.n_headlines[place], facts.has_edits ? "headline" : "text");
    const text = `${several(top, "token")}, ${several(col.n_words[place], "word")}, ${texts}`;
    list.append(entry("top", text, "top tokens show"));
  }
  return list;
}

function histogram(body, place) {
  const width = 420, height = 110, bins = body.h.length, [low, high] = body.e;
  const scale = logarithmic ? Math.log1p : (n) => n, highest = Math.max(...body.h);
  const svg = shape("svg", { class: "histogram", viewBox: `0 0 ${width} ${height + 42}`, role: "img" });
  svg.setAttribute("aria-label", `${col.n_active[place]} activations in ${bins} bins, ${low} to ${high}`);
  body.h.forEach((n, bin) => {
    const h = n ? Math.max(1, (height - 18) * scale(n) / scale(highest)) : 0, w = width / bins;
    const at = { class: "bar", x: bin * w, width: w - 1, y: height - h, height: h };
    const edge = (k) => plain(low + k * (high - low) / bins);
    const bar = shape("rect", at);
    bar.append(shape("title", {}, `${edge(bin)} to ${edge(bin + 1)}: ${n}`));
    svg.append(bar);
  });
  svg.append(shape("line", { class: "axis", x1: 0, x2: width, y1: height, y2: height }));
  const peaks = [...new Set(body.a)].filter((a) => a >= low && a <= high);
  const d = peaks.map((a) => `M${((a - low) / (high - low) * width).toFixed(1)} ${height + 2}v6`).join("");
  svg.append(shape("path", { class: "tick", d }));
  for (const [share, anchor] of [[0, "start"], [0.5, "middle"], [1, "end"]]) {
    const text = plain(low + share * (high - low));
    svg.append(shape("text", { x: share * width, y: height + 22, "text-anchor": anchor }, text));
  }
  svg.append(shape("text", { x: width / 2, y: height + 38, "text-anchor": "middle" }, "activation"));
  svg.append(shape("text", { x: 0, y: 11 }, `${count(highest)} token${highest === 1 ? "" : "s"} in the highest bar`));
  const toggle = el("button", { id: "log", textContent: "log y", aria: { pressed: logarithmic },
    title: "logarithmic counts (l)", onclick: () => { logarithmic = !logarithmic; draw(); } });
  return el("figure", {}, svg, el("figcaption", {},
    `${count(col.n_active[place])} active counted tokens by activation; a tick below the bars is an example`, toggle));
}

function logitTables(effects) {
  const names = { top: "raises the logit of", bottom: "lowers the logit of" };
  const table = (side) => {
    const node = el("table", {}, el("caption", { textContent: names[side] }));
    for (let i = 0; i < effects[side].length; i += 2) {
      const value = effects[side][i + 1];
      node.insertRow().append(
        el("td", { textContent: glyphs(index.strings[effects[side][i]], true) }),
        el("td", { textContent: `${value > 0 ? "+" : ""}${value.toFixed(3)}`.replace("-", "−") }));
    }
    return node;
  };
  return el("div", { className: "logits" }, ...Object.keys(names).filter((s) => effects[s]).map(table));
}

function panel(heading, words, rows) { // a table that a stage shows of this feature
  const names = [...new Set(rows.flatMap((row) => Object.keys(row)))].filter((name) => name !== "href");
  const table = el("table", { className: "panel" });
  table.createTHead().insertRow().append(...names.map((name) => el("th", { scope: "col", textContent: name })));
  const body = table.createTBody();
  for (const row of rows) {
    const line = body.insertRow();
    names.forEach((name, i) => {
      const value = row[name] ?? "–", text = typeof value === "number" ? +value.toPrecision(4) : value;
      const safe = i === 0 && row.href && !/^\s*([a-z][a-z0-9+.-]*:|\/)/i.test(row.href);
      line.append(el("td", {}, safe ? el("a", { href: row.href, textContent: text }) : String(text)));
    });
  }
  return el("section", { aria: { label: heading } }, el("h3", { textContent: heading }),
    el("p", { className: "muted", textContent: words }), table);
}

function exampleGroups(body) {
  const names = { random: "Random active", top: "Top tokens", near: "Near misses",
    q1: "Weakest fifth", q2: "Second fifth", q3: "Middle fifth", q4: "Fourth fifth", q5: "Strongest fifth" };
  const words = { near: (n) => `${n} token${n === 1 ? "" : "s"} spelled like those it fires on, where it is silent` };
  const samples = el("section", { aria: { label: "Sampled examples" } });
  const top = el("section", { aria: { label: "Top tokens" } });
  for (let g = 0, i = 0; g < body.x.length; g += 2) {
    const name = body.x[g], stop = i + body.x[g + 1];
    const list = el("ol", { className: "group", data: { group: name } });
    const heading = el("h3", {}, names[name] ?? name, " ");
    heading.append(el("span", { textContent: words[name]?.(stop - i) ?? stop - i }));
    for (; i < stop; i++) list.append(example(body, i));
    (name === "top" ? top : samples).append(heading, list);
  }
  return el("div", { className: "examples" }, ...[samples, top].filter((part) => part.firstChild));
}

function title(place) {
  const id = col.feature[place], label = el("input", {
    type: "text", id: "label", value: labels.of(place), placeholder: "label  ( n )",
    maxLength: 200, autocomplete: "off",
    oninput: () => { labels.set(place, label.value); paint(); },
    aria: { label: `Label of feature ${id}` },
  });
  const step = (by, text, name) => el("button", { textContent: text, title: name,
    aria: { label: name }, onclick: () => move(by) });
  const node = el("div", { className: "title" },
    step(-1, "←", "previous feature (k)"),
    el("h2", {}, el("a", { href: `#${id}`, textContent: `#${id}`, title: "permalink" })),
    step(1, "→", "next feature (j)"), label);
  const imported = labels.imported(place);
  if (imported && imported !== labels.of(place)) {
    node.append(el("span", { className: "imported", title: "label that people gave it, in the results of the study" },
      el("span", { className: "muted", textContent: "in the results: " }), el("bdi", { textContent: imported }), " ",
      el("button", { textContent: "take", title: "make it the label of this browser",
        onclick: () => labels.take([[id, imported]]) })));
  }
  if (facts.link?.startsWith("https://")) {
    const href = facts.link.replace("{feature}", id);
    node.append(el("a", { href, rel: "noreferrer", textContent: new URL(href).hostname }));
  }
  return node;
}
