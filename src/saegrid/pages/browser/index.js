// Sorting of tables: a click on a heading, once more for the other way.
function sort(table, column) {
  const heads = [...table.tHead.rows[0].cells], head = heads[column];
  const numeric = head.classList.contains("n");
  const before = head.getAttribute("aria-sort") ?? (numeric ? "ascending" : "descending");
  const up = before === "descending";
  heads.forEach((other) => other.removeAttribute("aria-sort"));
  head.setAttribute("aria-sort", up ? "ascending" : "descending");
  const key = (row) => row.cells[column].dataset.sort;
  const missing = (text) => text === "" || text === "nan";
  const compare = (a, b) => {
    if (missing(key(a)) || missing(key(b))) return missing(key(a)) - missing(key(b)); // always last
    const by = key(a) - key(b); // settings hold numbers too, such as 0.0003 and 1e-05
    return (up ? 1 : -1) * (Number.isNaN(by) ? key(a).localeCompare(key(b), "en", { numeric: true }) : by);
  };
  table.tBodies[0].append(...[...table.tBodies[0].rows].sort(compare));
}

document.querySelectorAll("table.cells").forEach((table) => {
  [...table.tHead.rows[0].cells].forEach((head, column) => {
    const button = head.querySelector("button"); // absent where a table does not sort
    if (button) button.onclick = () => sort(table, column);
  });
});
document.querySelectorAll(".figures img").forEach((image) => { // on a narrow screen it scrolls
  const mark = () => {
    image.classList.toggle("broad", image.naturalWidth > 640);
    image.closest("figure").classList.toggle("tall", image.naturalHeight > image.naturalWidth);
  };
  if (image.complete) mark(); else image.onload = mark;
});
addEventListener("beforeprint", () => { // paper has no pointer that could rest on a heading
  for (const details of document.querySelectorAll("details.columns")) details.open = true;
});
document.body.dataset.ready = "1";
