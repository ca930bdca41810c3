(() => {
  const calm = matchMedia("(prefers-reduced-motion: reduce)");
  const make = (tag, name, text) =>
    Object.assign(document.createElement(tag), { className: name, textContent: text });

  // Points along a line, and the rectangle of a node: what a label should not cover.
  function sample(line) {
    const long = line.getTotalLength(), count = Math.ceil(long / 6);
    return Array.from({ length: count + 1 }, (_, k) => line.getPointAtLength(long * k / count));
  }
  function place(node) {
    const { e, f } = node.transform.baseVal.consolidate().matrix;
    const { x, y, width, height } = node.querySelector("rect").getBBox();
    return { x: e + x, y: f + y, width, height };
  }

  function start(root) {
    const find = (query) => root.querySelector(query);
    const all = (query) => [...root.querySelectorAll(query)];
    const steps = JSON.parse(find("script[type='application/json']").textContent);
    const [slider, stage, side] = ["input", ".stage", ".side"].map(find);
    const [back, play, next] = all("button");
    const [tag, ball] = [find(".tag"), find(".ball")];
    const nodes = new Map(all("[data-node]").map((e) => [e.dataset.node, e]));
    const arrows = new Map(all("[data-arrow]").map((e) => [e.dataset.arrow, e]));
    const ways = new Map([...arrows.values()].map((e) => [e, sample(e.querySelector(".line"))]));
    const places = [...nodes.values()].map(place);
    let at = 0, timer = 0, frame = 0;

    function show(number) {
      at = Math.max(0, Math.min(steps.length - 1, number));
      const step = steps[at], known = new Set(), flown = new Set(), grads = new Map();
      for (const past of steps.slice(0, at + 1)) {
        past.shows.forEach((key) => known.add(key));
        if (past.back !== "") past.flow.forEach((key) => flown.add(key));
        Object.entries(past.grads).forEach(([key, text]) => grads.set(key, text));
      }
      for (const [key, node] of nodes) {
        node.classList.toggle("known", known.has(key));
        node.classList.toggle("here", step.nodes.includes(key));
        const grad = node.querySelector(".grad");
        if (grad) grad.textContent = grads.has(key) ? "grad " + grads.get(key) : "";
        node.classList.toggle("early", grad !== null && !grads.has(key));
      }
      for (const [key, arrow] of arrows) {
        arrow.classList.toggle("with", step.arrows.includes(key));
        arrow.classList.toggle("flown", flown.has(key));
        arrow.classList.toggle("now", step.back !== "" && step.flow[0] === key);
      }
      tell(step);
      move(step);
      slider.value = at;
      slider.setAttribute("aria-valuetext", step.title + ": " + step.text);
      find(".count").textContent = at + " / " + (steps.length - 1);
      back.disabled = at === 0;
      next.disabled = at === steps.length - 1;
    }

    function tell(step) {
      side.classList.toggle("back", step.back !== "");
      side.replaceChildren(make("div", "title", step.title), make("div", "sentence", step.text));
      if (step.lines.length) side.append(make("div", "lines", step.lines.join("\n")));
      const rows = make("div", "rows", "");
      for (const [name, value, whose] of step.rows)
        rows.append(make("b", "", name), make("b", "", value), make("span", "", whose));
      if (step.rows.length) side.append(rows);
      if (step.note) side.append(make("div", "note", step.note));
    }

    function move(step) {
      cancelAnimationFrame(frame);
      tag.style.visibility = ball.style.visibility = "hidden";
      const arrow = arrows.get(step.flow[0]);
      look(step);
      if (!arrow || step.back === "") return;
      const line = arrow.querySelector(".line"), long = line.getTotalLength();
      const put = (element, part, x, y) => {
        const point = line.getPointAtLength(long * (1 - part));
        element.setAttribute("transform", `translate(${point.x + x} ${point.y + y})`);
        element.style.visibility = "visible";
      };
      label(step.back, arrow, line, long);
      if (calm.matches) return;
      const begun = performance.now();
      const fly = (now) => {
        const part = Math.min(1, (now - begun) / 600);
        put(ball, part, 0, 0);
        if (part < 1) frame = requestAnimationFrame(fly);
        else ball.style.visibility = "hidden";
      };
      frame = requestAnimationFrame(fly);
    }

    // Where along its arrow does the label cover no other arrow, and no node?
    function label(words, arrow, line, long) {
      const text = tag.querySelector("text"), rect = tag.querySelector("rect");
      text.textContent = words;
      const wide = text.getComputedTextLength() + 10, tall = 20;
      const view = line.ownerSVGElement.viewBox.baseVal;
      let best = null;
      const clamp = (x) => Math.max(view.x + 2, Math.min(view.x + view.width - wide - 2, x));
      const shifts = [[1, 0], [-1, 0], [0, 1], [0, -1], [0, 0]];
      for (const part of [0.5, 0.42, 0.58, 0.34, 0.66, 0.26, 0.74, 0.18, 0.82])
        for (const [across, down] of shifts) {
          const point = line.getPointAtLength(long * part);
          const x = clamp(point.x - wide / 2 + across * (wide / 2 + 6));
          const y = point.y - tall / 2 + down * (tall / 2 + 5);
          const box = { x, y, width: wide, height: tall };
          box.covers = covered(box, arrow);
          if (!best || box.covers < best.covers) best = box;
        }
      rect.setAttribute("width", wide);
      rect.setAttribute("height", tall);
      text.setAttribute("x", wide / 2);
      text.setAttribute("y", 14.5);
      tag.setAttribute("transform", `translate(${best.x} ${best.y})`);
      tag.style.visibility = "visible";
    }

    function covered(box, arrow) {
      const inside = (p) => p.x > box.x - 2 && p.x < box.x + box.width + 2
        && p.y > box.y - 2 && p.y < box.y + box.height + 2;
      const over = (r) => r.x < box.x + box.width && r.x + r.width > box.x
        && r.y < box.y + box.height && r.y + r.height > box.y;
      const others = [...ways].filter(([other, points]) => other !== arrow && points.some(inside));
      return others.length + 3 * places.filter(over).length;  // a node would be hard to read
    }

    function look(step) {  // keep what happens inside the stage's window
      const boxes = step.nodes.map((key) => nodes.get(key).getBoundingClientRect());
      if (!boxes.length) return;
      const view = stage.getBoundingClientRect();
      const middle = (low, high) =>
        (Math.min(...boxes.map((b) => b[low])) + Math.max(...boxes.map((b) => b[high]))) / 2;
      stage.scrollTop += middle("top", "bottom") - view.top - stage.clientHeight / 2;
      if (step === steps[0]) stage.scrollTop = 0;  // a story begins at the top
      stage.scrollLeft += middle("left", "right") - view.left - stage.clientWidth / 2;
    }

    function run(on) {
      clearTimeout(timer);
      timer = 0;
      if (on && at === steps.length - 1) show(0);
      if (on) timer = setTimeout(tick, 1200);
      play.textContent = on ? "Pause" : "Play";
      side.setAttribute("aria-live", on ? "off" : "polite");
    }

    function tick() {
      if (!root.isConnected) return;
      show(at + 1);
      if (at < steps.length - 1) timer = setTimeout(tick, 1200);
      else run(false);
    }

    const go = (number) => { run(false); show(number); };
    back.onclick = () => go(at - 1);
    next.onclick = () => go(at + 1);
    play.onclick = () => run(!timer);
    slider.oninput = () => go(Number(slider.value));
    root.onkeydown = (event) => {
      if (event.altKey || event.ctrlKey || event.metaKey) return;
      const does = {
        ArrowRight: () => go(at + 1), ArrowLeft: () => go(at - 1), Home: () => go(0),
        End: () => go(steps.length - 1), " ": () => run(!timer),
      }[event.key];
      if (!does || (event.key === " " && event.target.tagName === "BUTTON")) return;
      event.preventDefault();
      event.stopPropagation();
      does();
    };
    root.classList.add("live");
    slider.max = steps.length - 1;
    show(0);
  }

  for (const root of document.querySelectorAll("[id='REPLAY']"))
    if (!root.classList.contains("live")) start(root);
})();
