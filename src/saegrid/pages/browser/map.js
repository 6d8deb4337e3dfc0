"use strict";
// Maps of concepts over layers, and the search over the features of all cells.
(() => {
  const $ = (selector, root = document) => root.querySelector(selector);
  function el(tag, properties = {}, ...children) {
    const { aria, data, ...rest } = properties;
    const node = Object.assign(document.createElement(tag), rest);
    for (const [name, value] of Object.entries(aria ?? {})) node.setAttribute(`aria-${name}`, value);
    Object.assign(node.dataset, data);
    node.append(...children.filter((child) => child !== null && child !== undefined));
    return node;
  }

  // ---- packed data: base64 of gzip
  function bytesOf(text) {
    if (Uint8Array.fromBase64) return Uint8Array.fromBase64(text);
    const raw = atob(text), bytes = new Uint8Array(raw.length);
    for (let i = 0; i < raw.length; i++) bytes[i] = raw.charCodeAt(i);
    return bytes;
  }
  function unpack(id) {
    const node = $(id), bytes = bytesOf(node.textContent);
    node.remove(); // the text is not held twice
    return new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip")));
  }

  // ---- numbers, written as in the text
  const UP = "⁰¹²³⁴⁵⁶⁷⁸⁹";
  const count = (value) => value.toLocaleString("en");
  const percent = (value) => `${(100 * value).toFixed(0)} %`;
  function small(log10) { // a p by its logarithm
    if (log10 >= -3) return String(Number((10 ** log10).toPrecision(2)));
    if (log10 < -30) return "< 10⁻³⁰";
    let exponent = Math.floor(log10), mantissa = Math.round(10 ** (log10 - exponent));
    if (mantissa === 10) { mantissa = 1; exponent += 1; }
    return `${mantissa} × 10⁻${[...String(-exponent)].map((digit) => UP[digit]).join("")}`;
  }
  const depth = (share) => [0.1, 0.25, 0.5, 0.75].filter((cut) => share >= cut - 1e-9).length; // five steps of one hue

  let study, tiles, titles = [], lexicons = new Map();
  const cellName = (cell) => study.cells[cell][0];
  const hrefOf = (cell, feature) => `${encodeURIComponent(study.corpus)}/cells/${encodeURIComponent(cellName(cell))}/features.html#${feature}`;
  const between = (n, of) => (of < study.low.length ? `${(100 * study.low[of][n]).toFixed(0)} to ${(100 * study.high[of][n]).toFixed(0)} %` : "");

  // ---- maps
  const at = new Map(); // concept and cell -> row of the tiles
  function figures(row) {
    const [n, of] = [tiles.n[row], tiles.n_shown[row]];
    return [`${n} of ${of} (${between(n, of)})`, `p ${small(tiles.log10_p[row])}`, `over all cells ${small(Math.log10(tiles.p_grid[row]))}`];
  }
  const model = el("a", { tabIndex: -1 }), field = document.createElement("td");
  function tileOf(concept, cell) {
    if (cell === null) return el("span", { className: "tile gone", title: "no such cell" }, el("span", { className: "unseen" }, "no such cell"));
    const row = at.get(concept * study.cells.length + cell);
    if (row === undefined) return el("span", { className: "tile", title: "no feature was judged" });
    const share = tiles.n[row] / tiles.n_shown[row], yes = tiles.of_meaning[row];
    const a = model.cloneNode(); // there are thousands
    a.className = `tile h${depth(share)}${yes ? " yes" : ""}`;
    a.setAttribute("href", hrefOf(cell, tiles.feature[row]));
    a.setAttribute("data-row", row);
    a.setAttribute("aria-label", `${titles[concept]}, ${cellName(cell)} #${tiles.feature[row]}: ${figures(row).join(", ")}${yes ? ", of meaning" : ""}`);
    a.textContent = String(Math.round(100 * share));
    return a;
  }
  function rowsOf(one, concepts) {
    const lines = [];
    let lexicon = null;
    for (const concept of concepts) {
      const [own, , title] = study.concepts[concept];
      if (own !== lexicon) {
        lexicon = own;
        lines.push(el("tr", { className: "group" }, el("th", { scope: "rowgroup", colSpan: study.layers.length + 1 }, lexicons.get(own) ?? own)));
      }
      lines.push(el("tr", {}, el("th", { scope: "row" }, el("button", { type: "button", tabIndex: -1, title: `find the features of ${title}`, data: { concept } }, title)),
        ...one.cells.map((cell) => { const td = field.cloneNode(); td.append(tileOf(concept, cell)); return td; })));
    }
    return lines;
  }
  let shown = [], folded = [];
  function drawMap(one) {
    const frozen = one.frozen === "none" ? "" : `, frozen ${one.frozen}: a null`;
    const table = el("table", { className: `map${study.layers.length > 10 ? " many" : ""}` },
      el("caption", {}, `${one.position}, ${one.sae}`, el("span", { className: "muted" }, frozen)),
      el("colgroup", {}, el("col", { className: "names" }), ...study.layers.map(() => el("col"))),
      el("thead", {}, el("tr", {}, el("td", {}, el("span", { className: "unseen" }, "concept"), el("span", { className: "axis-name", aria: { hidden: "true" } }, "layer")), ...study.layers.map((layer) => el("th", { scope: "col", title: `layer ${layer}` }, String(layer))))),
      el("tbody", {}, ...rowsOf(one, shown)), el("tbody", { hidden: true }));
    const first = $("a.tile", table);
    if (first) first.tabIndex = 0; // one stop a map; the arrows walk inside
    return table;
  }
  // The first map at once, the others one by one when the search is there: all have their room.
  function* drawMaps() {
    const every = [...Array(study.concepts.length).keys()];
    [shown, folded] = [true, false].map((is) => every.filter((k) => study.concepts[k][3] === is));
    for (let row = 0; row < tiles.cell.length; row++) at.set(tiles.concept[row] * study.cells.length + tiles.cell[row], row);
    const groups = new Set(shown.map((k) => study.concepts[k][0])).size;
    const sheets = study.maps.map(() => el("div", { className: "sheet" }));
    $("#maps").style.setProperty("--layers", study.layers.length);
    $("#maps").style.setProperty("--height", `${44 + 20 * shown.length + 28 * groups}px`);
    $("#maps").append(...sheets);
    listen();
    for (const [k, one] of study.maps.entries()) {
      sheets[k].append(drawMap(one));
      yield;
    }
    listenToFold();
  }
  function listenToFold() {
    const fold = $("#fold"), words = `${count(folded.length)} concept${folded.length === 1 ? "" : "s"} that no cell shows`;
    fold.hidden = !folded.length;
    const none = !shown.length && folded.length > 0; // maps without a row would say nothing
    $("#unshown").hidden = !none;
    if (tiles.of_meaning.some(Boolean)) $("#unshown span").textContent = "Only SAEs of which a part stayed at its random start show a concept, and none that was trained whole.";
    $("#maps").hidden = $("#readout").hidden = none;
    const more = none ? `Maps of the ${words}` : `Also the ${words}`;
    fold.textContent = more;
    fold.onclick = () => {
      const open = fold.getAttribute("aria-expanded") !== "true";
      [...document.querySelectorAll("table.map")].forEach((table, k) => {
        const body = table.tBodies[1];
        if (!body.rows.length) body.append(...rowsOf(study.maps[k], folded));
        body.hidden = !open;
        if (!$('a.tile[tabindex="0"]', table)) $("a.tile", table)?.setAttribute("tabindex", "0");
      });
      $("#maps").hidden = $("#readout").hidden = none && !open;
      fold.setAttribute("aria-expanded", String(open));
      fold.textContent = open ? `Without the ${words}` : more;
    };
  }
  function listen() {
    const tell = (event) => {
      const tile = event.target.closest?.("a.tile");
      if (!tile) return;
      const row = Number(tile.dataset.row), [, , title] = study.concepts[tiles.concept[row]];
      const words = wordsOf(tiles.cell[row], tiles.feature[row]);
      $("#readout").replaceChildren(el("strong", {}, title), ` · ${cellName(tiles.cell[row])} #${tiles.feature[row]} · ${figures(row).join(" · ")}`,
        tiles.of_meaning[row] ? el("strong", {}, " · of meaning") : "", words ? ` · ${words}` : "");
      if (!tile.title) tile.title = tile.getAttribute("aria-label");
    };
    $("#maps").addEventListener("pointerover", tell);
    $("#maps").addEventListener("focusin", tell);
    $("#maps").addEventListener("click", (event) => {
      const concept = event.target.closest?.("button[data-concept]")?.dataset.concept;
      if (concept === undefined || !listed) return;
      $("#filters").reset();
      $("#by-concept").value = concept;
      relist();
      $("#find").scrollIntoView();
    });
    $("#maps").addEventListener("keydown", walk);
  }
  const STEPS = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0], Home: [0, -Infinity], End: [0, Infinity] };
  function walk(event) {
    const step = STEPS[event.key], from = event.target;
    if (!step || !from.matches("a.tile")) return;
    event.preventDefault();
    const table = from.closest("table"), cell = from.closest("td");
    const rows = [...table.tBodies].filter((body) => !body.hidden).flatMap((body) => [...body.rows]).filter((row) => row.cells.length > 1);
    let y = rows.indexOf(cell.parentNode), x = cell.cellIndex, next = null;
    if (!Number.isFinite(step[1])) { // the ends of the row
      const links = [...cell.parentNode.querySelectorAll("a.tile")];
      next = step[1] > 0 ? links.at(-1) : links[0];
    } else {
      do { // over cells that are not there
        y += step[0];
        x += step[1];
        next = rows[y]?.cells[x] && x > 0 ? $("a.tile", rows[y].cells[x]) : null;
      } while (!next && rows[y]?.cells[x] && x > 0);
    }
    if (!next) return;
    from.tabIndex = -1;
    next.tabIndex = 0;
    next.focus();
  }

  // ---- search
  const STEP = innerWidth > 700 ? 25 : 8;
  let head, col, n = 0, cellOf, starts, words = [], counts = [], keep, keys, listed = null, most = STEP;
  const plain = (text) => ` ${text.toLowerCase().replace(/[^\p{L}\p{N}]+/gu, " ")}`; // each word after a space
  let texts;

  function open(body) {
    const types = { 1: Uint8Array, 2: Uint16Array, 4: Uint32Array };
    let place = 0;
    col = {};
    n = head.n;
    for (const [name, size] of head.columns) {
      col[name] = new types[size](body, place, n);
      place += size * n;
    }
    cellOf = new Uint16Array(n);
    starts = [0];
    const known = new Map(study.cells.map(([name], k) => [name, k])), feature = new Uint32Array(n);
    let row = 0;
    for (const [name, size] of head.cells) {
      cellOf.fill(known.get(name), row, row + size);
      for (let i = 0, sum = 0; i < size; i++, row++) feature[row] = sum += col.feature[row];
      starts.push(row);
    }
    if (n) col.feature = feature;
    for (let i = 0; col[`word${i}`]; i++) { words.push(col[`word${i}`]); counts.push(col[`count${i}`]); }
    keep = new Uint8Array(n);
    // Keys of the orders, the first one the smallest: counted and not compared when rows are sorted.
    const lows = [...new Set(study.low.flat())].sort((a, b) => b - a), rank = new Map(lows.map((low, k) => [low, k]));
    const ranks = study.low.map((of) => of.map((low) => rank.get(low)));
    const share = new Uint16Array(n), p = new Uint16Array(n);
    for (row = 0; row < n; row++) {
      share[row] = ranks[col.n_shown[row]]?.[col.n[row]] ?? lows.length;
      p[row] = 32767 - Math.min(32767, col.p[row]);
    }
    keys = { p, share };
    const before = (list) => ["", ...list.map(plain)]; // number 0 is none
    texts = {
      words: before(head.words), label: before(head.labels), names: before(head.names),
      concept: before(head.concepts.map(([lexicon, name, title]) => `${title} ${name} ${lexicon}`)),
      kind: head.kinds.map(plain), cell: study.cells.map(([name]) => ` ${name.toLowerCase()} ${plain(name)}`),
    };
  }
  function rowOf(cell, feature) { // its row, if it is carried
    if (!n) return -1;
    const k = head.cells.findIndex(([name]) => name === cellName(cell));
    let low = starts[k], high = starts[k + 1];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (col.feature[middle] < feature) low = middle + 1; else high = middle;
    }
    return low < starts[k + 1] && col.feature[low] === feature ? low : -1;
  }
  function listedWords(row) {
    const parts = [];
    for (let i = 0; i < words.length && words[i][row]; i++) parts.push(counts[i][row] === 1 ? head.words[words[i][row] - 1] : `${head.words[words[i][row] - 1]} ${counts[i][row]}`);
    return parts.join(", ");
  }
  function wordsOf(cell, feature) {
    const row = listed ? rowOf(cell, feature) : -1;
    return row < 0 ? "" : listedWords(row);
  }

  // Which of some texts have a word that begins so: a flag each.
  const flags = (list, term) => Uint8Array.from(list, (text) => (text.includes(term) ? 1 : 0));
  function narrow(term) {
    const start = ` ${term.replace(/^#/, "")}`;
    const id = /^#?\d+$/.test(term) ? Number(start) : -1;
    if (term.startsWith("#")) { // a feature and nothing else
      for (let row = 0; row < n; row++) if (keep[row] && col.feature[row] !== id) keep[row] = 0;
      return;
    }
    const word = flags(texts.words, start), label = flags(texts.label, start), concept = flags(texts.concept, start);
    const kind = flags(texts.kind, start), cell = flags(texts.cell, start), name = flags(texts.names, start);
    const own = col.name;
    for (let row = 0; row < n; row++) {
      if (!keep[row]) continue;
      let hit = label[col.label[row]] | concept[col.concept[row]] | kind[col.kind[row]] | cell[cellOf[row]];
      if (col.feature[row] === id || (own && name[own[row]])) hit = 1;
      for (let i = 0; !hit && i < words.length; i++) hit = word[words[i][row]];
      keep[row] = hit;
    }
  }
  function list() {
    const [kind, concept, position, layer] = ["kind", "concept", "position", "layer"].map((name) => $(`#by-${name}`).value);
    const cells = Uint8Array.from(study.cells, ([, of, at]) => ((position === "" || at === position) && (layer === "" || of === Number(layer)) ? 1 : 0));
    const kinds = Uint8Array.from(head.kinds, (name) => (kind === "" || kind === name || (kind === "any" && name !== "none") || (kind === "form" && !["meaning", "coherent", "none"].includes(name)) ? 1 : 0));
    const wanted = concept === "" ? null : head.concepts.findIndex(([lexicon, name]) => lexicon === study.concepts[concept][0] && name === study.concepts[concept][1]) + 1;
    for (let row = 0; row < n; row++) keep[row] = cells[cellOf[row]] & kinds[col.kind[row]];
    if (wanted !== null) for (let row = 0; row < n; row++) if (col.concept[row] !== wanted) keep[row] = 0;
    const query = $("#search").value.toLowerCase().replaceAll("#", " #").replace(/[^\p{L}\p{N}#.-]+/gu, " ").trim();
    for (const term of query ? query.split(" ") : []) if (term !== "#") narrow(term);
    let hits = 0;
    for (let row = 0; row < n; row++) hits += keep[row];
    listed = new Uint32Array(hits);
    for (let row = 0, i = 0; row < n; row++) if (keep[row]) listed[i++] = row;
    const key = keys[$("#by-order").value];
    if (key) listed = sorted(listed, key);
    if ($("#per-cell").value) listed = firstOfEach(listed);
  }
  function firstOfEach(rows) { // the first row of each cell, in their order
    const seen = new Set();
    return rows.filter((row) => !seen.has(cellOf[row]) && seen.add(cellOf[row]));
  }
  function sorted(rows, key) { // by counting, rows with the same key stay in their order
    const places = new Uint32Array(65537), result = new Uint32Array(rows.length);
    for (let i = 0; i < rows.length; i++) places[key[rows[i]] + 1]++;
    for (let k = 1; k < places.length; k++) places[k] += places[k - 1];
    for (let i = 0; i < rows.length; i++) result[places[key[rows[i]]]++] = rows[i];
    return result;
  }

  function line(row) {
    const kind = head.kinds[col.kind[row]], concept = col.concept[row] ? head.concepts[col.concept[row] - 1][2] : null;
    const label = kind === "meaning" ? concept : col.label[row] ? head.labels[col.label[row] - 1] : null;
    const near = ["coherent", "none"].includes(kind) && concept ? `nearest: ${concept}` : null;
    const name = col.name?.[row] ? head.names[col.name[row] - 1] : null;
    const [k, of] = [col.n[row], col.n_shown[row]];
    const p = col.p[row] / head.hundredths, form = !col.concept[row];
    const dealt = (1 + col.dealt[row]) / (1 + head.permutations[head.cells.findIndex(([cell]) => cell === cellName(cellOf[row]))]);
    const cell = (className, data, ...children) => el("td", { className, data }, ...children);
    return el("tr", { className: "row" },
      cell("id", {}, el("a", { href: hrefOf(cellOf[row], col.feature[row]) }, `${cellName(cellOf[row])} #${col.feature[row]}`)),
      cell("what", {}, el("span", { className: "chip" }, kind), " ", label ? el("strong", {}, label) : "", name ? el("span", { className: "small" }, name) : "", near ? el("span", { className: "small" }, near) : ""),
      cell("words", { label: "its strongest words" }, listedWords(row) || "–"),
      cell("", { label: "share" }, `${k} of ${of}`, el("span", { className: "small" }, between(k, of))),
      cell(`n${form ? " empty" : ""}`, { label: "p" }, form ? "–" : small(-p), form ? "" : el("span", { className: "small" }, `over all cells ${small(Math.log10(dealt))}`)));
  }
  function draw() {
    $("#rows tbody").replaceChildren(...Array.from(listed.subarray(0, most), line));
    $("#count").textContent = listed.length ? `${count(Math.min(most, listed.length))} of ${count(listed.length)} shown` : "no feature matches";
    const left = listed.length - most;
    $("#more").hidden = left <= 0;
    $("#more").textContent = `Show ${Math.min(left, 4 * STEP)} more`;
  }
  function relist() {
    const before = performance.now();
    most = STEP;
    list();
    draw();
    document.body.dataset.took = (performance.now() - before).toFixed(1); // milliseconds of the answer
  }
  function startSearch() {
    const choose = (id, options) => $(id).append(...options.map(([value, words]) => new Option(words, value)));
    const numbers = (place) => [...new Set(study.cells.map((cell) => cell[place]))];
    choose("#by-kind", [["", "all"], ["any", "of anything"], ["form", "form"], ...head.kinds.map((kind) => [kind, kind])]);
    choose("#by-concept", [["", "all"]]);
    for (const [lexicon, title] of study.lexicons) {
      const own = study.concepts.map((one, k) => [k, one]).filter(([, one]) => one[0] === lexicon).sort((a, b) => a[1][2].localeCompare(b[1][2], "en"));
      $("#by-concept").append(el("optgroup", { label: title }, ...own.map(([k, one]) => new Option(one[2], k))));
    }
    choose("#by-position", [["", "all"], ...numbers(2).map((position) => [position, study.positions[position] ?? position])]);
    choose("#by-layer", [["", "all"], ...numbers(1).sort((a, b) => a - b).map((layer) => [layer, String(layer)])]);
    choose("#by-order", [["p", "smallest p"], ["share", "surest share"], ["place", "lowest layer"]]);
    choose("#per-cell", [["", "all"], ["1", "the first of each cell"]]);
    for (const id of ["#by-kind", "#by-concept", "#by-position", "#by-layer", "#by-order", "#per-cell"]) $(id).onchange = relist;
    $("#search").oninput = relist;
    $("#filters").onsubmit = () => false;
    $("#clear").onclick = () => { $("#filters").reset(); relist(); };
    $("#more").onclick = () => { most += 4 * STEP; draw(); };
    $("#filters").hidden = $("#rows").hidden = !n;
    $("#wait").hidden = n > 0;
    $("#wait").textContent = "No feature was judged.";
    addEventListener("keydown", (event) => {
      if (event.key !== "/" || event.target.matches("input, select, textarea")) return;
      event.preventDefault();
      $("#search").focus();
    });
    fromHash();
    addEventListener("hashchange", fromHash);
    relist();
  }
  function fromHash() { // map.html#find=hair opens with a search
    const match = /^#find=(.*)$/.exec(location.hash);
    if (!match) return;
    try { $("#search").value = decodeURIComponent(match[1]); } catch { return; }
    if (listed) relist();
    $("#find").scrollIntoView();
  }

  // ---- the place in the page
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

  (async () => {
    study = await unpack("#tiles").json();
    tiles = study.tiles;
    titles = study.concepts.map((one) => one[2]);
    lexicons = new Map(study.lexicons);
    const maps = $("#maps") ? drawMaps() : [].values();
    maps.next();
    head = await unpack("#head").json();
    open(await unpack("#body").arrayBuffer());
    startSearch();
    document.body.dataset.searchable = performance.now().toFixed(0); // milliseconds since the page was asked for
    const next = () => { if (!maps.next().done) setTimeout(next); else document.body.dataset.drawn = "1"; };
    next();
  })();
})();
