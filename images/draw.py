"""Draw the concept figures of the book as SVG files.

    python images/draw.py            write every figure beside this file
    python images/draw.py --check    name the figures whose file is stale

A figure is one short function: it receives a `Figure` and draws on it. Variables are orange
ellipses, functions blue rounded boxes, arrays small cells, gradients red. Colours are CSS
variables, so one file serves light and dark pages.
"""
import argparse
import math
import re
import sys
from contextlib import contextmanager
from pathlib import Path
from xml.sax.saxutils import escape

HERE = Path(__file__).parent

# ---------------------------------------------------------------- colours and the style block

LIGHT = {
    "paper": "#fbfaf7", "ink": "#22272e", "soft": "#5a6472", "line": "#7d8794",
    "var": "#ffe6c4", "var-ink": "#7d4300", "fun": "#d9eafb", "fun-ink": "#17497a",
    "grad": "#c01a44", "accent": "#6a45c0",
}
DARK = {
    "paper": "#1c222b", "ink": "#e8ebef", "soft": "#a9b3bf", "line": "#84909d",
    "var": "#5f3f1a", "var-ink": "#ffd8a2", "fun": "#1f405f", "fun-ink": "#c3e2ff",
    "grad": "#ff8299", "accent": "#bda4ff",
}
SANS = 'system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",Arial,sans-serif'
SERIF = '"STIX Two Text","Times New Roman",Times,serif'
MONO = 'ui-monospace,SFMono-Regular,Menlo,Consolas,"DejaVu Sans Mono",monospace'


def style():
    """The one style block. A page that inlines the figures picks a theme by html[data-theme]."""
    light, dark = (";".join(f"--dz-{k}:{v}" for k, v in theme.items()) for theme in (LIGHT, DARK))
    inks = "\n".join(f".dz .dz-{k}{{color:var(--dz-{k})}}" for k in LIGHT if k not in FILLS)
    fills = "\n".join(f".dz .dz-on-{k}{{fill:var(--dz-{k})}}" for k in FILLS)
    return f"""\
.dz{{{light};max-width:100%;height:auto}}
@media (prefers-color-scheme:dark){{.dz{{{dark}}}}}
html[data-theme=light] .dz{{{light}}}
html[data-theme=dark] .dz{{{dark}}}
.dz text{{font-family:{SANS};fill:currentColor;stroke:none}}
.dz .dz-math{{font-family:{SERIF}}}
.dz .dz-it{{font-style:italic}}
.dz .dz-code{{font-family:{MONO}}}
.dz .dz-bold{{font-weight:600}}
.dz .dz-struck{{text-decoration:line-through}}
.dz .dz-path{{fill:none;stroke:currentColor;stroke-linecap:round;stroke-linejoin:round}}
.dz .dz-head{{fill:currentColor;stroke:none}}
.dz .dz-edge{{stroke:currentColor;stroke-opacity:.55}}
.dz .dz-solid{{stroke:currentColor}}
.dz .dz-dash{{stroke-dasharray:5 5}}
{inks}
{fills}"""


FILLS = ("paper", "var", "fun")
INK = {"paper": "line", "var": "var-ink", "fun": "fun-ink"}  # the ink that belongs to a fill

# ---------------------------------------------------------------- the pen


def num(value):
    """A number as short text with at most two decimals."""
    text = f"{value:.2f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def tag(name, content=None, **attrs):
    """One SVG element; `cls` stands for class and `_` in a name for `-`."""
    attrs = {"class" if k == "cls" else k.replace("_", "-"): v for k, v in attrs.items()}
    text = "".join(f' {k}="{v if isinstance(v, str) else num(v)}"' for k, v in attrs.items())
    return f"<{name}{text}/>" if content is None else f"<{name}{text}>{content}</{name}>"


def rich(text, size):
    """Small markup to tspans: $x^2 + y_{10}$ is maths in italics, `code` is monospaced."""
    out = []
    parts = re.split(r"(\$[^$]*\$|`[^`]*`)", text)
    for i, part in enumerate(parts):
        if part.startswith("`"):
            out.append(tag("tspan", escape(part[1:-1]), cls="dz-code", font_size=size * 0.94))
        elif part.startswith("$"):
            out.append(maths(part[1:-1], size, more=any(parts[i + 1:])))
        else:
            out.append(escape(part))
    return "".join(out)


def maths(text, size, more=False):
    """Letters in italics, the rest upright; ^ raises and _ lowers one character or a {group}."""
    out, level = [], 0
    for mark, group, char, plain in re.findall(r"([\^_])(?:\{([^}]*)\}|(.))|([^\^_]+)", text):
        shift = {"^": -0.38 * size, "_": 0.2 * size, "": 0}[mark]
        for piece in re.findall(r"[A-Za-z]+|[^A-Za-z]+", plain or group or char):
            attrs: dict = {"cls": "dz-math dz-it" if piece.isalpha() else "dz-math"}
            if shift != level:
                attrs["dy"] = shift - level
            if mark:
                attrs["font_size"] = 0.75 * size
            out.append(tag("tspan", escape(piece.replace("-", "\u2212")), **attrs))
            level = shift
    if level and more:  # a hair space brings what follows back to the line
        out.append(tag("tspan", "\u200a", dy=-level))
    return "".join(out)


class Node:
    """Something an arrow can leave or reach: an ellipse or a rounded box around (x, y)."""

    def __init__(self, x, y, rx, ry, round_=False):
        self.x, self.y, self.rx, self.ry, self.round = x, y, rx, ry, round_

    def edge(self, x, y):
        """Where the line from the centre to the point (x, y) leaves the outline."""
        dx, dy = (x - self.x) / self.rx, (y - self.y) / self.ry
        scale = math.hypot(dx, dy) if self.round else max(abs(dx), abs(dy))
        return self.x + (x - self.x) / scale, self.y + (y - self.y) / scale

    top = property(lambda self: (self.x, self.y - self.ry))
    bottom = property(lambda self: (self.x, self.y + self.ry))
    left = property(lambda self: (self.x - self.rx, self.y))
    right = property(lambda self: (self.x + self.rx, self.y))


class Figure:
    """A sheet of the given size to draw on; `svg()` is the finished file."""

    def __init__(self, name, title, desc, width, height, card=True):
        self.name, self.title, self.desc = name, title, desc
        self.width, self.height, self.parts = width, height, []
        if card:
            self.rect(0.5, 0.5, width - 1, height - 1, "paper", radius=12, stroke_opacity=".3")

    def add(self, name, content=None, **attrs):
        self.parts.append(tag(name, content, **attrs))

    def rect(self, x, y, w, h, fill="paper", ink=None, radius=8, **attrs):
        self.add("rect", x=x, y=y, width=w, height=h, rx=radius,
                 cls=f"dz-edge dz-on-{fill} dz-{ink or INK[fill]}", **attrs)

    def text(self, x, y, text, ink="ink", size=16, anchor="middle", bold=False):
        """Text whose letters are centred on the height y."""
        self.add("text", rich(text, size), x=x, y=y + 0.35 * size, font_size=size,
                 text_anchor=anchor, cls=f"dz-{ink}" + " dz-bold" * bold)

    def fraction(self, x, y, top, bottom, ink="ink", size=19, half=15):
        """A stacked fraction centred on (x, y)."""
        self.text(x, y - 0.6 * size, f"${top}$", ink, size)
        self.path(f"M{num(x - half)} {num(y)}H{num(x + half)}", ink, width=1.3)
        self.text(x, y + 0.66 * size, f"${bottom}$", ink, size)

    def path(self, d, ink="line", width=1.75, dash=False):
        self.add("path", d=d, cls=f"dz-path dz-{ink}" + " dz-dash" * dash, stroke_width=width)

    def var(self, x, y, label, rx=23, ry=20):
        """A Variable: an orange ellipse with its name in maths."""
        self.add("ellipse", cx=x, cy=y, rx=rx, ry=ry, cls="dz-edge dz-on-var dz-var-ink",
                 stroke_width=1.5)
        self.text(x, y - 1, f"${label}$", "var-ink", 20)
        return Node(x, y, rx, ry, round_=True)

    def fun(self, x, y, label, w=68, h=40):
        """A Function: a blue rounded box with its name."""
        self.rect(x - w / 2, y - h / 2, w, h, "fun", radius=10, stroke_width=1.5)
        self.text(x, y, label, "fun-ink", 16)
        return Node(x, y, w / 2, h / 2)

    def badge(self, x, y, label, ink="ink"):
        """A small numbered circle."""
        self.add("circle", cx=x, cy=y, r=11, cls=f"dz-edge dz-on-paper dz-{ink}")
        self.text(x, y, label, ink, 14, bold=True)

    def ghost(self, x, y, label, w, h, radius, size=16):
        """What is gone: a dashed outline."""
        self.add("rect", x=x - w / 2, y=y - h / 2, width=w, height=h, rx=radius,
                 cls="dz-path dz-dash dz-line", stroke_width=1.5)
        if label:
            self.text(x, y, label, "soft", size)
        return Node(x, y, w / 2, h / 2)

    def arrow(self, start, end, ink="line", bend=0, gap=3, width=1.75, dash=False, head=8):
        """An arrow that stops `gap` short of both points; `bend` pushes its middle to the left."""
        (x0, y0), (x1, y1) = start, end
        length = math.hypot(x1 - x0, y1 - y0)
        ux, uy = (x1 - x0) / length, (y1 - y0) / length
        cx, cy = (x0 + x1) / 2 + 2 * bend * uy, (y0 + y1) / 2 - 2 * bend * ux
        near = math.hypot(cx - x0, cy - y0)
        ax, ay = (cx - x0) / near, (cy - y0) / near              # direction at the start
        bx, by = (x1 - cx) / near, (y1 - cy) / near              # direction at the end
        x0, y0, x1, y1 = x0 + gap * ax, y0 + gap * ay, x1 - gap * bx, y1 - gap * by
        nx, ny = x1 - head * bx, y1 - head * by                  # the neck of the head
        curve = f"Q{num(cx)} {num(cy)} " if bend else "L"
        self.path(f"M{num(x0)} {num(y0)}{curve}{num(nx)} {num(ny)}", ink, width, dash)
        half = 0.52 * head
        points = [(x1, y1), (nx - half * by, ny + half * bx), (nx + half * by, ny - half * bx)]
        self.add("path", d="M" + "L".join(f"{num(x)} {num(y)}" for x, y in points) + "Z",
                 cls=f"dz-head dz-{ink}")

    def link(self, a, b, ink="line", **attrs):
        """A straight arrow from the outline of one node to the outline of another."""
        self.arrow(a.edge(b.x, b.y), b.edge(a.x, a.y), ink, **attrs)

    def chain(self, y, labels, margin=20, back=False):
        """Variables and functions in turn, evenly spaced, linked forward or `back`."""
        widths = [46 if i % 2 == 0 else max(46, 20 + 8 * len(s)) for i, s in enumerate(labels)]
        gap = (self.width - 2 * margin - sum(widths)) / (len(labels) - 1)
        nodes, x = [], margin
        for i, (label, w) in enumerate(zip(labels, widths)):
            mid = x + w / 2
            nodes.append(self.fun(mid, y, label, w) if i % 2 else self.var(mid, y, label))
            x += w + gap
        for a, b in zip(nodes, nodes[1:]):
            if back:
                self.link(b, a, "accent", width=2.2)
            else:
                self.link(a, b)
        return nodes

    def grid(self, x, y, rows, size=28, ink="ink", edge="var-ink"):
        """An array as cells, its top left corner at (x, y); returns the node around it."""
        w, h = size * len(rows[0]), size * len(rows)
        for i, row in enumerate(rows):
            for j, value in enumerate(row):
                self.rect(x + j * size, y + i * size, size, size, "paper", edge, radius=3)
                if value != "":
                    self.text(x + (j + 0.5) * size, y + (i + 0.5) * size, str(value), ink, 15)
        return Node(x + w / 2, y + h / 2, w / 2, h / 2)

    @contextmanager
    def link_to(self, address):
        """Whatever is drawn meanwhile leads to this address; to none, it is drawn plainly."""
        start = len(self.parts)
        yield
        if address:
            inner = "\n".join(self.parts[start:])
            self.parts[start:] = [tag("a", inner, href=address)]

    def svg(self):
        """The whole file as text."""
        head = [tag("title", escape(self.title), id=f"{self.name}-title"),
                tag("desc", escape(self.desc), id=f"{self.name}-desc"),
                tag("style", "\n" + style() + "\n")]
        return tag("svg", "\n".join(["", *head, *self.parts, ""]),
                   xmlns="http://www.w3.org/2000/svg", cls="dz", role="img",
                   aria_labelledby=f"{self.name}-title {self.name}-desc",
                   viewBox=f"0 0 {self.width} {self.height}",
                   width=str(self.width), height=str(self.height)) + "\n"


FIGURES = {}


def figure(width, height, desc, card=True):
    """Register a drawing function; its docstring is the title, `desc` says it in full."""
    def register(draw):
        def make():
            fig = Figure(draw.__name__, draw.__doc__, " ".join(desc.split()), width, height, card)
            draw(fig)
            return fig
        FIGURES[draw.__name__] = make
        return draw
    return register


def short(value):
    """A value as the figures show it: at most three decimals."""
    return f"{value:.3f}".rstrip("0").rstrip(".")


# ---------------------------------------------------------------- chapter 00: boxes and functions

SQUARES = ["x", "Square", "a", "Exp", "b", "Square", "y"]
X = 0.5
A, B, Y = X ** 2, math.exp(X ** 2), math.exp(X ** 2) ** 2  # the values along SQUARES


@figure(480, 232, """A box named x holds the array 1.0. Beside it the same box stands open: after
    new data the array 1.0 is out and the array 2.0 is in.""")
def box(fig):
    """A Variable is a box for data"""
    def cell(x, y, value):
        fig.rect(x - 33, y - 20, 66, 40, "paper", "var-ink", radius=5)
        fig.text(x, y, value, "ink", 18)

    left, right, top, bottom = 104, 376, 94, 184
    for x in (left, right):
        fig.text(x, bottom + 25, "the array is inside" if x == left else "a new array is inside",
                 "soft", 15)
    fig.rect(left - 68, top, 136, bottom - top, "var", radius=10, stroke_width=1.5)
    cell(left, 139, "1.0")
    fig.text(left, 32, "$x$", size=22)
    fig.arrow((left, 46), (left, top), "ink")
    fig.add("path", d=f"M{right - 68} {top}v80q0 10 10 10h116q10 0 10-10v-80",
            cls="dz-edge dz-on-var dz-var-ink", stroke_width=1.5)
    for side in (-1, 1):
        fig.path(f"M{right + side * 68} {top}l{side * 26} -22", "var-ink", 3)
    cell(right, 139, "2.0")
    fig.ghost(right, 40, "1.0", 66, 40, 5, 18)
    fig.arrow((right, 116), (right, 62), "line")
    fig.arrow((left + 68, 139), (right - 68, 139), "accent", gap=8)
    fig.text((left + right) / 2, 118, "`x.data = ...`", size=15)


@figure(520, 230, """The Variable x holds an array of shape (2, 3). The function Square takes the
    array out, forward squares every element, and the result of shape (2, 3) goes into a new
    Variable y.""")
def function(fig):
    """A Function computes on the data and returns a new Variable"""
    data = [[1, 2, 3], [4, 5, 6]]
    for x, name, rows in ((20, "x", data), (388, "y", [[v * v for v in r] for r in data])):
        fig.text(x + 56, 28, f"${name}$", size=22)
        fig.rect(x, 48, 112, 88, "var", radius=10, stroke_width=1.5)
        fig.grid(x + 11, 62, rows, 30)
        fig.text(x + 56, 156, "shape (2, 3)", "soft", 15)
    fig.text(260, 28, "Square", "fun-ink", 18, bold=True)
    fig.rect(192, 48, 136, 88, "fun", radius=10, stroke_width=1.5)
    fig.rect(206, 72, 108, 40, "paper", "fun-ink", radius=6)
    fig.text(260, 92, "`x ** 2`")
    fig.text(260, 156, "forward", "soft", 15)
    fig.arrow((132, 92), (206, 92), "ink")
    fig.arrow((314, 92), (388, 92), "ink")
    for step, above, x, words in ((1, (162, 64), 32, "take the array out"),
                                  (2, (314, 72), 214, "compute"),
                                  (3, (358, 64), 328, "put it in a new box")):
        fig.badge(*above, str(step))
        fig.badge(x, 200, str(step))
        fig.text(x + 18, 200, words, size=15, anchor="start")


@figure(540, 130, """x = 0.5 goes through Square to a = 0.25, through Exp to b = 1.284 and through
    Square to y = 1.649.""")
def composition(fig):
    """Functions connect: one's output is the next one's input"""
    nodes = fig.chain(62, SQUARES)
    for node, value in zip(nodes[::2], (X, A, B, Y)):
        fig.text(node.x, 106, short(value))
    for node, formula in zip(nodes[1::2], ("$x^2$", "$e^a$", "$b^2$")):
        fig.text(node.x, 24, formula, "soft", 18)


@figure(540, 172, """The chain x, Square, a, Exp, b, Square, y. Thin arrows point forward.
    Accented arrows point back: the creator of y is the last Square, the input of that Square is
    b, the creator of b is Exp, and so on to x.""")
def recording(fig):
    """Every Variable remembers its creator, every Function its inputs"""
    nodes = fig.chain(44, SQUARES)
    for i in range(len(nodes) - 1, 0, -1):
        node, before = nodes[i], nodes[i - 1]
        fig.arrow((node.x - 6, 64), (before.x + 6, 64), "accent", bend=13, width=2.2)
        fig.text((node.x + before.x) / 2, 104, "inputs" if i % 2 else "creator", "accent", 15)
    fig.arrow((114, 144), (160, 144), "line")
    fig.text(170, 144, "compute", "soft", 15, "start")
    fig.arrow((336, 144), (290, 144), "accent", width=2.2)
    fig.text(346, 144, "remember", "accent", 15, "start")


@figure(560, 226, """Left: x0, which holds 2.0, and x1, which holds 3.0, go into Mul, which makes
    y, 6.0. Right: the record that Mul is, a slip with three lines. Inputs are x0 and x1, operands
    are 2.0 and 3.0, order is 7. The link from y to Mul is its creator.""")
def record(fig):
    """One function object is the record of one call: who went in, with which arrays, and when"""
    mul, y = fig.fun(142, 104, "Mul", 56), fig.var(236, 104, "y")
    for height, label, value in ((52, "x_0", "2.0"), (156, "x_1", "3.0")):
        x = fig.var(46, height, label)
        fig.link(x, mul)
        fig.text(46, height - 34 if height < 104 else height + 34, value, "soft", 15)
    fig.link(mul, y)
    fig.text(236, 138, "6.0", "soft", 15)
    fig.arrow((226, 82), (158, 80), "accent", bend=-12, width=2.2)
    fig.text(192, 52, "creator", "accent", 15)
    left, top, row = 318, 52, 34
    lines = [("inputs", "($x_0$, $x_1$)"), ("operands", "(2.0, 3.0)"), ("order", "7")]
    height = row * len(lines) + 16
    fig.path(f"M142 126V196H300V{top + height / 2}H{left - 2}", "accent", 1.75, dash=True)
    fig.rect(left, top, 218, height, "paper", "accent", radius=8, stroke_width=1.5)
    for i, (name, value) in enumerate(lines):
        middle = top + 8 + row * (i + 0.5)
        fig.text(left + 16, middle, name, "soft", 15, "start")
        fig.text(left + 100, middle, value, "ink", 18, "start")
    fig.text(left + 109, 192, "the record of this call", "accent", 16)


@figure(520, 190, """Left: Add takes two Variables, x0 and x1, and returns y. Right: Modf takes
    one Variable x and returns two, y0 and y1.""")
def many(fig):
    """Many inputs, many outputs"""
    for left, name, ins, outs, code in (
            (22, "Add", ["x_0", "x_1"], ["y"], "`y = add(x0, x1)`"),
            (282, "Modf", ["x"], ["y_0", "y_1"], "`y0, y1 = modf(x)`")):
        fun = fig.fun(left + 108, 80, name, 64)
        for x, labels in ((left + 24, ins), (left + 192, outs)):
            for i, label in enumerate(labels):
                node = fig.var(x, 80 + (i - (len(labels) - 1) / 2) * 70, label)
                fig.link(*((node, fun) if labels is ins else (fun, node)))
        fig.text(left + 108, 162, code, size=16)
    fig.path("M260 28V162", "line", 1, dash=True)


@figure(500, 320, """The chain x, Square, a, Exp, y. Solid arrows: y holds Exp, Exp holds a, a
    holds Square, Square holds x, and your names x and y hold the two ends. Dashed arrows: a
    function knows its output only weakly. After del y nothing holds y, so y, Exp, a and Square
    are freed one after another, without a cycle; x stays.""")
def memory(fig):
    """Who holds whom: strong links point back only, so nothing goes round in a circle"""
    labels, xs = ["x", "Square", "a", "Exp", "y"], [48, 148, 252, 352, 452]
    widths = [46, 68, 46, 46, 46]

    def named(y, i):
        fig.text(xs[i], y - 62, f"`{labels[i]}`")
        fig.arrow((xs[i], y - 54), (xs[i], y - 20), "ink", width=2.2)

    y = 90
    fig.text(250, y - 62, "`y` is in use", bold=True)
    nodes = [fig.fun(x, y, s, w) if i % 2 else fig.var(x, y, s)
             for i, (x, s, w) in enumerate(zip(xs, labels, widths))]
    named(y, 0)
    named(y, 4)
    for i, (a, b) in enumerate(zip(nodes, nodes[1:])):
        fig.link(b, a, "ink", width=2.2)
        if i % 2:
            fig.arrow((a.x + 8, y + 20), (b.x - 6, y + 20), "line", bend=-12, dash=True)
    fig.arrow((146, 156), (100, 156), "ink", width=2.2)
    fig.text(156, 156, "holds", size=15, anchor="start")
    fig.arrow((272, 156), (318, 156), "line", dash=True)
    fig.text(328, 156, "knows, weakly", "soft", 15, "start")
    fig.path("M24 188H476", "line", 1, dash=True)
    y = 276
    fig.text(250, y - 62, "after `del y` all this is freed", bold=True)
    fig.var(xs[0], y, "x")
    named(y, 0)
    for i in range(1, 5):
        fig.ghost(xs[i], y, labels[i] if i % 2 else f"${labels[i]}$", widths[i], 40,
                  10 if i % 2 else 20, 16 if i % 2 else 20)


# ---------------------------------------------------------------- chapter 01: differences

@figure(480, 350, """The curve of e to the x with its tangent at x and two secants. The secant
    from x to x+h is clearly steeper than the tangent; the secant from x-h to x+h is nearly
    parallel to it.""")
def secant_tangent(fig):
    """Secants and the tangent: the central difference comes closer in slope"""
    h, scale_x, scale_y, x0, y0 = 0.8, 150, 78, 226, 300
    f = math.exp

    def at(x, y):
        return f"{num(x0 + scale_x * x)} {num(y0 - scale_y * y)}"

    def straight(x, slope, left, right, ink):
        ends = [at(t, f(x) + slope * (t - x)) for t in (left, right)]
        fig.path(f"M{ends[0]}L{ends[1]}", ink, 2.2)

    fig.path(f"M24 {y0}H456", "line", 1.5)
    points = [at(i / 20, f(i / 20)) for i in range(-26, 26)]
    for t, label in ((-h, "$x - h$"), (0, "$x$"), (h, "$x + h$")):
        fig.path(f"M{at(t, 0)}L{at(t, f(t))}", "line", 1.2, dash=True)
        fig.text(x0 + scale_x * t, y0 + 24, label, size=19)
    fig.path("M" + "L".join(points), "soft", 2.5)
    forward, central = (f(h) - f(0)) / h, (f(h) - f(-h)) / (2 * h)
    straight(0, forward, -0.42, 1.22, "grad")
    straight(h, central, -1.15, 1.28, "accent")
    straight(0, f(0), -0.88, 1.36, "fun-ink")
    for t in (-h, 0, h):
        fig.add("circle", cx=x0 + scale_x * t, cy=y0 - scale_y * f(t), r=4.5,
                cls="dz-head dz-ink")
    right = x0 + scale_x * h
    fig.arrow((x0 + 40, y0 - 16), (x0, y0 - 16), "soft", width=1.3, head=6)
    fig.arrow((right - 40, y0 - 16), (right, y0 - 16), "soft", width=1.3, head=6)
    fig.text((x0 + right) / 2, y0 - 17, "$h$", size=19)
    for i, (ink, words, slope) in enumerate((
            ("grad", "forward, $x$ to $x + h$", forward),
            ("accent", "central, $x - h$ to $x + h$", central),
            ("fun-ink", "tangent at $x$", f(0)))):
        y = 30 + 26 * i
        fig.path(f"M24 {y}h26", ink, 2.5)
        fig.text(60, y, f"{words}: slope {slope:.2f}", size=15, anchor="start")


@figure(500, 276, """Numerical differentiation of n inputs nudges each input up and down and
    runs the function every time: 2n forward runs. Backpropagation runs forward once and
    backward once.""")
def cost(fig):
    """What a gradient of n inputs costs"""
    n, size = 4, 18

    def run(x, y, mark=None, sign="", back=False):
        """One run of f: n input cells, an arrow, the function."""
        fig.grid(x, y - size / 2, [[sign if i == mark else "" for i in range(n)]], size,
                 edge="grad" if back else "var-ink")
        ends = (x + n * size, y), (x + n * size + 24, y)
        if back:
            fig.arrow(*reversed(ends), "grad", width=2.2)
        else:
            fig.arrow(*ends)
        fig.rect(x + n * size + 24, y - 15, 32, 30, "fun", radius=8)
        fig.text(x + n * size + 40, y - 1, "$f$", "fun-ink", 18)

    fig.text(159, 30, "numerical: $2n$ runs", bold=True)
    for row in range(n):
        y = 74 + 42 * row
        run(22, y, row, "+")
        run(168, y, row, "\u2212")
    fig.path("M317 22V254", "line", 1, dash=True)
    fig.text(408, 30, "backward: $2$ runs", bold=True)
    run(344, 95)
    fig.text(408, 126, "one forward", "soft", 15)
    run(344, 179, back=True)
    fig.text(408, 210, "one backward", "grad", 15)
    fig.text(159, 246, "1,000,000 inputs: 2,000,000 runs", "soft", 15)
    fig.text(408, 246, "still 2 runs", "soft", 15)


# ---------------------------------------------------------------- chapter 02: the walk back

@figure(540, 278, """The chain x, A, a, B, b, C, y. From the right: dy/dy, times dy/db, times
    db/da, times da/dx, gives dy/dx. Each function multiplies what comes from the output by its
    own derivative.""")
def chain_rule(fig):
    """The chain rule, read from the output"""
    for i, (top, bottom) in enumerate((("dy", "dx"), ("dy", "db"), ("db", "da"), ("da", "dx"))):
        x = 174 + 64 * i
        fig.fraction(x, 44, top, bottom, "fun-ink" if i else "grad")
        if i < 3:
            fig.text(x + 32, 44, "$\u00b7$" if i else "$=$", size=20)
    nodes = fig.chain(116, ["x", "A", "a", "B", "b", "C", "y"], 28)
    for node, name in zip(nodes[::2], "xaby"):
        fig.fraction(node.x, 230, "dy", "d" + name, "grad")
    for i in (5, 3, 1):
        before, node, after = nodes[i - 1:i + 2]
        top, bottom = "d" + "xaby"[(i + 1) // 2], "d" + "xaby"[i // 2]
        fig.text(node.x - 22, 182, "$\u00d7$", "fun-ink", 17)
        fig.fraction(node.x + 2, 182, top, bottom, "fun-ink", 17, 13)
        fig.arrow((after.x - 18, 230), (before.x + 18, 230), "grad", width=2.2)


@figure(540, 216, """The chain x, Square, a, Exp, b, Square, y at x = 0.5. Forward the data are
    0.5, 0.25, 1.284 and 1.649. Backward the gradients are 1 at y, 2.568 at b, 3.297 at a and
    3.297 at x.""")
def forward_backward(fig):
    """Forward carries data, backward carries gradients"""
    gb = 2 * B
    ga = gb * B
    gx = ga * 2 * X
    nodes = fig.chain(72, SQUARES)
    data, grads = [short(v) for v in (X, A, B, Y)], [short(v) for v in (gx, ga, gb, 1)]
    for node, value, grad in zip(nodes[::2], data, grads):
        fig.text(node.x, 30, value)
        fig.text(node.x, 148, grad, "grad", bold=True)
    for i, factor in ((5, "2b"), (3, "e^a"), (1, "2x")):
        start, end = (nodes[j].x + side * (5.2 * len(grads[j // 2]) + 3)
                      for j, side in ((i + 1, -1), (i - 1, 1)))
        fig.text((start + end) / 2, 119, f"$\u00d7 {factor}$", "fun-ink", 18)
        fig.arrow((start, 148), (end, 148), "grad", width=2.2)
    fig.text(150, 190, "data", "soft", 15, "end")
    fig.arrow((156, 190), (202, 190), "line")
    fig.arrow((364, 190), (318, 190), "grad", width=2.2)
    fig.text(372, 190, "gradients", "grad", 15, "start")


@figure(536, 316, """dy/dx is a 1 by m row times an m by m matrix times an m by n matrix. From the
    output the row is multiplied first and one row is carried all the way. From the inputs the two
    matrices are multiplied first and n columns are carried, one pass for each input.""")
def direction(fig):
    """Why the walk starts at the output: only a row is carried"""
    m, n, size = 4, 6, 14

    def matrix(x, y, rows, cols, label, ink="fun-ink"):
        w, h = cols * size, rows * size
        lines = "".join(f"M{num(x + i * size)} {num(y - h / 2)}v{h}" for i in range(1, cols))
        lines += "".join(f"M{num(x)} {num(y - h / 2 + i * size)}h{w}" for i in range(1, rows))
        if ink == "grad":
            fig.add("rect", x=x, y=y - h / 2, width=w, height=h, cls="dz-head dz-grad",
                    fill_opacity=".2")
            fig.add("rect", x=x, y=y - h / 2, width=w, height=h, cls="dz-path dz-grad",
                    stroke_width=1.75)
        else:
            fig.rect(x, y - h / 2, w, h, "fun", radius=0, stroke_width=1.5)
        fig.add("path", d=lines, cls=f"dz-edge dz-{ink}", stroke_width=0.75)
        fig.text(x + w / 2, y + 46, label, "soft" if ink != "grad" else "grad", 18)

    for top, words, bracket, carried in (
            (30, "from the output: one row is carried", (24, 154), (314, 1, m, "$1 \u00d7 m$")),
            (184, "from the input: $n$ columns are carried", (98, 256),
             (300, m, n, "$m \u00d7 n$"))):
        y = top + 62
        fig.text(24, top, words, anchor="start", bold=True)
        matrix(24, y, 1, m, "$1 \u00d7 m$")
        matrix(98, y, m, m, "$m \u00d7 m$")
        matrix(172, y, m, n, "$m \u00d7 n$")
        for x in (89, 163):
            fig.text(x, y, "$\u00b7$", size=20)
        fig.path(f"M{bracket[0]} {y - 28}v-8H{bracket[1]}v8", "grad", 1.75)
        fig.arrow((262, y), (294, y), "grad", width=2.2)
        x, rows, cols, label = carried
        matrix(x, y, rows, cols, label, "grad")
        fig.arrow((390, y), (422, y), "grad", width=2.2)
        matrix(428, y, 1, n, "$1 \u00d7 n$", "grad")


@figure(480, 222, """x goes twice into Add, which returns y. Backward each of the two ways brings
    the gradient 1 to the same box x. They are added: x.grad is 2. Overwriting would leave 1.""")
def accumulate(fig):
    """The same Variable twice: its gradients are added"""
    y = 88
    fig.var(64, y, "x")
    add, out = fig.fun(256, y, "Add"), fig.var(416, y, "y")
    for side in (-1, 1):
        fig.arrow((86, y + 7 * side), (222, y + 7 * side))
        fig.arrow((240, y + 20 * side), (76, y + 18 * side), "grad", bend=16 * side, width=2.2)
        fig.text(158, y + 53 * side, "1", "grad", bold=True)
    fig.link(add, out)
    fig.arrow((402, y + 17), (284, y + 20), "grad", bend=12, width=2.2)
    fig.text(343, y + 46, "1", "grad", bold=True)
    fig.text(30, 186, "`x.grad` = 1 + 1 = 2", "grad", anchor="start", bold=True)
    fig.text(450, 186, "overwriting would give 1", "soft dz-struck", anchor="end")


@figure(540, 452, """x, Square, a, then two branches Square to b and Square to c, joined by Add to
    y, at x = 2. The functions carry the numbers of their calls, 0, 1, 2, 3. A stack walks 3, 2, 0:
    a has only half of its gradient, 8 instead of 16, and x gets 32 instead of 64. With the last
    call first the walk is 3, 2, 1, 0: a has 16 and x gets 64.""")
def branches(fig):
    """Branches: the walk must wait until every branch has arrived"""
    x = 2
    a = x * x
    half = 2 * a                                         # what one branch brings to a
    cols = [40, 120, 200, 280, 360, 432, 500]

    def frame(y, title, walked, a_grad, x_grad):
        rows = (y, y, y, y - 40, y - 40, y, y, y + 40, y + 40)
        xs = (*cols, cols[3], cols[4])
        labels = ("x", "Square", "a", "Square", "b", "Add", "y", "Square", "c")
        calls = {1: 0, 3: 1, 7: 2, 5: 3}
        nodes = [fig.fun(x, r, s, 68 if s == "Square" else 52) if i in calls else
                 fig.var(x, r, s, 22, 19) for i, (x, r, s) in enumerate(zip(xs, rows, labels))]
        for i, number in calls.items():
            fig.badge(xs[i] + nodes[i].rx - 4, rows[i] - 20, str(number), "fun-ink")
        for i, j in ((0, 1), (1, 2), (2, 3), (3, 4), (4, 5), (2, 7), (7, 8), (8, 5), (5, 6)):
            function = i if i in calls else j
            if calls[function] in walked:
                fig.link(nodes[j], nodes[i], "grad", width=2.2)
            else:
                fig.link(nodes[i], nodes[j])
        for i, words in {6: "1", 4: "1", 8: "1", 2: a_grad, 0: str(x_grad)}.items():
            fig.text(xs[i], rows[i] + (-34 if i == 4 else 34), words, "grad", 15, bold=True)
        fig.text(24, y - 100, title, anchor="start", bold=True)

    early, right = half * 2 * x, 2 * half * 2 * x        # what x gets from half of it, from all
    frame(130, f"a stack walks 3, 2, 0: $x$ gets {early} too early", (3, 2, 0),
          f"{half} of {2 * half}", early)
    fig.path("M24 224H516", "line", 1, dash=True)
    frame(356, f"the last call first, 3, 2, 1, 0: $x$ gets {right}", (3, 2, 1, 0),
          f"{half}+{half}={2 * half}", right)


@figure(560, 330, """The fork x, Square, a, then two Squares to b and c, Add, y, at x = 2; beside it
    the dictionary of the walk in five rows. At the start y waits with 1. After Add, b and c wait
    with 1 each. After one Square c and a, with 8. After the other a alone, with 8 + 8 = 16. After
    the first Square x is left, with 64.""")
def waiting(fig):
    """What waits in the dictionary during a walk: taken out at its turn, added to where it goes"""
    x = 2
    a = x * x
    half, right = 2 * a, 2 * 2 * a * 2 * x
    cols, y = [46, 122, 198, 274, 350, 426, 502], 76
    rows = {3: y - 34, 4: y - 34, 7: y + 34, 8: y + 34}
    labels = ("x", "Square", "a", "Square", "b", "Add", "y", "Square", "c")
    xs = (*cols, cols[3], cols[4])
    nodes = [fig.fun(xs[i], rows.get(i, y), s, 66 if s == "Square" else 50)
             if s in ("Square", "Add") else fig.var(xs[i], rows.get(i, y), s, 21, 18)
             for i, s in enumerate(labels)]
    for i, j in ((0, 1), (1, 2), (2, 3), (3, 4), (4, 5), (2, 7), (7, 8), (8, 5), (5, 6)):
        fig.link(nodes[j], nodes[i], "grad", width=2)
    steps = [("start", ["y: 1"]), ("after Add", ["b: 1", "c: 1"]),
             ("after a Square", ["b: 1", f"a: {half}"]),
             ("after a Square", [f"a: {half} + {half} = {2 * half}"]),
             ("after Square", [f"x: {right}"])]
    for i, (when, waits) in enumerate(steps):
        middle = 156 + 36 * i
        fig.text(34, middle, when, "soft", 16, "start")
        left = 184
        for words in waits:
            width = 26 + 9 * len(words)
            last = i == len(steps) - 1
            fig.rect(left, middle - 14, width, 28, "paper", "grad" if last else "line", radius=6,
                     stroke_width=1.5)
            name, value = words.split(": ")
            fig.text(left + width / 2, middle, f"${name}$: {value}", "grad" if last else "ink", 16)
            left += width + 14


@figure(480, 254, """Forward a row of shape (1, 3) is stretched to shape (2, 3): the row is used
    twice. Backward the gradient of shape (2, 3) is summed over the rows to shape (1, 3).""")
def unbroadcast(fig):
    """Stretched forward, summed backward"""
    size, left, right = 36, 40, 332
    row, grads = [10, 20, 30], [[1, 2, 3], [4, 5, 6]]
    fig.grid(left, 46, [row], size)
    fig.grid(right, 28, [row, row], size)
    fig.arrow((156, 64), (324, 64), "line")
    fig.text(240, 46, "stretch", "soft")
    fig.grid(left, 176, [[sum(c) for c in zip(*grads)]], size, "grad", "grad")
    fig.grid(right, 158, grads, size, "grad", "grad")
    fig.arrow((324, 194), (156, 194), "grad", width=2.2)
    fig.text(240, 176, "sum the rows", "grad")
    for x, words in ((left, "shape (1, 3)"), (right, "shape (2, 3)")):
        fig.text(x + 54, 122, words, "soft", 15)


@figure(540, 230, """The chain x, Square, a, Exp, b, Square, y with links back. After
    y.unchain_backward() the links from b and a to their creators are cut, the functions behind
    them are gone, and x, a, b and y keep their data.""")
def unchain(fig):
    """unchain_backward cuts the links behind; the data stay"""
    nodes = fig.chain(48, SQUARES, back=True)
    fig.arrow((270, 82), (270, 122), "ink")
    fig.text(284, 100, "`y.unchain_backward()`", anchor="start")
    y = 166
    for i, (node, label) in enumerate(zip(nodes, SQUARES)):
        if i in (1, 3):
            fig.ghost(node.x, y, label, 2 * node.rx, 40, 10)
        elif i == 5:
            fig.fun(node.x, y, label, 2 * node.rx)
        else:
            fig.var(node.x, y, label)
            fig.text(node.x, y + 38, short((X, A, B, Y)[i // 2]))
    for i in (6, 5):
        fig.arrow((nodes[i].left[0], y), (nodes[i - 1].right[0], y), "accent", width=2.2)
    for i in (4, 2):
        x = (nodes[i].left[0] + nodes[i - 1].right[0]) / 2
        fig.path(f"M{num(x - 6)} {y + 10}l6 -20M{num(x)} {y + 10}l6 -20", "grad", 2.2)
    for i in (3, 1):
        fig.path(f"M{num(nodes[i].left[0] - 3)} {y}H{num(nodes[i - 1].right[0] + 3)}", "line",
                 dash=True)


# ---------------------------------------------------------------- chapter 03: operators

@figure(560, 236, """Three panels. Add hands the gradient gy to both inputs as it is. Mul hands each
    input gy times the other input. Neg hands on minus gy.""")
def arithmetic(fig):
    """What the gradient becomes on its way through a sum, a product and a change of sign"""
    panels = [(20, "Add", ["x_0", "x_1"], ["$g_y$", "$g_y$"]),
              (206, "Mul", ["x_0", "x_1"], ["$g_y x_1$", "$g_y x_0$"]),
              (392, "Neg", ["x"], ["$-g_y$"])]
    for left, name, ins, gradients in panels:
        fun, y = fig.fun(left + 88, 112, name, 52), 112
        fig.arrow((left + 148, y), (fun.x + 26, y), "grad", width=2.2)
        fig.text(left + 140, y - 18, "$g_y$", "grad", 18)
        for i, (label, gradient) in enumerate(zip(ins, gradients)):
            side = 0 if len(ins) == 1 else 2 * i - 1
            node = fig.var(left + 20, y + 56 * side, label)
            fig.link(fun, node, "grad", width=2.2)
            fig.text(left + 30, y + (92 if side >= 0 else -92) if side else y + 40, gradient,
                     "grad", 18)
        if left < 380:
            fig.path(f"M{left + 168} 20V216", "line", 1, dash=True)


@figure(560, 168, """Python sees 2.0 - x. First it asks 2.0, with __sub__: it does not know
    Variables and gives up. Then it asks x, with __rsub__, which computes sub(2.0, x).""")
def reflected(fig):
    """Who is asked first in 2.0 - x, and who answers"""
    fig.text(24, 40, "`2.0 - x`", "ink", 20, "start", bold=True)
    for left, method, answer, ink in (
            (24, "`2.0.__sub__(x)`", "gives up: what is a Variable?", "soft"),
            (300, "`x.__rsub__(2.0)`", "`sub(2.0, x)`, a Variable", "accent")):
        fig.rect(left, 68, 236, 76, "paper", ink, radius=8, stroke_width=1.5)
        fig.text(left + 118, 92, method, "ink", 17)
        fig.text(left + 118, 120, answer, ink, 15)
    fig.arrow((260, 106), (300, 106), "accent", width=2.2)


# ---------------------------------------------------------------- chapter 10: networks


@figure(500, 296, """x on the left, a column of hidden units, each with a sigmoid, in the middle,
    y on the right. The lines from x to the units are W1 and b1, those from the units to y are W2
    and b2.""")
def network(fig):
    """A network with one hidden layer"""
    x, y = fig.var(60, 140, "x"), fig.var(440, 140, "y")
    for i, height in enumerate((36, 88, 140, 244)):
        unit = fig.fun(250, height, "$σ$", 44, 36)
        fig.link(x, unit)
        fig.link(unit, y)
        if i == 2:
            for k in range(3):
                fig.add("circle", cx=250, cy=180 + 12 * k, r=2.5, cls="dz-head dz-line")
    fig.text(110, 40, "$W_1$, $b_1$", size=19)
    fig.text(390, 40, "$W_2$, $b_2$", size=19)
    for at, words in ((60, "1 input"), (250, "10 hidden units"), (440, "1 output")):
        fig.text(at, 278, words, "soft", 15)


@figure(560, 316, """Three scores 2, 1, -1 become 7.39, 2.72, 0.37 by the exponential, and the
    probabilities 0.71, 0.26, 0.04 after division by their sum. The right class is the second one.
    Minus the logarithm of its probability is the loss, 1.35. Back come the probabilities, with 1
    subtracted at the right class: 0.71, -0.74, 0.04.""")
def cross_entropy(fig):
    """From scores to a loss, and back"""
    def column(left, values, words, back=False):
        edge = "grad" if back else "var-ink"
        for i, value in enumerate(values):
            fig.rect(left, 56 + 38 * i, 76, 38, "paper", edge, radius=3)
            text = f"{value:.2f}" if isinstance(value, float) else str(value)
            fig.text(left + 38, 75 + 38 * i, text.replace("-", "\u2212"), "grad" if back else "ink")
        fig.text(left + 38, 36, words, "grad" if back else "ink", 18)
        return left + 76

    scores, right = [2, 1, -1], 1
    powers = [math.exp(v) for v in scores]
    shares = [v / sum(powers) for v in powers]
    fig.add("rect", x=16, y=97, width=398, height=32, rx=8, cls="dz-path dz-dash dz-accent",
            stroke_width=1.5)
    a = column(24, scores, "$x$")
    b = column(172, powers, "$e^x$")
    column(330, shares, "$p$")
    fig.arrow((a, 75), (172, 75))
    fig.arrow((b, 75), (330, 75))
    fig.text((a + 172) / 2, 150, "`exp`", size=15)
    fig.text((b + 330) / 2, 150, "/ sum", size=15)
    loss = fig.var(500, 113, "L", 26)
    fig.arrow((414, 113), loss.left)
    fig.text(500, 155, f"{-math.log(shares[right]):.2f}", size=16)
    fig.text(460, 80, "$-log p_t$", size=18)
    fig.text(24, 190, "right class $t$ = 1", "accent", 15, anchor="start")
    slopes = [v - (i == right) for i, v in enumerate(shares)]
    fig.arrow((500, 172), (416, 246), "grad", bend=18, width=2.2)
    for i, value in enumerate(slopes):
        fig.rect(168 + 82 * i, 227, 82, 38, "paper", "grad", radius=3)
        fig.text(209 + 82 * i, 246, f"{value:.2f}".replace("-", "\u2212"), "grad")
    fig.text(150, 246, "gradient of $x$:", "grad", 16, anchor="end")
    fig.text(291, 288, "$p$, with 1 subtracted at the right class", "grad", 15)


# ---------------------------------------------------------------- chapter 12: layers

@figure(470, 308, """A layer named Net at the top. Its attribute first is an Affine layer, and its
    attribute blocks is a list of two. Each Affine holds the Parameters W and b. Under each
    Parameter stands the way to it: first/W, first/b, blocks/0/W, blocks/0/b, blocks/1/W,
    blocks/1/b.""")
def layer_tree(fig):
    """Layers hold layers, the leaves are Parameters, and the way to each is its name"""
    net = fig.fun(230, 36, "Net", 80)
    for x, name in ((80, "first"), (230, "blocks/0"), (380, "blocks/1")):
        layer = fig.fun(x, 150, "Affine", 80)
        fig.link(net, layer)
        if x == net.x:
            fig.text(x + 10, 118, f"`{name}`", "soft", 15, "start")
        else:
            fig.text((x + net.x) / 2, 79, f"`{name}`", "soft", 15, "end" if x < net.x else "start")
        for side, label in ((-36, "W"), (36, "b")):
            leaf = fig.var(x + side, 230, label)
            fig.link(layer, leaf)
            fig.text(x + side, 268 + 22 * (label == "b"), f"`{name}/{label}`", "ink", 15)


@figure(580, 246, """While weights are written, the file model.npz with the old weights stays, and
    the new weights grow in a file of another name beside it. If the program is killed, model.npz
    still holds all the old weights. If it finishes, the new file is renamed, and model.npz holds
    all the new weights.""")
def replacing(fig):
    """A file is replaced as a whole or not at all"""
    def file(x, y, name, words, fill, ghost=False):
        if ghost:
            fig.ghost(x, y, "", 176, 56, 8)
            fig.rect(x - 82, y + 8, 92, 14, "fun", radius=3)
        else:
            fig.rect(x - 88, y - 28, 176, 56, fill, radius=8, stroke_width=1.5)
        fig.text(x, y - 11, f"`{name}`", "ink" if ghost else INK[fill], 15)
        if not ghost:
            fig.text(x, y + 13, words, INK[fill], 15)

    fig.text(124, 26, "while it is written", bold=True)
    file(124, 84, "model.npz", "all the old weights", "var")
    file(124, 176, ".model.npz.7c1e", "", "fun", ghost=True)
    fig.text(124, 220, "the new weights, so far", "soft", 15)
    for y, words, weights, fill in ((84, "killed", "old", "var"), (176, "renamed", "new", "fun")):
        file(456, y, "model.npz", f"all the {weights} weights", fill)
        fig.arrow((224, 130 + (y - 130) * 0.35), (360, y), "accent", gap=6, width=2.2)
        fig.text(300, y - 22 if y < 130 else y + 22, words, "accent", 15)
    fig.text(456, 26, "afterwards", bold=True)


# ---------------------------------------------------------------- chapter 16: batches

ORDER = [7, 2, 9, 0, 4, 1, 8, 5, 3, 6]  # a random order of ten examples


@figure(520, 230, """Ten examples with the numbers 0 to 9. Below the same numbers in random order:
    7 2 9 0, 4 1 8 5 and 3 6 are the three batches of one epoch.""")
def batches(fig):
    """Shuffle, then cut: one epoch"""
    size, top, bottom = 38, 34, 136
    for i in range(10):
        fig.rect(70 + i * size, top, size, size, "paper", "var-ink", radius=3)
        fig.text(70 + (i + 0.5) * size, top + size / 2, str(i))
    fig.arrow((260, top + size), (260, bottom), "accent", gap=8, width=2.2)
    fig.text(274, (top + size + bottom) / 2, "shuffle, cut", "accent", 15, "start")
    for b in range(3):
        part = ORDER[4 * b:4 * b + 4]
        left = 46 + b * (4 * size + 24)
        for i, k in enumerate(part):
            fig.rect(left + i * size, bottom, size, size, "var", radius=3)
            fig.text(left + (i + 0.5) * size, bottom + size / 2, str(k), "var-ink")
        fig.text(left + len(part) * size / 2, bottom + size + 24, f"batch {b}", "soft", 15)


@figure(520, 250, """Twelve examples in a row, cut into three lanes of four that lie below each
    other: 0 1 2 3, 4 5 6 7 and 8 9 10 11. The first batch is the column 0 4 8, the next 1 5 9.""")
def lanes(fig):
    """Cut into lanes, read by columns"""
    size, top, left, width = 34, 28, 56, 66
    for k in range(12):
        fig.rect(left + k * size, top, size, size, "paper", "var-ink", radius=3)
        fig.text(left + (k + 0.5) * size, top + size / 2, str(k))
    for cut in (4, 8):
        fig.path(f"M{left + cut * size} {top - 9}v{size + 18}", "accent", 2.2)
    for j in range(3):
        y = 92 + j * size
        fig.text(left + 74, y + size / 2, f"lane {j}", "soft", 15, "end")
        for i in range(4):
            x = left + 98 + i * (width + 12)
            fig.rect(x, y, width, size, "var", radius=3)
            fig.text(x + width / 2, y + size / 2, str(4 * j + i), "var-ink")
    for i in range(4):
        x = left + 98 + i * (width + 12) + width / 2
        fig.text(x, 92 + 3 * size + 22, f"batch {i}", "soft", 15)


@figure(560, 246, """A circle. The loader gives x to the model and t to the loss. From the loss
    backward computes the gradients, with them update changes the parameters, and with these the
    model meets the next batch.""")
def training_step(fig):
    """One step of training: loss, backward, update, and the next batch"""
    top, bottom = 96, 196
    loader, model, loss = (fig.fun(x, top, name, 92) for x, name in (
        (80, "loader"), (262, "model"), (460, "loss")))
    update, back = fig.fun(262, bottom, "`update`", 92), fig.fun(460, bottom, "`backward`", 104)
    fig.link(loader, model)
    fig.text(172, top - 16, "$x$", size=19)
    fig.link(model, loss)
    fig.text(360, top - 16, "$y$", size=19)
    fig.path(f"M80 {top - 23}V58Q80 44 94 44H446Q460 44 460 58V{top - 34}", "line")
    fig.arrow((460, top - 44), loss.top, "line")
    fig.text(271, 28, "$t$", size=19)
    fig.link(loss, back, "grad", width=2.2)
    fig.link(back, update, "grad", width=2.2)
    fig.text(360, bottom - 16, "gradients", "grad", 15)
    fig.link(update, model, "accent", width=2.2)
    fig.text(250, (top + bottom) / 2, "new parameters", "accent", 15, "end")


@figure(560, 262, """Three time lines. The first is a run without interruption, with checkpoints at
    regular intervals. The second is killed some batches after its second checkpoint. The third
    begins at that checkpoint, computes those batches again, and ends with the same weights.""")
def resume(fig):
    """Killed, and resumed from the last checkpoint"""
    left, step, end = 118, 88, 494
    whole, killed, again = 74, 142, 210
    for y, words in ((whole, "never killed"), (killed, "killed"), (again, "resumed")):
        fig.text(18, y, words, "soft", 15, "start")

    def run(y, start, stop, ink):
        fig.path(f"M{num(start)} {y}H{num(stop)}", ink, 3)
        for i in range(5):
            x = left + i * step
            if start < x <= stop:
                fig.rect(x - 9, y - 9, 18, 18, "var", radius=3, stroke_width=1.5)

    fig.text(left + 2 * step, 30, "checkpoints", "var-ink", 15)
    point, death = left + 2 * step, left + 2.6 * step
    run(whole, left, end - 8, "line")
    run(killed, left, death, "line")
    fig.path(f"M{num(death - 8)} {killed - 8}l16 16m0 -16l-16 16", "grad", 3)
    fig.text(death + 18, killed, "SIGKILL", "grad", 15, "start")
    fig.arrow((point, killed + 9), (point, again - 9), "accent", gap=4, width=2.2)
    fig.rect(point - 9, again - 9, 18, 18, "var", radius=3, stroke_width=1.5)
    run(again, point + 9, end - 8, "accent")
    fig.text((point + death) / 2 + 6, again + 28, "once more", "accent", 15)
    for y in (whole, again):
        fig.arrow((end - 24, y), (end + 12, y), "line" if y == whole else "accent", gap=0, width=3)
    fig.path(f"M{end + 20} {whole}h10v{again - whole}h-10", "ink", 1.5)
    fig.text(end + 42, (whole + again) / 2, "=", size=24)


@figure(560, 348, """Above, four long arrays W, g, m and v lie in memory, and each of ten operations
    takes whole arrays to the processor and back. Below, the arrays are cut into chunks. One
    chunk of each goes into the cache, all ten operations are done there, and it goes back.""")
def in_chunks(fig):
    """All operations on one chunk, then the next chunk"""
    left, width, right = 64, 262, 444
    for top, cuts, words in ((60, 1, "ten times"), (222, 6, "once")):
        for row, name in enumerate(["W", "g", "m", "v"]):
            y = top + 24 * row
            fig.text(left - 20, y + 9, f"${name}$", size=17)
            for i in range(cuts):
                w = width / cuts
                fill = "var" if cuts == 1 or i == 2 else "paper"
                fig.rect(left + w * i, y, w, 18, fill, "var-ink", radius=3)
        fig.text((left + width + right - 36) / 2, top - 14, words, "accent", 15)
        lanes = (8, 24, 40, 56, 72, 88) if cuts == 1 else (34, 60)
        for i, dy in enumerate(lanes):
            ends = (left + width, top + dy), (right - 36, top + dy)
            fig.arrow(*(ends if i % 2 == 0 else ends[::-1]), "accent", gap=6)
        fig.rect(right - 36, top - 4, 128, 98, "fun", radius=10)
        if cuts == 1:
            fig.text(right + 28, top + 44, "one operation", "fun-ink", 15)
        else:
            for row in range(4):
                fig.rect(right - 24, top + 5 + 22 * row, width / 6, 16, "var", radius=3)
            fig.text(right + 56, top + 34, "all", "fun-ink", 15)
            fig.text(right + 56, top + 56, "ten", "fun-ink", 15)
        fig.text(left + width / 2, top - 32, "memory", bold=True)
        fig.text(right + 28, top - 32, "cache", bold=True)


@figure(600, 300, """Twice the same start above the floor of a valley, and the same velocity, which
    leads across the floor. Left, momentum adds the slope of the start, which points down, and ends
    far on the other side. Right, Nesterov follows the velocity first, adds the slope of the place
    ahead, which points back up to the floor, and ends near it.""")
def look_ahead(fig):
    """The slope of the start, and the slope of the place ahead"""
    floor, pull = 170, 0.6
    for left, name, ahead in ((64, "Momentum", False), (364, "Nesterov", True)):
        start, there = (left, 84), (left + 130, 220)
        slope = pull * (floor - (there if ahead else start)[1])
        end = there[0], there[1] + slope
        fig.text(left + 75, 30, name, bold=True, size=17)
        fig.path(f"M{left - 36} {floor}H{left + 200}", "line", dash=True)
        fig.text(left + 200, floor - 12, "floor", "soft", 16, anchor="end")
        fig.arrow(start, there, "fun-ink", gap=0, width=2.4)
        fig.text(*((left + 44, 150) if ahead else (left + 88, 126)), "$μv$", "fun-ink", 20)
        if not ahead:
            fig.arrow(start, (left, start[1] + slope), "grad", gap=0, width=2.4)
            fig.text(left - 8, start[1] + slope / 2, "$-ηg$", "grad", 19, anchor="end")
        fig.arrow(there, (there[0], end[1]), "grad", gap=4, width=2.4, dash=not ahead)
        fig.text(left + 140, there[1] + slope / 2, "$-ηg$", "grad", 19, anchor="start")
        fig.arrow(start, end, "ink", gap=6, width=2.4)
        for x, y in (start, end):
            fig.add("circle", cx=x, cy=y, r=5, cls="dz-head dz-ink")


@figure(560, 216, """Left, an image as Pillow keeps it, an array of shape (2, 4, 3): two rows of
    four pixels, and each pixel holds three numbers R, G, B. Right, the same image as DeZero takes
    it, shape (3, 2, 4): three planes, one for each colour, of two rows and four columns.""")
def axes(fig):
    """From pixels with three colours to three planes"""
    rows, columns = 2, 4
    fig.grid(28, 70, [["RGB"] * columns] * rows, 42)
    fig.arrow((216, 112), (300, 112), "line", width=2.2)
    fig.text(258, 94, "`ToArray`", "soft", 15)
    for i, colour in enumerate("BGR"):
        low = [colour] * columns if i == 2 else [""] * (columns - 1) + [colour]  # rest: hidden
        fig.grid(392 - 36 * i, 48 + 32 * i, [[colour] * columns, low], 32, "fun-ink", "fun-ink")
    for x, words, shape in ((112, "height x width x 3", "(2, 4, 3)"),
                            (424, "3 x height x width", "(3, 2, 4)")):
        fig.text(x, 28, words, bold=True)
        fig.text(x - 40 * (x > 400), 194, f"shape {shape}", "soft", 15)


@figure(560, 318, """Three mirrors. The first knows of no file, the second hangs up after some
    bytes, the third sends the rest. The bytes go to photos.bin.part. If its checksum is right, it
    is renamed to photos.bin.""")
def download(fig):
    """A download: several mirrors, one part file, a check, a new name"""
    left, cut, right = 40, 220, 520
    notes = (("no such file", "grad"), ("hangs up", "grad"), ("sends the rest", "soft"))
    mirrors = [fig.fun(x, 40, f"mirror {i}", 92) for i, x in enumerate((80, 220, 400), 1)]
    for mirror, (words, ink) in zip(mirrors, notes):
        fig.text(mirror.x + (12 if ink == "soft" or words == "hangs up" else 0),
                 78 if words == "no such file" else 92, words, ink, 15,
                 "middle" if words == "no such file" else "start")
    fig.rect(left, 136, cut - left, 36, "var", radius=6, stroke_width=1.5)
    fig.rect(cut, 136, right - cut, 36, "var", radius=6, stroke_width=1.5)
    fig.text((left + cut) / 2, 154, "first 100,000 bytes", "var-ink", 15)
    fig.text((cut + right) / 2, 154, "the others", "var-ink", 15)
    fig.arrow(mirrors[1].bottom, (220 - 30, 136), "line")
    fig.arrow(mirrors[2].bottom, (400 - 20, 136), "line")
    fig.text(right, 188, "`photos.bin.part`", "soft", 15, "end")
    fig.arrow((280, 172), (280, 212), "line")
    check = fig.fun(280, 234, "SHA-256 right?", 140)
    fig.arrow(check.left, (150, 234), "grad")
    fig.text(142, 234, "no: delete", "grad", 15, "end")
    fig.arrow(check.bottom, (280, 282), "line")
    fig.text(294, 269, "yes: rename", "soft", 15, "start")
    fig.text(280, 294, "`photos.bin`", bold=True)


@figure(530, 292, """The data of a dataset are eight rows, its labels another eight. Rows 3 and 7 of
    both are marked. The marked data go through transform and become an array x of two rows, the
    marked labels go through target_transform and become an array t of two.""")
def dataset(fig):
    """What `dataset[[3, 7]]` does"""
    for top, name, call, letter, width, shape in (
            (22, "data", "transform", "x", 76, "shape (2, ...)"),
            (160, "label", "target_transform", "t", 52, "shape (2,)")):
        middle = top + 56
        fig.text(16, middle, name, "var-ink", anchor="start", bold=True)
        for i in range(8):
            y, chosen = top + 14 * i, i in (3, 7)
            if chosen: fig.text(76, y + 6, str(i), size=14, bold=True)
            fig.rect(88, y, width, 12, "var" if chosen else "paper", "var-ink", radius=3)
            if chosen: fig.arrow((88 + width, y + 6), (212, middle))
        fig.fun(286, middle, call, 148)
        fig.arrow((360, middle), (416, middle))
        fig.text(400, middle - 22, f"${letter}$", size=20)
        for k in (0, 1): fig.rect(420, middle - 14 + 15 * k, width, 12, "var", "var-ink", radius=3)
        fig.text(420, middle + 32, shape, "soft", 14, "start")


@figure(560, 134, """The bytes 00 00, then 08 for bytes as numbers, 03 for three axes, 00 00 EA 60
    for 60,000 images, 00 00 00 1C for 28 rows, 00 00 00 1C for 28 columns, then the pixels.""")
def idx(fig):
    """The first bytes of an idx file"""
    lengths = [n.to_bytes(4, "big").hex(" ").upper().split() for n in (60_000, 28, 28)]
    groups = [(["00", "00"], "zeros"), (["08"], "type"), (["03"], "axes"),
              *zip(lengths, ("60,000 images", "28 rows", "28 columns")), (["", "", ""], "pixels")]
    x, size = 17, 27
    for i, (cells, words) in enumerate(groups):
        fig.grid(x, 52, [cells], size, "ink" if i % 2 else "fun-ink",
                 "var-ink" if i % 2 else "fun-ink")
        middle = x + len(cells) * size / 2
        y = 98 if i % 2 else 34
        fig.text(middle, y, words, "var-ink" if i % 2 else "fun-ink", 15)
        x += len(cells) * size + 2


# ---------------------------------------------------------------- chapters 07 to 09: tensors

TABLE = [[1, 2, 3], [4, 5, 6]]


def cells(fig, x, y, rows, size=34, back=False, label=None, above=False):
    """An array with its shape below or above; red if it is a gradient."""
    ink = "grad" if back else "ink"
    node = fig.grid(x, y, rows, size, ink, "grad" if back else "var-ink")
    if label:
        at = y - 16 if above else y + size * len(rows) + 17
        fig.text(node.x, at, label, "grad" if back else "soft", 15)
    return node


@figure(500, 262, """x holds an array of shape (2, 3). It goes through f into one number, L = 91.
    Back comes an array of the same shape (2, 3): one derivative for each element of x.""")
def tensor_grad(fig):
    """The gradient of an array has the shape of the array"""
    x = cells(fig, 40, 44, TABLE, label="`x`, shape (2, 3)", above=True)
    f = fig.fun(272, x.y, "sum of squares", 144)
    total = sum(v * v for row in TABLE for v in row)
    out = fig.var(424, x.y, "L", 26)
    fig.text(424, x.y + 40, str(total), "soft", 15)
    fig.link(x, f)
    fig.link(f, out)
    gx = cells(fig, 40, 150, [[2 * v for v in row] for row in TABLE], back=True,
               label="`x.grad`, shape (2, 3)")
    fig.arrow((416, 136), (gx.right[0] + 4, gx.y), "grad", bend=-14, width=2.2)
    fig.text(310, 206, "each number: how much $L$ moves", "grad", 15)
    fig.text(310, 228, "when this one element moves", "grad", 15)


@figure(380, 392, """A number, shape (). A row of three numbers, shape (3,): axis 0 goes along it. A
    table of two rows, shape (2, 3): axis 0 goes down, axis 1 along the rows. A stack of two such
    tables, shape (2, 2, 3): axis 0 goes from table to table, axis 1 down, axis 2 along the
    rows.""")
def tensors(fig):
    """Arrays with no axis, one, two and three, and where their axes go"""
    size = 32

    def axis(start, end, i, dx=0, dy=0):
        fig.arrow(start, end, "fun-ink", gap=0, width=2)
        fig.text((start[0] + end[0]) / 2 + dx, (start[1] + end[1]) / 2 + dy, str(i), "fun-ink", 16)

    fig.grid(92, 78, [[5]], size)
    fig.grid(228, 78, [[1, 2, 3]], size)
    fig.grid(60, 254, TABLE, size)
    for step in (2, 1):
        rows: list[list] = [[v + 6 * (step - 1) for v in row] for row in TABLE]
        if step == 2:
            rows[1] = [""] * 3  # hidden behind the first table
        fig.grid(214 + 28 * (step - 1), 278 - 46 * (step - 1), rows, size)
    axis((228, 64), (324, 64), 0, dy=-12)
    axis((60, 240), (156, 240), 1, dy=-12)
    axis((46, 254), (46, 318), 0, dx=-12)
    axis((242, 218), (338, 218), 2, dy=-12)
    axis((200, 278), (200, 342), 1, dx=-12)
    axis((324, 340), (352, 304), 0, dx=12, dy=8)
    for x, y, word, shape in ((108, 30, "number", "()"), (276, 30, "vector", "(3,)"),
                              (108, 184, "table", "(2, 3)"), (276, 184, "stack", "(2, 2, 3)")):
        fig.text(x, y, word, bold=True)
        fig.text(x, 132 if y == 30 else 366, shape, "soft", 16)


@figure(540, 292, """Left: reshape turns shape (2, 3) into (3, 2), row after row, and the gradient
    of shape (3, 2) goes back to shape (2, 3) the same way. Right: transpose turns rows into
    columns, and transposing the gradient puts every number back to its element.""")
def places(fig):
    """Reshape and transpose: the gradient goes back to where its element stood"""
    size = 28
    for left, word, turn in (
            (24, "reshape", lambda t: [[1, 2], [3, 4], [5, 6]]),
            (290, "transpose", lambda t: [list(c) for c in zip(*t)])):
        y = turn(TABLE)
        fig.text(left + 114, 26, word, bold=True)
        a = cells(fig, left, 58, TABLE, size, label="$x$")
        b = cells(fig, left + 170, 44, y, size)
        fig.text(b.x, 140, "$y$", "soft", 15)
        fig.arrow(a.right, b.left)
        c = cells(fig, left, 182, [[10 * v for v in r] for r in TABLE], size, back=True)
        d = cells(fig, left + 170, 168, [[10 * v for v in r] for r in y], size, back=True)
        fig.text(c.x, 254, "$g_x$", "grad", 18)
        fig.text(d.x, 268, "$g_y$", "grad", 18)
        fig.arrow(d.left, c.right, "grad", width=2.2)
    fig.path("M270 24V268", "line", 1, dash=True)


@figure(540, 226, """Left: x holds a, b, c, d. Picked at the places 0, 0, 2 it gives a, a, c. Right:
    the gradients 10, 20, 30 go back the same way. 10 and 20 both come to the first place and add
    up to 30, 30 comes to the third, and the other two places get 0.""")
def index_back(fig):
    """An element that is picked twice gets two gradients, and they are added"""
    size, picked, gy = 44, (0, 0, 2), (10, 20, 30)
    gx = [sum([g for i, g in zip(picked, gy) if i == place]) for place in range(4)]
    for left, back in ((34, False), (304, True)):
        ink = "grad" if back else "line"
        cells(fig, left, 52, [gx if back else "abcd"], size, back)
        cells(fig, left + size / 2, 146, [gy if back else ["abcd"[i] for i in picked]], size, back)
        for place, i in enumerate(picked):
            top = (left + (i + 0.5) * size + (place - 0.5) * 18 * (i == 0), 52 + size)
            bottom = (left + (place + 1) * size, 146)
            fig.arrow(*((bottom, top) if back else (top, bottom)), ink, width=2.2 if back else 1.75)
        fig.text(left + 2 * size, 28, "$g_x$" if back else "$x$", "grad" if back else "soft", 18)
        fig.text(left + 2 * size, 208, "`gy`" if back else "`x[[0, 0, 2]]`",
                 "grad" if back else "soft", 15)
    fig.path("M270 24V202", "line", 1, dash=True)


@figure(540, 300, """Above: a of shape (2, 2) and b of shape (2, 1) are joined along axis 1 to a
    table of shape (2, 3). Below: its gradient of shape (2, 3) is cut at the same place. The first
    two columns are the gradient of a, the last one is that of b.""")
def join_back(fig):
    """A joint forward, a cut backward"""
    a, b, size = [[1, 2], [4, 5]], [[3], [6]], 34
    both = [r + s for r, s in zip(a, b)]
    for y, back, tens in ((48, False, 1), (182, True, 10)):
        scaled = [[[tens * v for v in row] for row in rows] for rows in (a, b, both)]
        names = ("`ga`", "`gb`", "`gy`") if back else ("`a`", "`b`", "`concat([a, b], axis=1)`")
        first = cells(fig, 36, y, scaled[0], size, back, f"{names[0]}  (2, 2)")
        second = cells(fig, 152, y, scaled[1], size, back, f"{names[1]}  (2, 1)")
        out = cells(fig, 376, y, scaled[2], size, back, f"{names[2]}  (2, 3)" if back else "(2, 3)")
        if back:
            fig.path(f"M{376 + 2 * size} {y - 12}V{y + 2 * size + 6}", "grad", 2, dash=True)
            fig.arrow(out.left, second.right, "grad", width=2.2)
            fig.text((out.left[0] + second.right[0]) / 2, y + 14, "cut", "grad", 15)
        else:
            fig.text(out.x, y - 20, names[2], size=15)
            fig.arrow(second.right, out.left)
            fig.text((out.left[0] + second.right[0]) / 2, y + 14, "join", size=15)
        for node in (first,):
            fig.text((node.right[0] + second.left[0]) / 2, node.y, ",", "grad" if back else "ink")
    fig.path("M24 152H516", "line", 1, dash=True)


@figure(540, 290, """Forward: the rows of x, shape (2, 3), are added to y, shape (3,). Backward: the
    gradient, shape (3,), gets its axis back, shape (1, 3), and is repeated to shape (2, 3).""")
def sum_back(fig):
    """A sum forward, a stretch backward"""
    x = cells(fig, 24, 40, TABLE, label="`x`  (2, 3)")
    y = cells(fig, 408, 57, [[sum(c) for c in zip(*TABLE)]], label="`y`  (3,)")
    fig.arrow(x.right, y.left)
    fig.text((x.right[0] + y.left[0]) / 2, x.y - 18, "`sum(axis=0)`", size=15)
    gy = [10, 20, 30]
    g = cells(fig, 408, 201, [gy], back=True, label="`gy`  (3,)")
    k = cells(fig, 216, 201, [gy], back=True, label="(1, 3)")
    gx = cells(fig, 24, 184, [gy, gy], back=True, label="`gx`  (2, 3)")
    fig.arrow(g.left, k.right, "grad", width=2.2)
    fig.arrow(k.left, gx.right, "grad", width=2.2)
    fig.text((g.left[0] + k.right[0]) / 2, 174, "axis back", "grad", 15)
    fig.text((k.left[0] + gx.right[0]) / 2, 174, "repeat", "grad", 15)


@figure(540, 330, """x of shape (2, 1) is repeated along axis 1, b of shape (3,) becomes (1, 3) and
    is repeated along axis 0. Both have shape (2, 3) and are added. Backward the gradient of shape
    (2, 3) is summed over axis 1 for x and over axis 0 for b.""")
def stretch_both(fig):
    """Both operands of a sum are stretched"""
    size, col, row = 30, [10, 20], [1, 2, 3]
    a = cells(fig, 40, 40, [[v] for v in col], size, label="`x`  (2, 1)", above=True)
    b = cells(fig, 24, 164, [row], size, label="`b`  (3,)")
    b1 = cells(fig, 164, 164, [row], size, label="(1, 3)")
    big = cells(fig, 304, 40, [[v] * 3 for v in col], size, label="(2, 3)", above=True)
    big2 = cells(fig, 304, 149, [row, row], size, label="(2, 3)")
    out = cells(fig, 430, 94, [[v + w for w in row] for v in col], size, label="`x + b`")
    fig.arrow(a.right, big.left)
    fig.text((a.right[0] + big.left[0]) / 2, a.y - 16, "repeat along axis 1", size=15)
    fig.arrow(b.right, b1.left)
    fig.arrow(b1.right, big2.left)
    fig.text(276, b.y - 46, "repeat", size=15)
    fig.text(139, b.y - 34, "new axis", size=15)
    fig.arrow((big.right[0], big.y + 10), (out.left[0], out.y - 12))
    fig.arrow((big2.right[0], big2.y - 10), (out.left[0], out.y + 12))
    for y, words in (
            (258, "for $x$: summed over axis 1, (2, 3) \u2192 (2, 1)"),
            (292, "for $b$: summed over axis 0, (2, 3) \u2192 (1, 3) \u2192 (3,)")):
        fig.arrow((62, y), (28, y), "grad", width=2.2)
        fig.text(76, y, words, "grad", 16, "start")


@figure(540, 250, """x of shape (2, 3), W of shape (3, 4), y = x @ W of shape (2, 4). One element of
    x, in row i and column j, is marked. It is multiplied by every element of row j of W, and the
    products go into row i of y.""")
def matmul_element(fig):
    """Where one element of x goes in a matrix product"""
    size, i, j = 32, 0, 1

    def matrix(x, y, rows, cols, mark, label):
        fig.grid(x, y, [[""] * cols] * rows, size)
        for r, c in mark:
            fig.rect(x + c * size, y + r * size, size, size, "var", radius=3)
        fig.text(x + cols * size / 2, y + rows * size + 20, label, size=17)
        return Node(x + cols * size / 2, y + rows * size / 2, cols * size / 2, rows * size / 2)

    a = matrix(36, 72, 2, 3, [(i, j)], "$x$")
    b = matrix(180, 56, 3, 4, [(j, c) for c in range(4)], "$W$")
    y = matrix(382, 72, 2, 4, [(i, c) for c in range(4)], "$y$")
    fig.text(146, 104, "`@`", size=18)
    fig.text((b.right[0] + y.left[0]) / 2, 104, "$=$", size=20)
    fig.text(24, 72 + size / 2, "$i$", "soft", 17)
    fig.text(36 + 1.5 * size, 56, "$j$", "soft", 17)
    fig.text(168, 56 + 1.5 * size, "$j$", "soft", 17)
    fig.text(370, 72 + size / 2, "$i$", "soft", 17)
    fig.text(b.x, 28, "row $j$ of $W$", "var-ink", 16)
    fig.text(y.x, 28, "row $i$ of $y$", "var-ink", 16)
    fig.text(a.x, 28, "one element", "var-ink", 16)
    fig.text(270, 200, "$x_{ij}$ goes into $y_{ik}$ for every $k$, each time with $W_{jk}$",
             size=18)
    fig.text(270, 228, "its gradient: row $i$ of $g_y$ times row $j$ of $W$, added up", "grad", 18)


@figure(540, 456, """Three matrix products with n = 2, d = 3, m = 4. y = x @ W: (n, d) times (d, m)
    is (n, m). gx = gy @ W.T: (n, m) times (m, d) is (n, d). gW = x.T @ gy: (d, n) times (n, m) is
    (d, m).""")
def matmul_shapes(fig):
    """The shapes of a matrix product and of its two gradients"""
    size, lengths, columns = 22, {"n": 2, "d": 3, "m": 4}, (56, 216, 384)

    def matrix(x, y, label, shape):
        rows, cols = [lengths[c] for c in shape]
        edge, half = "grad" if "g_" in label else "var-ink", rows * size / 2
        fig.grid(x, y - half, [[""] * cols] * rows, size, edge=edge)
        fig.text(x + cols * size / 2, y - half - 17, label, edge, 18)
        fig.text(x + cols * size / 2, y + half + 16, f"$({shape[0]}, {shape[1]})$", "soft", 15)
        return x + cols * size

    for y, product in ((76, (("$x$", "nd"), ("$W$", "dm"), ("$y$", "nm"))),
                       (230, (("$g_y$", "nm"), ("$W^T$", "md"), ("$g_x$", "nd"))),
                       (384, (("$x^T$", "dn"), ("$g_y$", "nm"), ("$g_W$", "dm")))):
        ends = [matrix(x, y, *it) for x, it in zip(columns, product)]
        for end, start, sign in zip(ends, columns[1:], ("`@`", "$=$")):
            fig.text((end + start) / 2, y, sign, size=18)
    for y in (146, 314):
        fig.path(f"M24 {y}H516", "line", 1, dash=True)


@figure(540, 250, """Three rows. x with the letters ij times W with jk is y with ik. gy with ik
    times W with jk is gx with ij: gy and x have exchanged places. x with ij times gy with ik is gW
    with jk: gy and W have exchanged places.""")
def einsum_exchange(fig):
    """The gradient of an einsum: two terms change places"""
    rows = ((("x", "ij"), ("W", "jk"), ("y", "ik")), (("g_y", "ik"), ("W", "jk"), ("g_x", "ij")),
            (("x", "ij"), ("g_y", "ik"), ("g_W", "jk")))
    for y, row, text in zip((52, 128, 204), rows,
                            ("`ij,jk->ik`", "`ik,jk->ij`", "`ij,ik->jk`")):
        for x, (name, letters) in zip((64, 158, 262), row):
            back = name.startswith("g")
            fig.rect(x - 34, y - 22, 68, 44, "paper" if back else "var", "grad" if back else None)
            fig.text(x, y - 1, f"${name}$", "grad" if back else "var-ink", 20)
            fig.text(x, y - 33, f"`{letters}`", "grad" if back else "soft", 16)
        fig.text(210, y, "$=$", size=20)
        fig.text(111, y, "\u00b7", size=20)
        fig.text(420, y, text, "grad" if y > 52 else "ink", 20)


@figure(500, 220, """The maximum of each row: 7 for the row 1, 7, 2 and 5 for the row 5, 0, 5.
    Backward the gradient 10 goes to the 7 alone, and the gradient 20 is shared by the two fives.
    Each of them gets 10.""")
def max_back(fig):
    """The gradient of a maximum goes to the winner, and equal winners share it"""
    rows, gy = [[1, 7, 2], [5, 0, 5]], [10, 20]
    a = cells(fig, 40, 30, [["" if v == max(r) else v for v in r] for r in rows])
    for r, c in ((0, 1), (1, 0), (1, 2)):
        fig.rect(40 + 34 * c, 30 + 34 * r, 34, 34, "var", radius=3)
        fig.text(40 + 34 * (c + 0.5), 30 + 34 * (r + 0.5), str(rows[r][c]), size=15)
    y = cells(fig, 400, 30, [[max(r)] for r in rows])
    fig.arrow(a.right, y.left)
    fig.text(270, a.y - 18, "`max(axis=1)`", size=15)
    gx = [[g * (v == max(r)) // r.count(max(r)) for v in r] for r, g in zip(rows, gy)]
    b = cells(fig, 40, 130, gx, back=True)
    g = cells(fig, 400, 130, [[v] for v in gy], back=True)
    fig.arrow(g.left, b.right, "grad", width=2.2)
    fig.text(270, b.y - 18, "to the winners", "grad", 15)


@figure(540, 310, """An image of 5 by 5 pixels with a border of one pixel. A window of 3 by 3 lies
    in its corner; the next lies two pixels further. The result has 3 by 3 pixels, one for each
    window.""")
def conv_windows(fig):
    """Windows on an image, and the pixels of the result"""
    size, x, y = 32, 36, 38
    fig.grid(x, y, [[""] * 7] * 7, size, edge="line")
    fig.rect(x, y, 3 * size, 3 * size, "var", radius=3, fill_opacity=".75")
    fig.add("rect", x=x + 2 * size, y=y, width=3 * size, height=3 * size, rx=3,
            cls="dz-path dz-fun-ink", stroke_width=2.5)
    fig.add("rect", x=x + size, y=y + size, width=5 * size, height=5 * size, rx=3,
            cls="dz-path dz-ink", stroke_width=2)
    fig.text(x + 1.5 * size, 20, "first window", "var-ink", 15)
    fig.text(x + 4.5 * size, 20, "the next", "fun-ink", 15)
    fig.text(x + 3.5 * size, 284, "5 pixels, and 1 on each side", "soft", 15)
    result = 372, y + 2 * size
    fig.grid(*result, [[""] * 3] * 3, size)
    fig.rect(*result, size, size, "var", radius=3)
    fig.rect(result[0] + size, result[1], size, size, "fun", radius=3)
    fig.text(result[0] + 1.5 * size, result[1] - 20, "one pixel for each window", size=15)
    fig.text(result[0] + 1.5 * size, 284, "$(5 + 2 - 3) / 2 + 1 = 3$", size=17)
    fig.arrow((x + 7 * size + 12, y + 3.5 * size), (result[0] - 12, y + 3.5 * size))


@figure(540, 300, """An image of 3 by 3 pixels, numbered from 0 to 8, and its four windows of 2 by
    2 as the rows of a matrix: 0 1 3 4, 1 2 4 5, 3 4 6 7, 4 5 7 8. The pixel 4 in the middle stands
    in every row; the gradients of these places are added and go back to it.""")
def im2col(fig):
    """Windows become the rows of a matrix, and their gradients go back to the pixels"""
    size, x, y = 36, 40, 96
    rows = [(0, 1, 3, 4), (1, 2, 4, 5), (3, 4, 6, 7), (4, 5, 7, 8)]
    fig.grid(x, y, [[0, 1, 2], [3, "", 5], [6, 7, 8]], size)
    left, top = 300, 78
    fig.grid(left, top, [["" if n == 4 else n for n in row] for row in rows], size)
    for r, row in enumerate(rows):
        c = row.index(4)
        fig.rect(left + c * size, top + r * size, size, size, "var", radius=3)
        fig.text(left + (c + 0.5) * size, top + (r + 0.5) * size, "4", "var-ink", 15)
    fig.rect(x + size, y + size, size, size, "var", radius=3)
    fig.text(x + 1.5 * size, y + 1.5 * size, "4", "var-ink", 15)
    fig.text(x + 1.5 * size, y - 20, "image", "soft", 15)
    fig.text(left + 2 * size, top - 20, "a row for each window", "soft", 15)
    fig.arrow((x + 3 * size + 10, y + size), (left - 10, y + size))
    fig.text((x + 3 * size + left) / 2, y + size - 16, "`im2col`", "fun-ink", 15)
    fig.arrow((left - 10, y + 2 * size), (x + 3 * size + 10, y + 2 * size), "grad")
    fig.text((x + 3 * size + left) / 2, y + 2 * size + 18, "`col2im`", "grad", 15)
    fig.text(270, 260, "back: a pixel gets the sum of what stands in its places", "grad", 17)


@figure(540, 300, """A triangle of x, W and y. From x and W conv2d finds y. From W and y deconv2d
    finds x. From x and y Conv2DGradW finds W.""")
def conv_three(fig):
    """Three functions, each the derivative of the other two"""
    x, w, y = fig.var(80, 70, "x"), fig.var(460, 70, "W"), fig.var(270, 240, "y")
    down = fig.fun(270, 150, "`conv2d`", 96)
    fig.link(x, down)
    fig.link(w, down)
    fig.link(down, y)
    fig.text(270, 28, "from two of them, the gradient of the third", "grad", 17)
    fig.arrow(y.left, x.bottom, "grad", bend=-36)
    fig.text(74, 190, "`deconv2d`", "grad", 15)
    fig.text(84, 214, "from $g_y$ and $W$", "grad", 18)
    fig.arrow(y.right, w.bottom, "grad", bend=36)
    fig.text(462, 190, "`Conv2DGradW`", "grad", 15)
    fig.text(456, 214, "from $x$ and $g_y$", "grad", 18)


@figure(560, 292, """Two boxes, joined by a narrow bus. The left one, main memory, holds files, the
    data and your program. The right one, the memory of the GPU, holds weights, gradients and what
    the optimizer keeps. A batch goes to the right in each step, and the loss, one number, comes
    back.""")
def bus(fig):
    """Two memories and the bus between them"""
    for x, title, cores, parts in (
            (20, "main memory", "a few fast cores", ("data and files", "your program")),
            (350, "memory of the GPU", "thousands of cores",
             ("weights `W`, `b`", "their gradients", "what Adam keeps"))):
        fig.text(x + 95, 24, title, bold=True)
        fig.rect(x, 44, 190, 186, "paper", "line")
        for i, part in enumerate(parts):
            fig.rect(x + 15, 62 + 54 * i, 160, 40, "var", radius=6, stroke_width=1.5)
            fig.text(x + 95, 82 + 54 * i, part, "var-ink", 15)
        fig.rect(x, 248, 190, 36, "fun", radius=6, stroke_width=1.5)
        fig.text(x + 95, 266, cores, "fun-ink", 15)
        fig.path(f"M{x + 95} 230v18", "line", 6)
    fig.path("M210 120h140M210 168h140", "line", 2.5)
    fig.text(280, 60, "the bus", "soft", 15)
    fig.text(280, 104, "a batch", size=15)
    fig.arrow((212, 134), (348, 134), "line")
    fig.arrow((348, 154), (212, 154), "grad")
    fig.text(280, 184, "the loss", "grad", 15)


# ---------------------------------------------------------------- chapter 21: vision

@figure(572, 236, """A digit of 8 by 8 pixels becomes 16 maps of 8 by 8 by filters of 3 by 3, then
    32 maps of 8 by 8 by filters of 3 by 3, then 32 maps of 4 by 4 by pooling, then 64 numbers and
    10 scores by Linear layers.""")
def convnet(fig):
    """Layers of filters find more and more, pooling makes it smaller, Linear layers decide"""
    def maps(x, count, side, words, size):
        for i in reversed(range(count)):
            fig.rect(x + 7 * i, 96 - side / 2 + 7 * i - 3.5 * count, side, side, "var", radius=3)
        middle = x + (side + 7 * (count - 1)) / 2
        fig.text(middle, 168, words, size=15)
        fig.text(middle, 188, size, "soft", 15)
        return x + side + 7 * (count - 1)

    def numbers(x, count, words):
        height = 13 * count
        for i in range(count):
            fig.rect(x, 96 - height / 2 + 13 * i, 14, 13, "var", radius=2)
        fig.text(x + 7, 168, words, size=15)

    def step(x0, x1, words):
        fig.arrow((x0 + 6, 96), (x1 - 6, 96), "fun-ink")
        fig.text((x0 + x1) / 2, 216, words, "fun-ink", 15)

    a = maps(16, 1, 64, "1 image", "8 x 8")
    b = maps(122, 4, 64, "16 maps", "8 x 8")
    c = maps(254, 5, 64, "32 maps", "8 x 8")
    d = maps(390, 5, 32, "32 maps", "4 x 4")
    numbers(494, 9, "64")
    numbers(540, 5, "10")
    step(a, 122, "filters")
    step(b, 254, "filters")
    step(c, 390, "pooling")
    step(d, 494, "Linear")
    fig.arrow((511, 96), (537, 96), "fun-ink", head=6)


@figure(560, 368, """Left, a plain block: x goes through conv, relu and conv, and f(x) comes out.
    Right, a residual block: x goes through the same layers, and also past them, and both are
    added to x + f(x). The gradient of the sum goes back along the second way unchanged.""")
def residual(fig):
    """A residual block adds to x; along the second way the gradient comes back unchanged"""
    def block(x, title, result, past):
        fig.text(x, 28, title, bold=True)
        nodes = [fig.var(x, 66, "x"), *[fig.fun(x, y, name, 84)
                                        for y, name in ((132, "conv"), (196, "relu"),
                                                        (260, "conv"))]]
        if past:
            nodes.append(fig.fun(x, 324, "+", 46))
        for a, b in zip(nodes, nodes[1:]):
            fig.link(a, b)
        end = nodes[-1]
        if not past:
            fig.arrow(end.bottom, (x, 324), "line")
            return fig.text(x, 338, result, size=19)
        fig.arrow(end.right, (x + 76, 324), "line")
        fig.text(x + 84, 324, result, size=19, anchor="start")
        fig.path(f"M{x - 23} 66H{x - 84}V324H{x - 32}", "line", 1.75)
        fig.arrow((x - 40, 324), (x - 23, 324), "line")
        fig.path(f"M{x - 30} 338H{x - 98}V56H{x - 32}", "grad", 2.2)
        fig.arrow((x - 40, 56), (x - 20, 56), "grad", width=2.2)
        fig.text(x - 108, 188, "gradient,", "grad", 15, "end")
        fig.text(x - 108, 208, "unchanged", "grad", 15, "end")

    block(104, "a plain block", "$f(x)$", False)
    block(390, "a residual block", "$x + f(x)$", True)


@figure(560, 176, """A bottleneck: x with 256 channels goes through filters of 1 by 1 to 64
    channels, through filters of 3 by 3 that keep 64, and through filters of 1 by 1 back to 256.
    x itself goes past them and is added.""")
def bottleneck(fig):
    """A bottleneck: the expensive 3 by 3 filters see only a quarter of the channels"""
    x, plus = fig.var(44, 84, "x"), fig.fun(516, 84, "+", 46)
    nodes = [x, fig.fun(160, 84, "1 x 1", 72), fig.fun(280, 84, "3 x 3", 72),
             fig.fun(400, 84, "1 x 1", 72), plus]
    for (a, b), channels in zip(zip(nodes, nodes[1:]), ("256", "64", "64", "256")):
        fig.link(a, b, width=1 + 3 * (channels == "256"), head=12 if channels == "256" else 9)
        fig.text((a.x + a.rx + b.x - b.rx) / 2, 58, channels, "soft", 15)
    fig.path("M44 104V142H516V112", "line", 4)
    fig.arrow((516, 122), (516, 104), "line", width=4, head=12)
    fig.text(280, 160, "$x$ itself, 256 channels", "soft", 15)


@figure(520, 300, """Q with one row marked, K with five rows. The row of Q and every row of K make
    one row of five scores. A softmax makes a row of five weights of it. The weights and the five
    rows of V make one row of the result.""")
def attention(fig):
    """From a query to its answer"""
    size = 26

    def table(x, y, rows, cols, mark, label, shape):
        fig.grid(x, y, [[""] * cols] * rows, size)
        for row in mark:
            fig.rect(x, y + row * size, cols * size, size, "var", radius=3)
        fig.text(x + cols * size / 2, y - 17, label, size=18)
        fig.text(x + cols * size / 2, y + rows * size + 16, shape, "soft", 15)

    every = range(5)
    table(24, 64, 3, 4, [1], "$Q$", "$(T, d)$")
    table(160, 64, 5, 4, every, "$K$", "$(S, d)$")
    table(450, 64, 5, 2, every, "$V$", "$(S, e)$")
    for y, words in ((104, "$Q K^T / √d$"), (174, "softmax")):
        for i, share in enumerate((0.1, 0.5, 0.1, 0.2, 0.1)):
            fig.rect(292 + size * i, y, size, size, "fun", radius=3,
                     fill_opacity=1 if y < 150 else 0.25 + 1.5 * share)
        fig.text(357, y - 16, words, size=20 if "$" in words else 16)
    fig.arrow((268, 117), (288, 117))
    fig.arrow((357, 132), (357, 146))
    for i in range(2):
        fig.rect(380 + size * i, 250, size, size, "var", radius=3)
    fig.text(372, 263, "one row of the result, $(T, e)$", "ink", 16, "end")
    fig.arrow((357, 204), (392, 246))
    fig.arrow((446, 190), (424, 246))


@figure(540, 260, """A row of twelve numbers is cut into three pieces of four. Each goes through an
    attention of its own. The three results stand side by side and go through a linear layer.""")
def heads(fig):
    """Several heads side by side"""
    size, fills = 24, ("var", "fun", "paper")
    for y, words in ((24, "one place, $E$ numbers"), (176, "side by side, then mixed")):
        for i in range(12):
            fig.rect(30 + size * i, y, size, size, fills[i // 4], radius=3)
        fig.text(334, y + 12, words, "soft", 15, "start")
    for i in range(3):
        x = 30 + 4 * size * i + 2 * size
        box = fig.fun(x, 112, f"head {i + 1}", 84, 36)
        fig.arrow((x, 50), box.top)
        fig.arrow(box.bottom, (x, 172))
    fig.text(334, 112, "each with $E / h$ numbers", "soft", 15, "start")
    linear = fig.fun(174, 234, "linear", 84, 32)
    fig.arrow((174, 202), linear.top)


@figure(500, 388, """A block. A line goes up from x to the output. Twice a branch leaves it, goes
    through a norm and through something that computes, and is added to the line: attention
    first, which looks at the places before, then linear, gelu and linear, at each place alone.""")
def block(fig):
    """A block: twice something is computed beside the line, and added to it"""
    line = 96
    fig.path(f"M{line} 340V214M{line} 182V76", "accent", 2.6)
    fig.arrow((line, 44), (line, 28), "accent", gap=0, width=2.6)
    fig.text(line + 16, 24, "to the next block", "soft", 15, "start")
    fig.var(line, 360, "x")

    def half(low, name, width, words):
        high = low - 116
        norm, work = fig.fun(220, low, "norm", 76, 36), fig.fun(220, low - 58, name, width, 36)
        fig.arrow((line, low), norm.left)
        fig.link(norm, work)
        fig.path(f"M220 {low - 76}V{high + 10}Q220 {high} 210 {high}H{line + 26}", "line")
        fig.arrow((line + 30, high), (line + 16, high), "line", gap=2)
        fig.add("circle", cx=line, cy=high, r=16, cls="dz-edge dz-on-paper dz-ink",
                stroke_width=1.5)
        fig.text(line, high - 1, "+", size=22)
        for i, text in enumerate(words):
            fig.text(340, low - 68 + 21 * i, text, "soft", 15, "start")

    half(314, "attention", 108, ("fetches from the", "places before"))
    half(176, "linear, gelu, linear", 180, ("computes with it,", "each place alone"))


STAGES = (
    ("automatic derivatives", "00 core, 01 numdiff, 02 backprop, 02b gradcheck"),
    ("natural expressions", "03 operators"),
    ("higher-order derivatives", "04 visualize, 05 elementwise, 06 higher order"),
    ("neural networks", "07 shapes, 08 reductions, 09 products, 10 activations, 11 losses, "
     "12 layers, 13 models, 14 optimizers, 15 datasets, 16 dataloaders, 17 training"),
    ("GPU, CNN, RNN", "18 cuda, 19 regularization, 20 conv, 21 vision, 22 rnn, 23 attention, "
     "24 transformer, 25 language"),
)
WORKSHOP = ("50 config, 51 context, 52 trace, 53 explain, 54 replay, 55 files, 56 transforms, "
            "57 progress, 58 download, 59 formats, 60 callbacks, 61 anomaly, 62 environment, "
            "63 checks, 64 lazy, 65 more functions, 66 linalg, 67 methods, "
            "68 transformations, 69 fast conv, 70 core simple, 71 published, 72 tokenizer, "
            "73 tracer, 74 distributed, 75 writer, 76 compiled")


@figure(520, 1056, """Five stages. 1, automatic derivatives: chapters 00 core, 01 numdiff, 02
    backprop, 02b gradcheck. 2, natural expressions: 03. 3, higher-order derivatives: 04 to 06. 4,
    neural networks: 07 to 17. 5, GPU, CNN and RNN: 18 to 25. Below them the workshop, 50 to 76.
    Each chapter is a link.""")
def map(fig):
    """The map of the book"""
    def rows(y, title, chapters, fill):
        fig.text(24, y, title, anchor="start", bold=True)
        for i, chapter in enumerate(chapters.split(", ")):
            x, middle = 24 + 160 * (i % 3), y + 36 + 40 * (i // 3)
            with fig.link_to(f"../nbs/{chapter.replace(' ', '_')}.ipynb"):
                fig.rect(x, middle - 16, 152, 32, fill, radius=8, stroke_width=1.5)
                fig.text(x + 8, middle, chapter, INK[fill], 14, "start")
        return y + 80 + 40 * (i // 3)

    y = 32
    for stage, (title, chapters) in enumerate(STAGES, 1):
        y = rows(y, f"{stage}  {title}", chapters, "fun")
    rows(y, "the workshop: what a package needs besides", WORKSHOP, "var")


@figure(64, 64, "A box with an arrow that leaves it and turns back into it.", card=False)
def logo(fig):
    """DeZero"""
    fig.add("rect", x=5, y=29, width=31, height=31, rx=7, cls="dz-solid dz-on-var dz-var-ink",
            stroke_width=4)
    fig.path("M42 44.5h4.5a11 11 0 0 0 11-11V18a11 11 0 0 0-11-11H31.5a11 11 0 0 0-11 10", "grad",
             5)
    fig.add("path", d="M20.5 26l-9-11h18z", cls="dz-head dz-grad")


# ---------------------------------------------------------------- chapter 22: a memory

@figure(580, 254, """On the left a box RNN with the input x below, the output h above, and an arrow
    from the box back to itself. On the right the same unrolled: three boxes RNN in a row, with the
    inputs x1, x2, x3 below and the outputs h1, h2, h3 above; each box hands its h to the next.""")
def unrolled(fig):
    """A loop, and the same loop unrolled"""
    mid = 118

    def step(x, index):
        cell = fig.fun(x, mid, "RNN", 68, 44)
        fig.link(fig.var(x, 196, f"x{index}"), cell)
        fig.link(cell, fig.var(x, 40, f"h{index}"))
        return cell

    loop = step(92, "_t")
    x, y = loop.right
    fig.path(f"M{num(x)} {y}h20q10 0 10 -10v-26q0 -10 -10 -10h-26q-10 0 -10 10", "accent", 2.2)
    fig.arrow((x - 16, y - 38), (x - 16, y - 22), "accent", gap=1, width=2.2)
    fig.text(196, mid, "=", "soft", 24)
    cells = [step(x, f"_{i}") for i, x in ((1, 272), (2, 390), (3, 508))]
    for i, (a, b) in enumerate(zip(cells, cells[1:]), 1):
        fig.link(a, b, "accent", width=2.2)
        fig.text((a.x + b.x) / 2, mid - 18, f"$h_{i}$", "accent", 18)
    fig.text(390, 235, "the same W, U and b in every box", "soft", 15)


@figure(580, 312, """The memory c runs along the top from left to right: it is multiplied by the
    forget gate f, and i times u is added to it. Below stand f, i, u and o, each computed from x
    and h. On the right the new memory goes through tanh, is multiplied by o, and becomes the new
    state h.""")
def lstm_cell(fig):
    """An LSTM: along the top the memory passes without a matrix"""
    top, gates, bottom = 52, 198, 274

    def sign(x, y, label):
        fig.add("circle", cx=x, cy=y, r=16, cls="dz-edge dz-on-paper dz-ink", stroke_width=1.5)
        fig.text(x, y - 1, label, size=22)

    fig.path(f"M74 {top}H120M152 {top}H249M281 {top}H500", "accent", 2.6)
    fig.arrow((490, top), (514, top), "accent", gap=0, width=2.6)
    fig.var(44, top, "c_{t-1}", 30)
    fig.var(542, top, "c_t", 26)
    fig.path(f"M74 {bottom}H440", "line")
    fig.var(44, bottom, "h_{t-1}", 30)
    fig.var(44, bottom - 60, "x_t", 30)
    fig.path(f"M74 {bottom - 60}H90Q100 {bottom - 60} 100 {bottom - 50}V{bottom}", "line")
    for x, label, ink in ((136, "f", "σ"), (222, "i", "σ"), (308, "u", "tanh"), (440, "o", "σ")):
        fig.arrow((x, bottom), (x, gates + 18), "line", gap=1)
        fig.fun(x, gates, ink, 56, 36)
        fig.text(x + (-16 if x < 300 else 18), gates - 32, f"${label}$", "fun-ink", 20)
    fig.arrow((136, gates - 18), (136, top + 16), "line", gap=2)
    sign(136, top, "×")
    fig.path(f"M222 {gates - 18}V122Q222 112 232 112H249", "line")
    fig.path(f"M308 {gates - 18}V122Q308 112 298 112H281", "line")
    fig.arrow((265, 96), (265, top + 16), "line", gap=2)
    sign(265, 112, "×")
    sign(265, top, "+")
    fig.arrow((400, top), (400, 83), "line", gap=1)
    fig.fun(400, 100, "tanh", 56, 32)
    fig.path("M400 116V126Q400 136 410 136H424", "line")
    fig.path(f"M440 {gates - 18}V152", "line")
    sign(440, 136, "×")
    fig.arrow((456, 136), (514, 136), "line", gap=1)
    fig.var(542, 136, "h_t", 26)


# ---------------------------------------------------------------- chapter 19: dropout and norms

@figure(600, 238, """Three times the same network, with two inputs, six hidden units and one output.
    In step 1 half of the hidden units are crossed out and without links, in step 2 another half.
    In test mode all six units are linked.""")
def dropout(fig):
    """Each step trains a part of the network, and in the end all of it is used"""
    for left, words, gone in ((10, "step 1", (0, 3, 4)), (207, "step 2", (1, 2, 4)),
                              (404, "in test mode", ())):
        fig.text(left + 93, 24, words, bold=True)
        ends = [Node(left + 22, y, 11, 11, round_=True) for y in (90, 160)]
        ends.append(Node(left + 164, 125, 11, 11, round_=True))
        for i in range(6):
            unit = Node(left + 93, 56 + 29 * i, 11, 11, round_=True)
            if i in gone:
                fig.ghost(unit.x, unit.y, "", 22, 22, 11)
                fig.path(f"M{unit.x - 6} {unit.y - 6}l12 12m0 -12l-12 12", "grad", 2)
                continue
            for end in ends:
                a, b = (unit, end) if end.x > unit.x else (end, unit)
                fig.link(a, b, head=6, width=1.25)
            fig.add("circle", cx=unit.x, cy=unit.y, r=11, cls="dz-edge dz-on-fun dz-fun-ink")
        for end in ends:
            fig.add("circle", cx=end.x, cy=end.y, r=11, cls="dz-edge dz-on-var dz-var-ink")


@figure(340, 434, """Four times the same block of numbers: examples N go to the back, channels C to
    the right, places L downward. Coloured is what shares one mean. Batch norm: one channel in all
    examples. Layer norm: all channels of one example. Group norm: half of the channels of one
    example. Instance norm: one channel of one example.""")
def norm_axes(fig):
    """What shares one mean and one spread"""
    size, dx, dy, n = 24, 10, -9, 4

    def face(points, on):
        d = "M" + "L".join(f"{num(x)} {num(y)}" for x, y in points) + "Z"
        kind = "var" if on else "paper"
        fig.add("path", d=d, cls=f"dz-edge dz-on-{kind} dz-{INK[kind]}")

    def block(left, top, chosen):
        """`chosen(example, channel)`: is this number one of those that share a mean?"""
        for k in range(n):  # the top: examples to the back
            for j in range(n):
                x, y = left + j * size + (n - 1 - k) * dx, top + (n - 1 - k) * dy
                face([(x, y), (x + size, y), (x + size + dx, y + dy), (x + dx, y + dy)],
                     chosen(n - 1 - k, j))
            for i in range(n):  # the right side
                x, y = left + n * size + (n - 1 - k) * dx, top + i * size + (n - 1 - k) * dy
                face([(x, y), (x + dx, y + dy), (x + dx, y + dy + size), (x, y + size)],
                     chosen(n - 1 - k, n - 1))
        for i in range(n):  # the front: channels to the right, places downward
            for j in range(n):
                x, y = left + j * size, top + i * size
                face([(x, y), (x + size, y), (x + size, y + size), (x, y + size)], chosen(0, j))

    for i, (word, chosen) in enumerate((
            ("batch", lambda e, c: c == n - 1), ("layer", lambda e, c: e == 0),
            ("group", lambda e, c: e == 0 and c >= n // 2),
            ("instance", lambda e, c: e == 0 and c == n - 1))):
        left, top = 30 + 158 * (i % 2), 84 + 202 * (i // 2)
        block(left, top, chosen)
        fig.text(left + 63, top - 60, f"{word} norm", bold=True)
    fig.text(18, 132, "$L$", "soft", 16)
    fig.text(78, 194, "$C$", "soft", 16)
    fig.text(36, 60, "$N$", "soft", 16)
    fig.text(170, 410, "coloured: one mean, one spread", "soft", 15)


# ---------------------------------------------------------------- chapter 74: several ranks

@figure(560, 306, """A batch is cut into two parts. Rank 0 puts one through its copy of the model,
    rank 1 the other through its own, and each gets a gradient. Over the wire both get the mean of
    the gradients, and with it both make the same update.""")
def two_ranks(fig):
    """Two copies of a model, kept the same by one mean"""
    for x, words in ((64, "a batch"), (190, "copies of the model"), (322, "gradients"),
                     (480, "the same update")):
        fig.text(x, 24, words, "soft", 15)
    fig.fun(322, 167, "mean", 76, 40)
    for rank, side in ((0, -1), (1, 1)):
        y = 167 + side * 71
        fig.text(64, y - 44, f"rank {rank}", bold=True)
        fig.grid(37, y - 27, [["", "", ""]] * 3, 18)
        fig.fun(190, y, "model", 84)
        fig.grid(286, y - 12, [["", "", ""]], 24, edge="grad")
        fig.fun(480, y, "`update`", 92)
        fig.arrow((91, y), (148, y))
        fig.arrow((232, y), (286, y), "grad", width=2.2)
        fig.arrow((322, y - side * 12), (322, 167 + side * 20), "grad", width=2.2)
        fig.arrow((360, 167 + side * 8), (434, y - side * 8), "accent", width=2.2)
    fig.path("M20 167H276", dash=True)
    fig.path("M368 167H540", dash=True)
    fig.text(190, 184, "the wire", "soft", 15)


@figure(560, 342, """Three ranks in a ring, each with three numbers. In two steps each rank passes
    one number on, which the next one adds to its own; then every rank holds one finished sum. In
    two more steps the finished sums are passed on, and all ranks have all of them.""")
def ring(fig):
    """Allreduce in a ring: add up on the way round, then hand round the sums"""
    size, start = 27, [[1, 2, 3], [4, 5, 6], [7, 8, 9]]
    rows, done = start, set()
    for step in range(5):
        left = 20 + 109 * step
        words = ("at first", "add", "add", "hand on", "hand on")[step]
        fig.text(left + 40, 28, words, "soft", 15)
        for rank in range(3):
            y = 86 + 84 * rank
            if step == 0:
                fig.text(left, y - 16, f"rank {rank}", size=15, anchor="start", bold=True)
            for k, value in enumerate(rows[rank]):
                kind = "var" if (rank, k) in done else "paper"
                fig.rect(left + k * size, y, size, size, kind, "var-ink", radius=3)
                fig.text(left + (k + 0.5) * size, y + size / 2, str(value), size=15)
        if step == 4:
            break
        before, rows = rows, [[*row] for row in rows]
        for rank in range(3):
            to, adding = (rank + 1) % 3, step < 2
            k = (rank - step) % 3 if adding else (rank + 1 - (step - 2)) % 3
            rows[to][k] = before[rank][k] + adding * before[to][k]
            if step > 0:
                done.add((to, k))
            x, y, ink = left + (k + 0.5) * size, 86 + 84 * rank, "grad" if adding else "accent"
            if rank < 2:
                fig.arrow((x, y + size), (x + 109, y + 84), ink, gap=2, head=7)
            else:  # out below, in above
                fig.arrow((x, y + size), (x + 24, y + size + 24), ink, gap=2, head=7, dash=True)
                fig.arrow((x + 83, 58), (x + 109, 86), ink, gap=2, head=7, dash=True)
    words = "what leaves below comes in above; coloured: the sum is complete"
    fig.text(280, 320, words, "soft", 15)


# ---------------------------------------------------------------- chapter 72: pieces of a word

@figure(580, 268, """The word slowest in five rows of boxes. First seven letters. In the second row
    l and o are one box, in the third low, in the fourth lowe, and in the fifth s and t are one box,
    too. Beside each row stands the pair that was joined.""")
def merges(fig):
    """Five rows: pairs of boxes join, until the word is three pieces"""
    rows = (("s l o w e s t", "the bytes"), ("s lo w e s t", "l + o"), ("s low e s t", "lo + w"),
            ("s lowe s t", "low + e"), ("s lowe st", "s + t"))
    for i, (row, joined) in enumerate(rows):
        x, y = 28, 18 + 49 * i
        for piece in row.split():
            width = 50 * len(piece)
            fill = "var" if len(piece) == 1 else "fun"
            fig.rect(x + 3, y, width - 6, 36, fill, INK[fill])
            fig.text(x + width / 2, y + 18, f"`{piece}`", INK[fill], 19)
            x += width
        fig.text(404, y + 18, joined if i == 0 else f"`{joined}`", "soft", 16, "start")


# ---------------------------------------------------------------- chapter 73: a step, written down

@figure(560, 300, """On the left the watched call: x goes into the step, and y comes out. An arrow
    leads down to a sheet with two lines, a = x * x and b = a + 1. The writer makes of it a sheet
    with a program, return x * x + 1. From there an arrow leads up to the later calls on the right:
    x goes into the program, and y comes out.""")
def written_down(fig):
    """A step is watched, its lines are written down, and the program does them again"""
    sheets = (("a watched call", "step", ("`a = x * x`", "`b = a + 1`"), "lines"),
              ("all later calls", "program", ("`def program(x):`", "`    return x * x + 1`"),
               "a program"))
    for x, (words, name, lines, under) in zip((141, 419), sheets):
        fig.text(x, 26, words, "soft", 16)
        ends = fig.var(x - 94, 78, "x"), fig.fun(x, 78, name, 88), fig.var(x + 94, 78, "y")
        fig.link(ends[0], ends[1])
        fig.link(ends[1], ends[2])
        fig.rect(x - 102, 158, 204, 84, "paper", "fun-ink", radius=4, stroke_width=1.5)
        for i, line in enumerate(lines):
            fig.text(x - 88, 184 + 32 * i, line.replace("    ", "\u00a0\u00a0"), anchor="start")
        fig.text(x, 264, under, "soft", 16)
    fig.arrow((141, 98), (141, 158), "accent", width=2.2)
    fig.arrow((419, 158), (419, 98), "accent", width=2.2)
    fig.arrow((243, 200), (317, 200), "accent", width=2.2)
    fig.text(280, 180, "writer", "accent", 16)
    fig.text(155, 128, "written down", "accent", 16, "start")


# ---------------------------------------------------------------- the command

def drawn():
    """Every figure's text by its file name."""
    return {f"{name}.svg": make().svg() for name, make in FIGURES.items()}


def committed(name):
    """The text of a figure's file, None where it is missing."""
    path = HERE / name
    return path.read_bytes().decode() if path.exists() else None


def main(argv=None):
    parser = argparse.ArgumentParser(description="Draw the concept figures of the book.")
    parser.add_argument("--check", action="store_true", help="write nothing, name stale files")
    check = parser.parse_args(argv).check
    stale = {name: text for name, text in drawn().items() if text != committed(name)}
    for name, text in stale.items():
        print("stale" if check else "drawn", name)
        if not check:
            (HERE / name).write_bytes(text.encode())
    return int(check and bool(stale))


if __name__ == "__main__":
    sys.exit(main())
