"""The concept figures: fresh, well-formed, legible in both themes, and shown in the book."""
import importlib.util
import json
import math
import re
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from colours import contrast

ROOT = Path(__file__).parent.parent
IMAGES = ROOT / "images"
SVG = "{http://www.w3.org/2000/svg}"

spec = importlib.util.spec_from_file_location("draw", IMAGES / "draw.py")
draw = importlib.util.module_from_spec(spec)
spec.loader.exec_module(draw)

DRAWN = draw.drawn()
ROOTS = {name: ET.fromstring(text) for name, text in DRAWN.items()}
each_figure = pytest.mark.parametrize("name", sorted(DRAWN))

# ---------------------------------------------------------------- reading a figure


def classes(element):
    return element.get("class", "").split()


def themes(root):
    """The light and the dark colours, as the style block of the file says them."""
    css = root.find(f"{SVG}style").text
    blocks = [dict(re.findall(r"--dz-([\w-]+):(#[0-9a-f]{6})", line))
              for line in css.splitlines() if "--dz-paper:" in line]
    assert len(blocks) == 4
    assert blocks[2:] == blocks[:2], "html[data-theme] and the media query must agree"
    return blocks[:2]


def text_width(text, size, style):
    """A generous estimate: the advance widths of DejaVu Sans, the widest of the usual fonts."""
    if "dz-code" in style:
        return 0.605 * size * len(text)
    wide, narrow = "MWmw@%+=\u2212\u00d7", "ijlrt.,:;'|()[]! "
    em = sum(0.9 if c in wide else 0.38 if c in narrow else 0.63 for c in text)
    return em * size * (0.8 if "dz-math" in style else 1.1 if "dz-bold" in style else 1.0)


class Label:
    """A text element with its estimated box."""

    def __init__(self, element):
        self.text = "".join(element.itertext())
        self.size = float(element.get("font-size"))
        style = classes(element)
        self.ink = next(c[3:] for c in style if c[3:] in draw.LIGHT)
        self.sizes = [self.size]
        self.width = text_width(element.text or "", self.size, style)
        for span in element:
            size = float(span.get("font-size", self.size))
            self.sizes.append(size)
            self.width += text_width(span.text, size, classes(span))
            self.width += text_width(span.tail or "", self.size, style)
        start = {"start": 0, "middle": 0.5, "end": 1}[element.get("text-anchor")]
        self.left = float(element.get("x")) - start * self.width
        self.right = self.left + self.width
        baseline = float(element.get("y"))
        raised = any(float(span.get("dy", 0)) < 0 for span in element)
        self.top = baseline - (1.0 if raised else 0.75) * self.size
        self.bottom = baseline + 0.12 * self.size
        self.middle = (self.left + self.right) / 2, baseline - 0.35 * self.size

    def covers(self, x, y):
        return self.left < x < self.right and self.top < y < self.bottom


class Shape:
    """A filled rectangle, ellipse or circle."""

    def __init__(self, element):
        get = {k: float(v) for k, v in element.attrib.items() if k not in ("class",)}
        self.round = not element.tag.endswith("rect")
        if self.round:
            self.rx, self.ry = get.get("rx", get.get("r")), get.get("ry", get.get("r"))
            self.x, self.y = get["cx"], get["cy"]
        else:
            self.rx, self.ry = get["width"] / 2, get["height"] / 2
            self.x, self.y = get["x"] + self.rx, get["y"] + self.ry
        self.fill = next((c[6:] for c in classes(element) if c.startswith("dz-on-")), None)

    def contains(self, x, y):
        dx, dy = abs(x - self.x) / self.rx, abs(y - self.y) / self.ry
        return (math.hypot(dx, dy) if self.round else max(dx, dy)) <= 1


def labels(root):
    return [Label(e) for e in root.iter(f"{SVG}text")]


def grounds(root):
    """Every label with the topmost filled shape behind its middle."""
    shapes, found = [], []
    for element in root.iter():
        if element.tag in (f"{SVG}rect", f"{SVG}ellipse", f"{SVG}circle"):
            shape = Shape(element)
            shapes += [shape] if shape.fill else []
        elif element.tag == f"{SVG}text":
            label = Label(element)
            found.append((label, [s for s in shapes if s.contains(*label.middle)][-1]))
    return found


def strokes(root):
    """Points along every path that is written with M, L, H, V and Q."""
    for element in root.iter(f"{SVG}path"):
        d = element.get("d")
        if "dz-path" not in classes(element) or re.search(r"[a-gi-z]", d):
            continue
        x = y = 0.0
        for command, numbers in re.findall(r"([MLHVQh])([^A-Za-z]*)", d):
            n = [float(v) for v in re.findall(r"-?[\d.]+", numbers)]
            x0, y0 = x, y
            if command in "HVh":
                x, y = {"H": (n[0], y), "V": (x, n[0]), "h": (x + n[0], y)}[command]
            else:
                x, y = n[-2:]
            cx, cy = n[:2] if command == "Q" else ((x0 + x) / 2, (y0 + y) / 2)
            if command != "M":
                for t in (i / 40 for i in range(41)):
                    yield ((1 - t) ** 2 * x0 + 2 * t * (1 - t) * cx + t * t * x,
                           (1 - t) ** 2 * y0 + 2 * t * (1 - t) * cy + t * t * y)


# ---------------------------------------------------------------- the files

@each_figure
def test_file_is_fresh(name):
    assert (IMAGES / name).read_bytes() == DRAWN[name].encode(), "run python images/draw.py"


def test_every_file_is_drawn():
    assert {p.name for p in IMAGES.glob("*.svg")} == set(DRAWN)


def test_check_names_stale_files(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(draw, "HERE", tmp_path)
    assert draw.main(["--check"]) == 1 and not list(tmp_path.iterdir())
    assert draw.main([]) == 0
    assert draw.main(["--check"]) == 0
    (tmp_path / "box.svg").write_text("<svg/>", encoding="utf-8")
    capsys.readouterr()
    assert draw.main(["--check"]) == 1
    assert capsys.readouterr().out == "stale box.svg\n"


@each_figure
def test_root(name):
    root, stem = ROOTS[name], name.removesuffix(".svg")
    width, height = int(root.get("width")), int(root.get("height"))
    assert root.get("class") == "dz" and root.get("role") == "img"
    assert root.get("viewBox") == f"0 0 {width} {height}" and width <= 720
    assert root.get("aria-labelledby") == f"{stem}-title {stem}-desc"
    title, desc = root.find(f"{SVG}title"), root.find(f"{SVG}desc")
    assert title.get("id") == f"{stem}-title" and title.text.strip()
    assert desc.get("id") == f"{stem}-desc" and len(desc.text) > 40
    assert all(e.get("id", f"{stem}-").startswith(f"{stem}-") for e in root.iter())


def test_style_is_shared_and_scoped():
    styles = {root.find(f"{SVG}style").text for root in ROOTS.values()}
    assert len(styles) == 1
    rules = re.sub(r"@media[^{]*", "", styles.pop())
    selectors = [s for s in re.findall(r"([^{}]+)\{", rules) if s.strip()]
    assert len(selectors) > 10 and all(".dz" in s for s in selectors), selectors


@each_figure
def test_colours_are_variables(name):
    body = DRAWN[name].replace(ROOTS[name].find(f"{SVG}style").text, "")
    assert not re.search(r"#[0-9a-fA-F]{3}|rgb\(|\bfill=|\bstroke=", body)


# ---------------------------------------------------------------- legible

@each_figure
def test_contrast_of_text(name):
    root = ROOTS[name]
    for theme in themes(root):
        for label, ground in grounds(root):
            ratio = contrast(theme[label.ink], theme[ground.fill])
            assert ratio >= 4.5, (label.text, label.ink, ground.fill, ratio)


def test_contrast_of_lines():
    for theme in themes(ROOTS["box.svg"]):
        for ink in ("ink", "line", "grad", "accent", "fun-ink", "var-ink"):
            assert contrast(theme[ink], theme["paper"]) >= 3, ink


@each_figure
def test_text_is_large_enough(name):
    width = int(ROOTS[name].get("width"))
    for label in labels(ROOTS[name]):
        assert min(label.sizes) >= 13, label.text
        assert label.size * min(1, 360 / width) >= 9.3, label.text


@each_figure
def test_text_stays_inside(name):
    root = ROOTS[name]
    width, height = int(root.get("width")), int(root.get("height"))
    for label, ground in grounds(root):
        assert 6 <= label.left and label.right <= width - 6, label.text
        assert 6 <= label.top and label.bottom <= height - 6, label.text
        x, y = label.middle
        half = label.width / 2
        assert ground.contains(x - half, y) and ground.contains(x + half, y), label.text


@each_figure
def test_text_is_not_covered(name):
    found = labels(ROOTS[name])
    for i, a in enumerate(found):
        for b in found[:i]:
            apart = (a.right <= b.left or b.right <= a.left
                     or a.bottom <= b.top or b.bottom <= a.top)
            assert apart, (a.text, b.text)
    for x, y in strokes(ROOTS[name]):
        hit = [label.text for label in found if label.covers(x, y)]
        assert not hit, (hit, x, y)


def test_logo_has_no_text():
    assert not labels(ROOTS["logo.svg"])


# ---------------------------------------------------------------- true

def slope(f, x, h=1e-5):
    return (f(x + h) - f(x - h)) / (2 * h)


def test_values_of_the_chain():
    def square(v):
        return v * v
    a, b = square(0.5), math.exp(square(0.5))
    values = [0.5, a, b, square(b)]
    grads = [slope(lambda v: square(math.exp(square(v))), 0.5),
             slope(lambda v: square(math.exp(v)), a), slope(square, b), 1.0]
    for name, expected in (("forward_backward", values + grads), ("composition", values),
                           ("unchain", values)):
        shown = [label.text for label in labels(ROOTS[f"{name}.svg"])]
        numbers = [float(t) for t in shown if re.fullmatch(r"[\d.]+", t)]
        assert sorted(numbers) == pytest.approx(sorted(expected), abs=5e-4), name


def test_slopes_of_the_secants():
    text = " ".join(label.text for label in labels(ROOTS["secant_tangent.svg"]))
    forward, central, tangent = (float(v) for v in re.findall(r"slope ([\d.]+)", text))
    assert tangent == pytest.approx(slope(math.exp, 0), abs=5e-3)
    assert 0 < abs(central - tangent) < abs(forward - tangent) / 3


def test_gradients_of_the_branches():
    text = " ".join(label.text for label in labels(ROOTS["branches.svg"]))
    right = slope(lambda x: x ** 4 + x ** 4, 2.0)
    early, waiting = (float(v) for v in re.findall(r"gets (\d+)", text))
    assert waiting == pytest.approx(right) and early == pytest.approx(right / 2)


# ---------------------------------------------------------------- shown in the book

def pictures():
    """(notebook, alt text, file name) of every picture from images/ in the notebooks."""
    for path in [ROOT / "index.ipynb", *sorted((ROOT / "nbs").rglob("*.ipynb"))]:
        for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
            text = "".join(cell["source"]) if cell["cell_type"] == "markdown" else ""
            for alt, name in re.findall(r"!\[([^\]]*)\]\((?:\.\./)*images/([^)\s]+)\)", text):
                yield path.name, alt, name


def test_pictures_exist_and_have_alt_text():
    shown = list(pictures())
    assert shown
    for notebook, alt, name in shown:
        assert (IMAGES / name).is_file(), (notebook, name)
        assert len(alt) >= 15, (notebook, name, alt)


def test_every_figure_is_shown():
    assert set(DRAWN) - {name for _, _, name in pictures()} <= {"logo.svg"}


def chapters_of(text):
    return [name.replace(" ", "_") for name in text.split(", ")]


def test_map_knows_the_chapters():
    stages = [name for _, names in draw.STAGES for name in chapters_of(names)]
    assert list(dict.fromkeys(int(name[:2]) for name in stages)) == list(range(26))
    written = {path.stem for path in (ROOT / "nbs").glob("[0-9][0-9]*.ipynb")}
    assert {*stages, *chapters_of(draw.WORKSHOP)} == written


def test_chapters_on_the_map_are_links():
    links = [link.get("href") for link in ROOTS["map.svg"].iter(f"{SVG}a")]
    assert len(links) > 30
    assert [link for link in links if not (IMAGES / link).is_file()] == []


def test_the_front_page_has_the_stages_of_the_map():
    front = "".join(
        "".join(cell["source"])
        for cell in json.loads((ROOT / "index.ipynb").read_text(encoding="utf-8"))["cells"])
    headings = re.findall(r"^### Stage (\d): (.+)$", front, re.M)
    wanted = [(str(number), title) for number, (title, _) in enumerate(draw.STAGES, 1)]
    assert headings == wanted
    for (number, _), (_, names) in zip(headings, draw.STAGES):
        section = front.split(f"### Stage {number}: ")[1].split("\n###")[0]
        listed = re.findall(r"\(nbs/(\w+)\.ipynb\)", section)
        assert listed == chapters_of(names)
