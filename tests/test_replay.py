"""Pictures and replays as a reader meets them: drawn by a real program, stepped through in a
browser, in light and dark, on a desk and on a phone."""

import inspect
import json
import re
import xml.etree.ElementTree as ET

import numpy as np
import pytest
from colours import contrast, luminance

import dezero
from dezero import Variable, visualize
from dezero.replay import read_asset, replay
from dezero.utils import plot_dot_graph

PHONE, DESK = 360, 1000
PAGE = """<!doctype html><html lang="en"{}><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<body style="margin: 0"{}>{}"""


def small():
    x, b = Variable(2.0, name="x"), Variable(3.0, name="b")
    y = x * (x + b) ** 2
    y.name = "y"
    return x, b, y


def layer():
    rng = np.random.default_rng(0)
    W = Variable(rng.normal(size=(3, 2)).astype(np.float32), name="W")
    b = Variable(np.zeros(2, np.float32), name="b")
    wrong = rng.normal(size=(4, 3)).astype(np.float32) @ W + b - np.ones((4, 2), np.float32)
    return W, b, (wrong**2).swapaxes(0, 1)


# --- pictures by a real program ------------------------------------------------------------------


@pytest.fixture
def pure(monkeypatch):
    monkeypatch.setattr(visualize, "RENDERERS", ["graphviz-pure"])


@pytest.mark.parametrize("name", ["a b.svg", "ä;'$(x)\".png", "x.SVG", "y.jpg"])
def test_files_of_each_format(pure, tmp_path, name):
    plot_dot_graph(small()[2], to_file=tmp_path / name)
    start = {"svg": b"<?xml", "png": b"\x89PNG", "jpg": b"\xff\xd8\xff"}[name[-3:].lower()]
    assert (tmp_path / name).read_bytes().startswith(start)
    assert [p.name for p in tmp_path.iterdir()] == [name]


def test_what_the_wheel_cannot_do_says_what_to_install(pure, tmp_path):
    with pytest.warns(UserWarning, match=r"as pdf.*Graphviz, graphviz\.org"):
        plot_dot_graph(small()[2], to_file=tmp_path / "y.pdf")
    assert list(tmp_path.iterdir()) == []


def test_the_picture_holds_the_names_as_they_are(pure):
    name = '"q" \\n <&lt;> 重み\nsecond'
    svg = ET.fromstring(plot_dot_graph(Variable(np.ones((2, 3)), name=name)).svg)
    texts = [each.text for each in svg.iter("{http://www.w3.org/2000/svg}text")]
    assert texts == ['"q" \\n <&lt;> 重み', "second", "(2, 3) float64"]


def test_a_thousand_functions_are_drawn_in_bounded_time(pure, tmp_path):
    terms = [Variable(float(i)) * 2.0 for i in range(512)]
    while len(terms) > 1:
        terms = [a + b for a, b in zip(terms[::2], terms[1::2])]
    svg = plot_dot_graph(terms[0], to_file=tmp_path / "all.svg").svg
    assert "1008 more functions" in svg
    assert svg.count('class="node"') == 15 + 31 + 1
    assert (tmp_path / "all.svg").read_text().count('class="node"') == 1023 + 1023 + 1024


# --- replays in a browser ------------------------------------------------------------------------


@pytest.fixture
def show(browser, tmp_path):
    """Show replays on a page; whatever goes wrong there, or is asked of anyone, fails the test."""
    contexts, wrong = [], []

    def show(*replays, width=DESK, html="", body="", **options):
        context = browser.new_context(viewport={"width": width, "height": 800}, **options)
        contexts.append(context)
        context.set_default_timeout(10_000)
        tab = context.new_page()
        path = tmp_path / f"page{len(contexts)}.html"
        text = "<p>text</p>".join(each.html for each in replays)
        path.write_text(PAGE.format(html, body, text), encoding="utf-8")
        tab.on("console", lambda message: wrong.append(message.text))
        tab.on("pageerror", lambda error: wrong.append(str(error)))
        own = path.as_uri()
        tab.on("request", lambda r: wrong.append(r.url) if r.url != own else None)
        tab.goto(own)
        return tab

    yield show
    for context in contexts:
        context.close()
    assert wrong == []


def shown(tab, root=0):
    """What a reader sees: the texts of the nodes, the panel, the arrow that is lit."""
    return tab.evaluate(
        """(n) => {
        const root = document.querySelectorAll(".dz-replay")[n];
        const seen = (e) => e && getComputedStyle(e).visibility === "visible" ? e.textContent : "";
        return {
            nodes: [...root.querySelectorAll("[data-node]")].map((node) => [
                node.querySelector("text").firstChild.data,
                [...node.querySelectorAll(".value")].map(seen).join("|"),
                seen(node.querySelector(".grad"))]),
            panel: root.querySelector(".side").innerText,
            now: [...root.querySelectorAll(".now")].map((e) => e.dataset.arrow),
            tag: seen(root.querySelector(".tag")),
            at: Number(root.querySelector("input").value),
            last: Number(root.querySelector("input").max),
        }; }""",
        root,
    )


def grads(state):
    return {name: grad.removeprefix("grad ") for name, _, grad in state["nodes"] if grad}


def test_stepping_to_the_end_shows_the_true_gradients(show):
    x, b, y = small()
    tab = show(replay(y))
    step = tab.get_by_role("button", name="Step")
    states = [shown(tab)]
    while step.is_enabled():
        step.click()
        states.append(shown(tab))
    assert [state["at"] for state in states] == list(range(states[0]["last"] + 1))
    y.backward()
    assert float(grads(states[-1])["x"]) == x.grad.data == 45
    assert float(grads(states[-1])["b"]) == b.grad.data == 20
    assert f"x\n{x.grad.data:g}" in states[-1]["panel"]
    values = [[name for name, value, _ in state["nodes"] if value] for state in states]
    assert values[:4] == [["x", "b"], ["x", "b", "t1"], ["x", "b", "t1", "t2"], values[-1]]
    assert grads(states[3]) == {} and grads(states[4]) == {"y": "1"}
    lit = [state["now"] for state in states]
    assert lit[:5] == [[]] * 5 and lit[-1] == []
    assert sorted(len(each) for each in lit[5:-1]) == [1] * 5
    assert len({each[0] for each in lit[5:-1]}) == 5
    assert grads(states[5])["x"] == "25 + …"
    assert "gx0 = gy * x1\n    = 1 * 25\n    = 25" in states[5]["panel"]
    assert states[5]["tag"] == "25"
    assert "25 + 20 = 45" in states[-3]["panel"]


def test_arrays_show_their_shape_and_the_true_gradients(show):
    W, b, y = layer()
    tab = show(replay(y))
    tab.keyboard.press("Tab")
    tab.keyboard.press("End")
    state = shown(tab)
    y.backward()
    for box in (W, b):
        name, value, grad = next(node for node in state["nodes"] if node[0] == box.name)
        assert value.startswith(f" {box.shape}|")
        said = [float(v) for v in grad.removeprefix("grad ").rstrip(" …").split()]
        assert said == pytest.approx(box.grad.data.ravel()[: len(said)].tolist(), rel=5e-3)
        assert f"{box.shape}" in state["panel"]


def test_the_keyboard(show):
    tab = show(replay(small()[2]))
    tab.keyboard.press("Tab")
    assert tab.evaluate("document.activeElement.className").startswith("dz-replay")

    def press(key):
        tab.keyboard.press(key)
        return shown(tab)["at"]

    assert [press(k) for k in ["ArrowRight", "ArrowRight", "ArrowLeft"]] == [1, 2, 1]
    assert press("End") == shown(tab)["last"] == 10
    assert press("ArrowRight") == 10 and press("Home") == 0 and press("ArrowLeft") == 0
    tab.keyboard.press("Space")
    assert tab.get_by_role("button", name="Pause").is_visible()
    assert tab.evaluate("scrollY") == 0
    tab.keyboard.press("Space")
    assert tab.get_by_role("button", name="Play").is_visible()
    slider = tab.get_by_role("slider")
    slider.focus()
    assert press("ArrowRight") == 1
    slider.fill("7")
    assert shown(tab)["at"] == 7 and "Back, 3 of 5" in shown(tab)["panel"]
    step = tab.get_by_role("button", name="Step")
    step.focus()
    assert press("Space") == 8  # a button in focus does what it says


def test_play_runs_to_the_end_and_starts_again(show):
    tab = show(replay(Variable(2.0, name="x") * 3.0))
    tab.clock.install()
    tab.get_by_role("button", name="Play").click()
    for _ in range(4):
        tab.clock.run_for(1250)
    state = shown(tab)
    assert state["at"] == state["last"] == 4
    tab.get_by_role("button", name="Play").click()
    assert shown(tab)["at"] == 0
    tab.clock.run_for(1250)
    assert shown(tab)["at"] == 1
    tab.get_by_role("button", name="Pause").click()
    tab.clock.run_for(5000)
    assert shown(tab)["at"] == 1


def test_for_those_who_listen(show):
    tab = show(replay(small()[2]))
    assert tab.get_by_role("group", name="Replay of y").count() == 1
    assert tab.get_by_role("img", name="Replay of y").count() == 1
    slider, panel = tab.get_by_role("slider", name="Step"), tab.locator(".side")
    assert panel.get_attribute("aria-live") == "polite"
    slider.fill("5")
    assert slider.get_attribute("aria-valuetext") == "Back, 1 of 5: Mul sends a derivative to x."
    tab.get_by_role("button", name="Play").click()
    assert panel.get_attribute("aria-live") == "off"


def test_two_replays_on_a_page_do_not_disturb_each_other(show):
    y = small()[2]
    tab = show(replay(y), replay(y))
    tab.get_by_role("button", name="Step").nth(1).click()
    assert [shown(tab, n)["at"] for n in (0, 1)] == [0, 1]
    tab.get_by_role("button", name="Step").nth(0).click()
    tab.get_by_role("button", name="Step").nth(0).click()
    assert [shown(tab, n)["at"] for n in (0, 1)] == [2, 1]
    ids = tab.evaluate("[...document.querySelectorAll('[id]')].map((e) => e.id)")
    assert len(ids) == len(set(ids)) == 2


def test_a_script_that_is_put_back_later_finds_its_replay(show):
    """As Jupyter does it: the HTML comes without its scripts, then each is made anew."""
    tab = show()
    tab.evaluate(
        """(html) => {
        const host = document.body.appendChild(document.createElement("div"));
        host.innerHTML = html;
        for (const old of host.querySelectorAll("script")) {
            const fresh = document.createElement("script");
            for (const each of old.attributes) fresh.setAttribute(each.name, each.value);
            fresh.textContent = old.textContent;
            old.replaceWith(fresh);
        } }""",
        replay(small()[2]).html,
    )
    tab.get_by_role("button", name="Step").click()
    assert shown(tab)["at"] == 1


def test_jupyter_leaves_the_keys_to_the_replay(show):
    tab = show(replay(small()[2]))
    assert tab.locator(".dz-replay").get_attribute("data-lm-suppress-shortcuts") == "true"
    tab.evaluate("addEventListener('keydown', (e) => { document.title = 'heard ' + e.key; })")
    tab.keyboard.press("Tab")
    tab.keyboard.press("ArrowRight")
    assert tab.title() == "heard Tab"


def test_without_scripts_the_end_is_shown(show):
    tab = show(replay(small()[2]), java_script_enabled=False)
    assert "you can step through it" in tab.locator(".side").inner_text()
    assert not tab.locator(".foot").is_visible()
    grads = tab.locator(".grad").all_text_contents()
    assert sorted(grads) == ["grad 1", "grad 2", "grad 20", "grad 20", "grad 45"]
    assert all(each.is_visible() for each in tab.locator(".value, .grad").all())


def test_a_written_page_stands_alone(browser, tmp_path):
    path = tmp_path / "a page.html"
    small()[2].replay(to_file=path)
    tab = browser.new_page(viewport={"width": PHONE, "height": 700})
    tab.goto(path.as_uri())
    tab.get_by_role("button", name="Step").click()
    assert tab.title() == "Replay of y" and shown(tab)["at"] == 1
    assert tab.evaluate("document.compatMode") == "CSS1Compat"
    tab.close()


@pytest.mark.parametrize("make", [small, layer])
@pytest.mark.parametrize("width", [PHONE, DESK])
def test_no_page_scrolls_sideways_and_what_happens_is_in_view(show, make, width):
    tab = show(replay(make()[-1]), width=width)
    for at in range(shown(tab)["last"] + 1):
        tab.get_by_role("slider").fill(str(at))
        assert tab.evaluate("document.documentElement.scrollWidth") <= width
        hidden = tab.evaluate(
            """() => {
            const stage = document.querySelector(".stage").getBoundingClientRect();
            const lit = [...document.querySelectorAll(".fun.here")];
            return lit.filter((e) => { const b = e.getBoundingClientRect();
                return b.left < stage.left || b.right > stage.right + 1 || b.top < stage.top
                    || b.bottom > stage.bottom + 1; }).length; }"""
        )
        assert hidden == 0, at
    small_buttons = [b.bounding_box()["height"] < 24 for b in tab.get_by_role("button").all()]
    assert small_buttons == [False] * 3


@pytest.mark.parametrize("make", [small, layer])
def test_a_small_graph_fits_a_phone(show, make):
    tab = show(replay(make()[-1]), width=390)
    stage = "document.querySelector('.stage')"
    assert tab.evaluate(f"{stage}.scrollWidth <= {stage}.clientWidth")
    heights = tab.evaluate(
        "[...document.querySelectorAll('.head text')].map((e) => e.getBoundingClientRect().height)"
    )
    assert min(filter(None, heights)) >= 9  # a line still to come has none


@pytest.mark.parametrize("make", [small, layer])
@pytest.mark.parametrize("width", [PHONE, DESK])
def test_a_label_covers_no_node_and_no_other_arrow(show, make, width):
    tab = show(replay(make()[-1]), width=width, reduced_motion="reduce")
    seen = 0
    for at in range(shown(tab)["last"] + 1):
        tab.get_by_role("slider").fill(str(at))
        found = tab.evaluate(
            """() => {
            const tag = document.querySelector(".tag");
            if (getComputedStyle(tag).visibility !== "visible") return null;
            const box = tag.querySelector("rect").getBoundingClientRect();
            const words = tag.querySelector("text").getBoundingClientRect();
            const hit = (b) => b.left < box.right && b.right > box.left
                && b.top < box.bottom && b.bottom > box.top;
            const crossed = [...document.querySelectorAll("[data-arrow]:not(.now) .line")]
                .filter((line) => { const m = line.getScreenCTM(), n = line.getTotalLength();
                    for (let d = 0; d <= n; d += 3) {
                        const p = line.getPointAtLength(d).matrixTransform(m);
                        if (hit({left: p.x, right: p.x, top: p.y, bottom: p.y})) return true;
                    } });
            const nodes = [...document.querySelectorAll("[data-node] rect")];
            return [crossed.length,
                nodes.filter((e) => hit(e.getBoundingClientRect())).length,
                words.left >= box.left && words.right <= box.right]; }"""
        )
        if found:
            seen += 1
            assert found == [0, 0, True], at
    assert seen == sum(step["back"] != "" for step in told(make()[-1]))


def told(output):
    html = replay(output).html
    return json.loads(re.search('<script type="application/json">(.*?)</script>', html)[1])


def test_looks_and_script_are_files_that_are_sound(browser):
    style = read_asset("drawing.css") + read_asset("replay.css")
    assert style.count("{") == style.count("}") > 40
    names = set(re.findall(r"\.([a-z]+)[ :.,)]", style)) - {"jp", "vscode"}
    page = read_asset("replay.html") + read_asset("replay.js") + inspect.getsource(dezero.replay)
    assert [name for name in sorted(names) if not re.search(rf"\b{name}\b", page)] == []
    used = set(re.findall(r"var\((--[a-z-]+)\)", style))
    assert used - {"--wide"} <= set(re.findall(r"(--[a-z-]+):", style))
    page = browser.new_page()
    page.evaluate("(script) => { new Function(script) }", read_asset("replay.js"))  # it is read
    with pytest.raises(Exception, match="SyntaxError"):
        page.evaluate("(script) => { new Function(script) }", read_asset("replay.js") + "}")
    page.close()


def test_reduced_motion_moves_nothing(show):
    for motion, count in [("reduce", 0), ("no-preference", 1)]:
        tab = show(replay(small()[2]), reduced_motion=motion)
        tab.evaluate(
            """() => { const ask = requestAnimationFrame;
            window.asked = 0;
            window.requestAnimationFrame = (f) => { window.asked += 1; return ask(f); }; }"""
        )
        tab.get_by_role("slider").fill("5")
        assert min(tab.evaluate("window.asked"), 1) == count
        assert shown(tab)["tag"] == "25"


# --- colours -------------------------------------------------------------------------------------

COLOURS = """() => {
    const own = (e, name) => getComputedStyle(e)[name];
    const found = [];
    const paper = own(document.querySelector(".dz-replay"), "backgroundColor");
    for (const node of document.querySelectorAll("[data-node]"))
        for (const text of node.querySelectorAll("text, tspan.grad"))
            found.push([text.textContent, own(text, "fill"),
                        own(node.querySelector("rect"), "fill")]);
    for (const e of document.querySelectorAll(".side *, .count"))
        if (e.textContent) found.push([e.textContent, own(e, "color"), paper]);
    for (const e of document.querySelectorAll("button:enabled"))
        found.push([e.textContent, own(e, "color"), own(e, "backgroundColor")]);
    found.push(["tag", own(document.querySelector(".tag text"), "fill"),
                own(document.querySelector(".tag rect"), "fill")]);
    return { paper, found };
}"""


MODES = {
    "system light": ({"color_scheme": "light"}, True),
    "system dark": ({"color_scheme": "dark"}, False),
    "site dark": ({"color_scheme": "light", "html": ' data-theme="dark"'}, False),
    "site light": ({"color_scheme": "dark", "html": ' data-theme="light"'}, True),
    "jupyter dark": ({"color_scheme": "light", "body": ' data-jp-theme-light="false"'}, False),
    "jupyter light": ({"color_scheme": "dark", "body": ' data-jp-theme-light="true"'}, True),
    "vscode dark": ({"color_scheme": "light", "body": ' class="vscode-dark"'}, False),
    "vscode light": ({"color_scheme": "dark", "body": ' class="vscode-light"'}, True),
}


@pytest.mark.parametrize("mode", MODES)
def test_colours_follow_the_page_and_can_be_read(show, mode):
    options, light = MODES[mode]
    tab = show(replay(small()[2]), **options)
    seen = 0
    for at in (0, 5, 7, 10):
        tab.get_by_role("slider").fill(str(at))
        state = tab.evaluate(COLOURS)
        assert (luminance(state["paper"]) > 0.5) == light
        for text, ink, ground in state["found"]:
            seen += 1
            assert contrast(ink, ground) >= 4.5, (at, text, ink, ground)
    assert seen > 60


@pytest.mark.parametrize("wrong", [True, 1, 3.5, ["y.html"]])
def test_what_is_no_path_is_refused(wrong, capfd):
    """Python would take True for the open file number 1, write the page there and close it."""
    with pytest.raises(TypeError, match="to_file is the path of a file such as 'replay.html'"):
        small()[2].replay(to_file=wrong)
    with pytest.raises(TypeError, match="to_file is the path of a file such as 'graph.svg'"):
        plot_dot_graph(small()[2], to_file=wrong)
    print("still open", flush=True)
    assert capfd.readouterr().out == "still open\n"
