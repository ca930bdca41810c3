// A page opened from a folder may not fetch other pages, so search shows titles only there.
if (location.protocol === "file:") DOCUMENTATION_OPTIONS.SHOW_SEARCH_SUMMARY = false;

// A link into something folded opens it.
const unfold = () => {
  const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
  const [outer, inner] = [target?.closest("details"), target?.querySelector(":scope > details")];
  [outer, inner].filter(Boolean).forEach((each) => { each.open = true; });
  if (outer) target.scrollIntoView();
};
addEventListener("hashchange", unfold);
addEventListener("DOMContentLoaded", unfold);

// The menu shows where we are, also in a part that scrolls.
addEventListener("DOMContentLoaded", () => {
  const here = document.querySelector("nav.bd-docs-nav li [aria-current]");
  const list = here?.closest("ul");
  if (list) list.scrollTop = here.offsetTop - list.offsetTop - list.clientHeight / 2;
});
