"""Pictures: every one has words, and concept figures follow the reader's light or dark mode.

A figure whose root is `<svg class="dz">` is put into the page itself, where the page's style
can reach its colours. Everything else stays an image.
"""

import re
from html import escape
from pathlib import Path

from docutils import nodes
from sphinx.transforms.post_transforms import SphinxPostTransform
from sphinx.util import logging

LOG = logging.getLogger(__name__)
ROOT = re.compile(r"<svg\b[^>]*>")
WIDTH = re.compile(r'\swidth="([\d.]+)pt"')
LETTERS = re.compile(r'\bscale\(([\d.]+) -|\bfont-size="([\d.]+)"')  # Matplotlib, Graphviz
CHAPTER = re.compile(r'href="\.\./([^"]+)\.ipynb"')  # a figure lies in a folder of the root
STYLE = re.compile(r"<style>.*?</style>\s*", re.S)


def want_words(app, doctree):
    """Warn, and so fail the build, about a picture without a text in its place."""
    for image in doctree.findall(nodes.image):
        if not image.get("alt", "").strip():
            text = "a picture without words: give it an alt text (in a code cell, `#| alt: …`)"
            LOG.warning(text, location=image)


def inline(svg, alt, prefix):
    """A concept figure as a part of a page: with ids of its own, and the alt text as its name."""
    root = ROOT.search(svg)
    body = svg[root.end() : svg.rindex("</svg>")]
    body = re.sub(r"<(title|desc)\b.*?</\1>\s*", "", body, flags=re.S)
    body = re.sub(r'\bid="([^"]+)"', rf'id="{prefix}\1"', body)
    body = re.sub(r"url\(#([^)]+)\)", rf"url(#{prefix}\1)", body)
    body = re.sub(r'href="#([^"]+)"', rf'href="#{prefix}\1"', body)
    role = "group" if "<a " in body else "img"  # within an image, nothing could be clicked
    attributes = re.sub(r'\s(?:role|aria-[a-z]+|id|xmlns)="[^"]*"', "", root[0])[4:-1]
    return f'<svg{attributes} role="{role}" aria-label="{escape(alt)}">{body}</svg>'


def too_wide(svg, column=390, smallest=8):
    """Would the letters of this plot or graph be too small, in px, if it was shown on a phone?"""
    width = WIDTH.search(ROOT.search(svg)[0])
    sizes = [100 * float(plot) if plot else float(graph) for plot, graph in LETTERS.findall(svg)]
    if not width or not sizes:
        return False
    return min(sizes) * 4 / 3 * min(1, column / (float(width[1]) * 4 / 3)) < smallest


class InlineFigures(SphinxPostTransform):
    """Put the concept figures into the page; the style that they share goes in once."""

    default_priority = 100
    formats = ("html",)

    def run(self):
        styles = set()
        for number, image in enumerate(list(self.document.findall(nodes.image))):
            path = Path(self.env.srcdir, image["uri"])
            if path.suffix != ".svg":
                continue
            svg = path.read_text(encoding="utf-8")
            root = ROOT.search(svg)
            if root and too_wide(svg):
                image["classes"].append("wide")
            if not (root and re.search(r'class="[^"]*\bdz\b', root[0])):
                continue
            for style in STYLE.findall(svg):
                if style in styles:
                    svg = svg.replace(style, "")
                styles.add(style)
            svg = inline(svg, image.get("alt", ""), f"figure-{number}-")
            svg = CHAPTER.sub(self.address_of, svg)
            image.replace_self(nodes.raw("", svg, format="html"))

    def address_of(self, found):
        """The page of a chapter, seen from the page that is being written."""
        here, there = self.env.docname, found[1]
        if there not in self.env.found_docs:
            LOG.warning(f"a figure leads to {there}, which is no chapter", location=here)
            return ""
        return f'href="{self.app.builder.get_relative_uri(here, there)}"'


def setup(app):
    app.connect("doctree-read", want_words)
    app.add_post_transform(InlineFigures)
