// How search results are ordered and what is said of them. Sphinx puts this beside its own search.

var Scorer = {
  // Chapters come first, the main line before the workshop; then the names of the reference.
  score: ([page, title, anchor, words, score, file, kind]) => {
    const chapter = page.match(/^nbs\/(\d+)/);
    if (chapter) return score + 20 - chapter[1] / 10;
    if (page.startsWith("nbs/examples/")) return score + 12;
    return kind === "text" ? score - 10 : score;
  },
  objNameMatch: 11,
  objPartialMatch: 6,
  objPrio: { 0: 15, 1: 5, 2: -5 },
  objPrioDefault: 0,
  title: 15,
  partialTitle: 7,
  term: 5,
  partialTerm: 2,
};

// What stands beside the text of a page is no part of a summary.
const BESIDE = [
  ".headerlink", ".viewcode-link", ".defined-in", ".export-label", "details.imports",
  ".dz-replay", "svg", "script", "style",
].join();

// The text below a heading or a signature, without gluing the end of one block to the next.
const textOf = (html, anchor) => {
  const page = new DOMParser().parseFromString(html, "text/html");
  page.querySelectorAll(BESIDE).forEach((each) => each.remove());
  const blocks = "p, li, td, th, dt, dd, pre, div, section, summary, h1, h2, h3, h4, br";
  page.querySelectorAll(blocks).forEach((each) => each.after(" "));
  const found = anchor ? page.getElementById(decodeURIComponent(anchor.slice(1))) : null;
  const told = found?.closest("dt")?.nextElementSibling?.querySelectorAll("p") ?? [];
  const said = [...told].find((each) => !each.textContent.startsWith("Bases:")) ?? found;
  return (said ?? page.querySelector("article")).textContent.replace(/\s+/g, " ").trim();
};

// Some words before the first of those that were looked for, and some behind it.
const summaryOf = (html, words, anchor) => {
  const text = textOf(html, anchor);
  const places = [...words].map((word) => text.toLowerCase().indexOf(word.toLowerCase()));
  const start = Math.max(Math.max(...places) - 120, 0);
  const end = start + 240;
  const summary = document.createElement("p");
  summary.classList.add("context");
  const cut = text.slice(start ? text.indexOf(" ", start) + 1 : 0, end);
  summary.textContent = (start ? "… " : "") + cut + (end < text.length ? "…" : "");
  return summary;
};

// A name is summed up by the first paragraph of its docstring, where pages may be fetched.
const nameSearch = (search) => (...terms) =>
  search(...terms).map(([page, title, anchor, words, ...rest]) => {
    const said = DOCUMENTATION_OPTIONS.SHOW_SEARCH_SUMMARY ? null : words;
    return [page, title, anchor, said, ...rest];
  });

addEventListener("DOMContentLoaded", () => {
  Search.makeSearchSummary = summaryOf;
  Search.performObjectSearch = nameSearch(Search.performObjectSearch);
}, true);
