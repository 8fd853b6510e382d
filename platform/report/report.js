// The read-out under the pointer: of each curve the value that is nearest along the x axis.
for (const plot of document.querySelectorAll(".plot")) {
  const { label, x: ends, log, curves } = JSON.parse(plot.dataset.readout);
  const scale = log ? Math.log : (v) => v;
  const [low, high] = ends.map(scale);
  const scaled = curves.map((c) => c.x.map(scale));
  const box = plot.querySelector(".readout");
  const cursor = plot.querySelector(".cursor");
  const nearest = (xs, at) => {
    let a = 0, b = xs.length - 1;
    while (b - a > 1) { const m = (a + b) >> 1; if (xs[m] < at) a = m; else b = m; }
    return Math.abs(xs[a] - at) <= Math.abs(xs[b] - at) ? a : b;
  };
  const format = (v) => v === null ? "not finite"
    : Number.isInteger(v) ? v.toLocaleString("en") : String(+v.toPrecision(5));
  const hide = () => { box.hidden = true; cursor.style.visibility = "hidden"; };
  const show = (event) => {
    const frame = plot.getBoundingClientRect();
    const at = low + (high - low) * Math.min(1, Math.max(0, (event.clientX - frame.left) / frame.width));
    const rows = curves.map((c, i) => [c, nearest(scaled[i], at), i]).filter(([c]) => c.x.length);
    const place = rows.map(([c, i]) => c.x[i])
      .reduce((p, q) => Math.abs(scale(q) - at) < Math.abs(scale(p) - at) ? q : p);
    const share = (scale(place) - low) / (high - low);
    cursor.setAttribute("d", `M${share * 1000} 0V1000`);
    cursor.style.visibility = "visible";
    box.replaceChildren(`${label} ${format(place)}`);
    for (const [c, i, color] of rows) {
      const line = document.createElement("div");
      const dot = document.createElement("i");
      dot.className = `c${color % 6 + 1}`;
      line.append(dot, `${c.name} ${format(c.y[i])}`);
      box.append(line);
    }
    box.hidden = false;
    const x = share * frame.width, gap = 12, width = box.offsetWidth;
    const beside = share < 0.5 ? x + gap : x - gap - width;
    const edge = document.documentElement.clientWidth - frame.left - width - 4;
    box.style.left = `${Math.max(4 - frame.left, Math.min(beside, edge))}px`;
  };
  plot.addEventListener("pointermove", show);
  plot.addEventListener("pointerdown", show);
  plot.addEventListener("pointerleave", hide);
}
