"""The site. `docs/stage.py` brings the sources together, Sphinx builds them."""

import importlib.util
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
sys.path[:0] = [str(ROOT), str(HERE / "_ext")]

from tools.package import settings  # noqa: E402

about = settings()["metadata"]

project = "DeZero"
author = about["author"]
copyright = author
version = release = about["version"]
language = "en"

extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.viewcode",
    "sphinx.ext.githubpages",
    "sphinx.ext.mathjax",
    "sphinx_copybutton",
    "book",
]
root_doc = "index"
source_suffix = {".md": "myst-nb", ".ipynb": "myst-nb"}

# Notebooks come executed.
nb_execution_mode = "off"
nb_merge_streams = True
myst_enable_extensions = ["dollarmath", "amsmath"]
myst_heading_anchors = 3

# The reference. In a docstring `x` is code.
default_role = "code"
add_module_names = False
autoclass_content = "both"
autodoc_inherit_docstrings = False
autodoc_preserve_defaults = True
python_display_short_literal_types = True
python_maximum_signature_line_length = 100
toc_object_entries_show_parents = "hide"
viewcode_follow_imported_members = False  # the module named in a signature is the right one

# Nothing is fetched from elsewhere: MathJax is the one file of the wheel.
mathjax = Path(importlib.util.find_spec("sphinx-mathjax-offline").origin).parent / "static"
mathjax_path = "tex-svg.js"
mathjax3_config = {"options": {"enableMenu": False}}  # the menu would offer to load more

# Only the code of a cell can be copied, not what it printed.
copybutton_selector = "div[class*=highlight-]:not(.output) > .highlight > pre"

html_theme = "sphinx_book_theme"
html_title = "DeZero"
templates_path = ["_templates"]
html_sidebars = {"**": ["navbar-logo.html", "search-button-field.html", "menu.html"]}
html_static_path = ["_static", str(mathjax / "mathjax" / "tex-svg.js")]
html_css_files = ["book.css"]
html_js_files = ["book.js"]
html_search_scorer = str(HERE / "_static" / "search.js")
html_use_index = False  # the page "All names" says more
html_domain_indices = False
html_show_sourcelink = False
html_context = {"default_mode": "auto"}
html_theme_options = {
    "logo": {"text": "DeZero", "alt_text": "DeZero: to the first page"},
    "navbar_persistent": [],
    "article_header_end": ["header-links.html", "article-header-buttons.html"],
    "use_download_button": True,
    "use_fullscreen_button": False,
    "show_toc_level": 2,
    "toc_title": "On this page",
    "search_bar_text": "Search the book…",
    "pygments_light_style": "a11y-light",
    "pygments_dark_style": "a11y-dark",
    "footer_content_items": ["copyright"],
}
if (ROOT / "images" / "logo.svg").is_file():
    html_logo = html_favicon = str(ROOT / "images" / "logo.svg")
