"""The chart on the page of benchmarks, and the ratios its text names: both from results.md."""

import importlib.util
import math
import re
from pathlib import Path

IMAGES = Path(__file__).resolve().parent.parent / "images"
PEERS = {"torch": "var", "autograd": "fun", "NumPy": "paper"}  # and the fill of their dots
CASES = (
    "Chain of 1,000, Variables",
    "Wide sum of 1,000",
    "`tanh(x)`, order 6",
    "Rosenbrock, Hessian times vector",
    "Spiral, a step",
    "MLP, a step of Adam",
    "Digits to 97%",
    "DataLoader, 60,000 vectors",
)
LEFT, RIGHT, STEP = 40, 468, 48
FROM, TO = 1 / 8, 64


def ratios(results):
    """What results.md says: {case: {peer: DeZero's time divided by the peer's}}."""
    found = {}
    for section in re.findall(r"^## Ratios.*?\n\n(.*?)(?=\n\n)", results, re.M | re.S):
        head, _, *rows = [line.strip("| ").split(" | ") for line in section.splitlines()]
        for case, *cells in rows:
            numbers = {peer: re.match(r"[\d.]+", cell) for peer, cell in zip(head[1:], cells)}
            known = {peer: float(number[0]) for peer, number in numbers.items() if number}
            if "NumPy 0-d" in known:
                known["NumPy"] = known["NumPy 0-d"]
            found[case] = known
    return found


def fill(text, results):
    """Put ratios into a text: `{Spiral, a step|torch}` becomes 0.44."""
    known = ratios(results)
    return re.sub(r"\{([^{}|]+)\|(\w+)\}", lambda at: f"{known[at[1]][at[2]]:.2f}", text)


def place(times):
    """Where on the axis a peer stands that takes so many times as long as DeZero."""
    return LEFT + (RIGHT - LEFT) * math.log(times / FROM) / math.log(TO / FROM)


def chart(results):
    """The chart as SVG, in the colours of the concept figures."""
    spec = importlib.util.spec_from_file_location("draw", IMAGES / "draw.py")
    draw = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(draw)
    known = {case: peers for case, peers in ratios(results).items() if case in CASES}
    bottom = 70 + STEP * len(known)
    title = "How long others take for what DeZero does"
    fig = draw.Figure("benchmarks", title, f"{title}: {known}", 508, bottom + 36)
    for i, (peer, colour) in enumerate(PEERS.items()):
        fig.add("circle", cx=LEFT + 130 * i, cy=30, r=7, cls=dot(colour))
        name = "NumPy, by hand" if peer == "NumPy" else peer
        fig.text(LEFT + 14 + 130 * i, 30, name, size=15, anchor="start")
    for times in (1 / 4, 1, 4, 16, 64):
        label = {1 / 4: "1/4", 1: "DeZero"}.get(times, f"{times}x")
        fig.text(place(times), bottom + 12, label, "accent" if times == 1 else "soft", 14)
    for row, (case, peers) in enumerate(known.items()):
        y = 92 + STEP * row
        fig.text(LEFT, y - 20, case, "soft", 14, "start")
        fig.path(f"M{LEFT} {y}H{RIGHT}", "line", 0.75)
        fig.path(f"M{draw.num(place(1))} {y - 8}v16", "accent", 2.5)
        for peer, colour in PEERS.items():
            if FROM < 1 / peers.get(peer, math.inf) < TO:
                fig.add("circle", cx=place(1 / peers[peer]), cy=y, r=7, cls=dot(colour))
    return fig.svg()


def dot(colour):
    return f"dz-solid dz-on-{colour} dz-{'line' if colour == 'paper' else colour + '-ink'}"
