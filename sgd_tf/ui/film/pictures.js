// A film that the browser plays: it gets all frames once, as data, and asks the server for nothing while it plays.
// `film.py` says what the data are.

const ICONS = {
  play: "M8 5v14l11-7z",
  pause: "M6 5h4v14H6zm8 0h4v14h-4z",
  again: "M12 5V1L7 6l5 5V7a6 6 0 1 1-6 6H4a8 8 0 1 0 8-8z",
  back: "M6 6h2v12H6zm3.5 6 8.5 6V6z",
  forward: "M16 6h2v12h-2zM6 18l8.5-6L6 6z",
};
const SPEEDS = [0.5, 1, 2, 4];
const MOTION = 0.65; // share of a frame in which things move; the rest is for looking
const TAKES_KEYS = "input, textarea, select, [contenteditable], [role=slider], [role=radio], [role=radiogroup], " +
  "[role=option], [role=listbox], [role=combobox], [role=menu], [role=tab], [role=dialog]";
const TAKES_SPACE = TAKES_KEYS + ", button, a, summary, [role=button], [tabindex='0']";

const clamp = (value, low, high) => Math.min(Math.max(value, low), high);
const ease = (q) => (q < 0.5 ? 4 * q ** 3 : 1 - (-2 * q + 2) ** 3 / 2);
const mix = (a, b, q) => a + (b - a) * q;
const at = (value, frame) => (value && value.track ? value.track[Math.min(frame, value.track.length - 1)] : value);
const color = (value, theme) => theme[value] ?? value;

// ---- pictures -------------------------------------------------------------------------------------------------------

class Canvas {
  constructor(panel, film) {
    Object.assign(this, { panel, film, images: new Map() });
    this.element = document.createElement("canvas");
    this.context = this.element.getContext("2d");
  }

  resize(width) {
    const [w, h] = this.panel.size;
    const ratio = window.devicePixelRatio || 1;
    this.scale = width / w;
    this.stretch = Math.max(this.scale, (this.panel.tall ?? 0) / h); // of plots, where the panel is narrow
    this.type = width < 480 ? NARROW_SIZES : SIZES;
    this.element.width = Math.round(width * ratio);
    this.element.height = Math.round(h * this.stretch * ratio);
    this.element.style.height = `${h * this.stretch}px`;
    this.ratio = ratio;
  }

  draw(frame, q) {
    const { context: c, ratio } = this;
    c.setTransform(ratio, 0, 0, ratio, 0, 0);
    c.clearRect(0, 0, this.element.width, this.element.height);
    for (const layer of this.panel.layers) {
      c.save();
      DRAW[layer.kind](this, layer, frame, q);
      c.restore();
    }
    if (this.held) { // the point that the pointer holds
      c.strokeStyle = this.film.theme.primary;
      c.lineWidth = 3;
      c.beginPath();
      c.arc(...this.held, 9, 0, 7);
      c.stroke();
    }
  }

  text(words, x, y, { size = 13, weight = 400, fill = "text", align = "left", baseline = "middle", halo = false } = {}) {
    const { context: c, film } = this;
    c.font = `${weight} ${size}px ${film.theme.font}`;
    c.textAlign = align;
    c.textBaseline = baseline;
    if (halo) {
      c.lineWidth = 4;
      c.lineJoin = "round";
      c.strokeStyle = film.theme.background;
      c.strokeText(words, x, y);
    }
    c.fillStyle = color(fill, film.theme);
    c.fillText(words, x, y);
  }

  // An 8 × 8 digit as a small picture: dark strokes on the tile's colour.
  image(pixels) {
    if (!this.images.has(pixels)) {
      const side = Math.sqrt(pixels.length);
      const picture = new OffscreenCanvas(side, side);
      const c = picture.getContext("2d");
      const data = c.createImageData(side, side);
      [...pixels].forEach((digit, i) => data.data.set([20, 20, 30, parseInt(digit, 16) * 17], 4 * i));
      c.putImageData(data, 0, 0);
      this.images.set(pixels, picture);
    }
    return this.images.get(pixels);
  }
}

const SIZES = { small: 12, normal: 14, big: 22, huge: 32 }; // px
const NARROW_SIZES = { small: 11.5, normal: 12.5, big: 16, huge: 20 };

const DRAW = {
  text(canvas, layer, frame) {
    const words = at(layer.text, frame);
    if (!words) return;
    const s = canvas.scale, [x, y] = layer.at;
    const size = canvas.type[layer.size ?? "normal"];
    const lines = String(words).split("\n");
    lines.forEach((line, i) => canvas.text(line, x * s, y * s + i * size * 1.25, {
      size, weight: layer.weight ?? (size > 14 ? 650 : 400), fill: at(layer.color, frame) ?? "text",
      align: layer.align, halo: layer.halo,
    }));
  },

  box(canvas, layer, frame, q) {
    const { context: c, scale: s, film } = canvas;
    const [x, y, w, h] = layer.at.map((value) => value * s);
    const [before, now] = [at(layer.glow, Math.max(frame - 1, 0)) ?? 0, at(layer.glow, frame) ?? 0];
    const glow = mix(before, now, q);
    c.beginPath();
    c.roundRect(x, y, w, h, 8);
    if (layer.fill) { c.fillStyle = color(layer.fill, film.theme); c.globalAlpha = layer.alpha ?? 1; c.fill(); c.globalAlpha = 1; }
    if (glow > 0) { c.globalAlpha = 0.25 * glow; c.fillStyle = color(layer.glowing ?? "drawn", film.theme); c.fill(); c.globalAlpha = 1; }
    c.lineWidth = 1 + 1.5 * glow;
    c.setLineDash(layer.dash ?? []);
    c.strokeStyle = color(layer.edge ?? "line", film.theme);
    c.stroke();
    if (layer.label) canvas.text(at(layer.label, frame), x + w / 2, layer.labelled === "above" ? y - 10 : y + h / 2, { align: "center", size: 13, weight: 600, fill: layer.labelled === "above" ? "muted" : "text" });
  },

  // A liquid that rises to a level in [0, 1 and more]; beyond 1 it spills over the brim.
  tank(canvas, layer, frame, q) {
    const { context: c, scale: s, film } = canvas;
    const [x, y, w, h] = layer.at.map((value) => value * s);
    const level = mix(at(layer.level, Math.max(frame - 1, 0)), at(layer.level, frame), q);
    const full = clamp(level, 0, 1) * h;
    const over = level > 1;
    c.fillStyle = color(over ? "alarm" : layer.fill ?? "primary", film.theme);
    c.globalAlpha = 0.75;
    c.fillRect(x, y + h - full, w, full);
    if (over) {
      const spill = clamp(level - 1, 0, 1.2);
      for (let i = 0; i < 26; i++) {
        const side = i % 2 ? 1 : -1, far = ((i * 37) % 26) / 26, drop = (spill * 60 * (0.4 + far)) % h;
        c.beginPath();
        c.arc(x + w / 2 + side * (w / 2 + 4 + far * 26 * Math.min(spill * 2, 1)), y + drop * (0.2 + far), 2 + 3 * far, 0, 7);
        c.fill();
      }
    }
    c.globalAlpha = 1;
    c.strokeStyle = color("text", film.theme);
    c.lineWidth = 2.5;
    c.beginPath();
    c.moveTo(x, y - 6); c.lineTo(x, y + h); c.lineTo(x + w, y + h); c.lineTo(x + w, y - 6);
    c.stroke();
    c.setLineDash([5, 4]); c.lineWidth = 1.5; c.strokeStyle = color("alarm", film.theme);
    c.beginPath(); c.moveTo(x - 10, y); c.lineTo(x + w + 10, y); c.stroke(); c.setLineDash([]);
    canvas.text(at(layer.label, frame) ?? "", x + w / 2, y + h + 14, { align: "center", weight: 600 });
    if (layer.limit) canvas.text(layer.limit, x + w / 2, y - 14, { align: "center", size: 12, fill: "alarm" });
  },

  tiles(canvas, layer, frame, q) {
    const { context: c, scale: s, film } = canvas;
    const size = layer.size * s;
    const [from, to] = [at(layer.slots_at, Math.max(frame - 1, 0)), at(layer.slots_at, frame)];
    const [was, is] = [at(layer.states, Math.max(frame - 1, 0)), at(layer.states, frame)];
    const turn = at(layer.turn, frame); // order in which tiles that move set out
    const n = to.length;
    const rank = turn ? new Array(n) : null;
    if (turn) turn.forEach((tile, i) => { rank[tile] = i; });
    const movers = [];
    for (let i = 0; i < n; i++) if (from[i] !== to[i]) movers.push(i);
    if (rank) movers.sort((a, b) => rank[a] - rank[b]);
    const place = new Map(movers.map((tile, i) => [tile, i]));
    const lag = movers.length > 1 ? 0.55 / (movers.length - 1) : 0;
    const one = (i) => {
      const own = place.has(i) ? ease(clamp((q - lag * place.get(i)) / 0.45, 0, 1)) : q;
      const [ax, ay] = layer.slots[from[i]], [bx, by] = layer.slots[to[i]];
      const x = mix(ax, bx, own) * s, y = (mix(ay, by, own) - (place.has(i) ? Math.sin(Math.PI * own) * layer.size * (layer.hop ?? 0.6) : 0)) * s;
      const style = layer.styles[(own < 0.5 ? was : is)[i]];
      c.globalAlpha = style.alpha ?? 1;
      const gap = size * 0.06, side = size - 2 * gap;
      c.beginPath();
      if (size > 9) c.roundRect(x + gap, y + gap, side, side, Math.min(3, side / 5)); else c.rect(x + gap, y + gap, side, side);
      c.fillStyle = color(style.fill, film.theme);
      c.fill();
      if (style.edge && size > 5) { c.lineWidth = style.width ?? 1; c.strokeStyle = color(style.edge, film.theme); c.stroke(); }
      if (layer.images && size > 8) {
        c.imageSmoothingEnabled = false;
        c.globalAlpha = (style.alpha ?? 1) * (style.ink ?? 1);
        c.drawImage(canvas.image(layer.images[i % layer.images.length]), x + gap * 2, y + gap * 2, size - 4 * gap, size - 4 * gap);
      }
      const label = at(layer.labels, frame)?.[i];
      if (label) { c.globalAlpha = style.alpha ?? 1; canvas.text(label, x + size / 2, y + size / 2 + 0.5, { align: "center", size: clamp(size * 0.42, 9, 13), weight: 600, fill: style.text ?? "text" }); }
    };
    for (let i = 0; i < n; i++) if (!place.has(i)) one(i);
    movers.reverse().forEach(one);
  },

  plot(canvas, layer, frame, q) {
    const plot = new Plot(canvas, layer);
    if ((layer.x || layer.y) && !layer.bare) plot.axes();
    const { context: c } = canvas;
    for (const mark of layer.marks) {
      if (mark.shown && !mark.shown[frame]) continue;
      c.save();
      if (mark.mark !== "label" && mark.mark !== "arrow") { c.beginPath(); c.rect(plot.left - 1, plot.top - 6, plot.width + 7, plot.height + 7); c.clip(); }
      MARKS[mark.mark](plot, mark, frame, q);
      c.restore();
    }
    for (const mark of layer.marks) if (mark.mark === "line" && !(mark.shown && !mark.shown[frame])) MARKS.name(plot, mark, frame, q);
  },

  bars(canvas, layer, frame, q) {
    const { context: c, scale: s, film } = canvas;
    const [x, y, w, h] = layer.at.map((value) => value * s);
    const [was, is] = [at(layer.values, Math.max(frame - 1, 0)), at(layer.values, frame)];
    const words = at(layer.texts, frame);
    const n = is.length, step = h / n, thick = Math.min(step * (layer.labelled === "above" ? 0.42 : 0.62), 26);
    const left = layer.labelled === "above" ? 0 : (layer.left ?? 0) * s;
    const room = w - left - (layer.room ?? 70);
    const share = (value) => layer.log ? clamp(Math.log(Math.max(value, layer.low) / layer.low) / Math.log(layer.high / layer.low), 0, 1) : clamp(value / layer.high, 0, 1);
    for (let i = 0; i < n; i++) {
      const middle = y + step * (i + (layer.labelled === "above" ? 0.68 : 0.5));
      const length = mix(share(was[i]), share(is[i]), q) * room;
      c.fillStyle = color(at(layer.colors, frame)[i], film.theme);
      c.beginPath();
      c.roundRect(x + left, middle - thick / 2, Math.max(length, 1), thick, 3);
      c.fill();
      if (layer.labelled === "above") canvas.text(at(layer.labels, frame)[i], x, y + step * i + step * 0.24, { size: 13 });
      else canvas.text(at(layer.labels, frame)[i], x + left - 8, middle, { align: "right", size: 13 });
      if (words?.[i]) canvas.text(words[i], x + left + length + 6, middle, { size: 13, weight: 650, fill: "text" });
    }
  },
};

class Plot {
  constructor(canvas, layer) {
    const s = canvas.scale;
    Object.assign(this, { canvas, layer });
    const [x, y, w, h] = layer.at.map((value, i) => value * (i % 2 ? canvas.stretch : s));
    const margin = layer.margin ?? [layer.y ? 46 : 0, layer.title ? 24 : 6, 8, layer.x ? 38 : 0]; // px: left, top, right, bottom
    [this.left, this.top] = [x + margin[0], y + margin[1]];
    [this.width, this.height] = [w - margin[0] - margin[2], h - margin[1] - margin[3]];
    this.box = [x, y, w, h];
  }

  part(axis, value) {
    if (!axis) return value;
    const [low, high] = axis.domain;
    return axis.log ? Math.log(Math.max(value, low * 1e-3) / low) / Math.log(high / low) : (value - low) / (high - low);
  }

  x(value) { return this.left + this.part(this.layer.x, value) * this.width; }
  y(value) { return this.top + (1 - this.part(this.layer.y, value)) * this.height; }

  // The values of a place in px, on linear axes.
  point(x, y) {
    const value = (axis, share) => axis.domain[0] + clamp(share, 0, 1) * (axis.domain[1] - axis.domain[0]);
    return [value(this.layer.x, (x - this.left) / this.width), value(this.layer.y, 1 - (y - this.top) / this.height)];
  }

  ticks(axis, room) {
    if (axis.ticks) return axis.ticks;
    const [low, high] = axis.domain;
    const words = (value) => (Math.abs(value) >= 1000 ? value.toLocaleString("en-US") : String(+value.toPrecision(6)));
    if (axis.log) {
      const found = [];
      for (let p = Math.ceil(Math.log10(low) - 1e-9); 10 ** p <= high * 1.0001; p++) found.push(10 ** p);
      const each = Math.ceil(found.length / Math.max(2, room));
      return found.filter((_, i) => (found.length - 1 - i) % each === 0).map((value) => [value, words(+value.toPrecision(3))]);
    }
    const raw = (high - low) / Math.max(2, room), power = 10 ** Math.floor(Math.log10(raw));
    const step = [1, 2, 5, 10].map((m) => m * power).find((m) => m >= raw);
    const found = [];
    for (let i = Math.ceil(low / step - 1e-9); i * step <= high * (1 + 1e-9); i++) found.push([i * step, words(i * step)]);
    return found;
  }

  axes() {
    const { canvas, layer } = this, { context: c, film } = canvas;
    c.strokeStyle = film.theme.grid;
    c.lineWidth = 1;
    if (layer.title) canvas.text(layer.title, this.box[0], this.box[1] + 9, { weight: 600, size: 13 });
    if (layer.y) for (const [value, words] of this.ticks(layer.y, this.height / 45)) {
      const y = this.y(value);
      c.beginPath(); c.moveTo(this.left, y); c.lineTo(this.left + this.width, y); c.stroke();
      canvas.text(words, this.left - 6, y, { align: "right", size: 12, fill: "muted" });
    }
    if (layer.x) {
      for (const [value, words] of this.ticks(layer.x, this.width / 70)) {
        const x = this.x(value);
        c.beginPath(); c.moveTo(x, this.top + this.height); c.lineTo(x, this.top + this.height + 4); c.stroke();
        canvas.text(words, clamp(x, this.box[0] + 10, this.box[0] + this.box[2] - 12), this.top + this.height + 12, { align: "center", size: 12, fill: "muted" });
      }
      canvas.text(layer.x.title ?? "", this.left + this.width / 2, this.top + this.height + 29, { align: "center", size: 12.5, fill: "muted" });
      c.strokeStyle = film.theme.line;
      c.beginPath(); c.moveTo(this.left, this.top + this.height); c.lineTo(this.left + this.width, this.top + this.height); c.stroke();
    }
    if (layer.y?.title) canvas.text(layer.y.title, this.left + 4, this.top - 8 + (layer.title ? 4 : 8), { size: 12.5, fill: "muted", halo: true });
  }
}

// Points of a line that are drawn, with a last one between two of them.
function drawn(mark, frame, q) {
  const reach = mark.upto ? mix(at(mark.upto, Math.max(frame - 1, 0)), at(mark.upto, frame), q) : mark.xs.length - 1;
  const whole = Math.floor(reach + 1e-9), rest = reach - whole;
  if (reach < 0) return [];
  const points = mark.xs.slice(0, whole + 1).map((x, i) => [x, mark.ys[i]]);
  if (rest > 1e-6 && whole + 1 < mark.xs.length) points.push([mix(mark.xs[whole], mark.xs[whole + 1], rest), mix(mark.ys[whole], mark.ys[whole + 1], rest)]);
  return points;
}

const MARKS = {
  line(plot, mark, frame, q) {
    const { context: c, film } = plot.canvas;
    const points = drawn(mark, frame, q);
    if (!points.length) return;
    c.strokeStyle = c.fillStyle = color(mark.color, film.theme);
    c.lineWidth = mark.width ?? 2.5;
    c.lineJoin = "round";
    c.globalAlpha = mark.alpha ?? 1;
    c.setLineDash(mark.dash ?? []);
    c.beginPath();
    points.forEach(([x, y], i) => (i ? c.lineTo : c.moveTo).call(c, plot.x(x), plot.y(y)));
    c.stroke();
    if (mark.head) { const [x, y] = points.at(-1); c.beginPath(); c.arc(plot.x(x), plot.y(y), 5, 0, 7); c.fill(); }
    if (mark.points) for (const [x, y] of points) { c.beginPath(); c.arc(plot.x(x), plot.y(y), mark.points, 0, 7); c.fill(); }
  },

  name(plot, mark, frame, q) {
    if (!mark.name) return;
    const points = drawn(mark, frame, q);
    if (!points.length) return;
    const { canvas } = plot;
    canvas.context.font = `650 13px ${canvas.film.theme.font}`;
    const width = canvas.context.measureText(mark.name).width;
    const [x, y] = [plot.x(points.at(-1)[0]), plot.y(points.at(-1)[1])];
    const right = x + 9 + width < plot.box[0] + plot.box[2];
    canvas.text(mark.name, right ? x + 9 : x, right ? y + (mark.dy ?? 0) : y - 13 + (mark.dy ?? 0), { size: 13, weight: 650, fill: mark.color, align: right ? "left" : "right", halo: true });
  },

  // An arrow from the origin of its track: [x0, y0, x1, y1] or null for each frame; grows where there was none.
  arrow(plot, mark, frame, q) {
    const { context: c, film } = plot.canvas;
    const now = at(mark.to, frame);
    if (!now) return;
    const before = (frame > 0 && at(mark.to, frame - 1)) || [now[0], now[1], now[0], now[1]];
    const [x0, y0, x1, y1] = now.map((value, i) => mix(before[i], value, q)).map((value, i) => (i % 2 ? plot.y(value) : plot.x(value)));
    const length = Math.hypot(x1 - x0, y1 - y0), width = mark.width ?? 2.5;
    if (length < 1) return;
    const head = Math.min(5 + 2.2 * width, length * 0.6), [ux, uy] = [(x1 - x0) / length, (y1 - y0) / length];
    c.globalAlpha = at(mark.alpha, frame) ?? 1;
    c.strokeStyle = c.fillStyle = color(mark.color, film.theme);
    c.lineWidth = width;
    c.setLineDash(mark.dash ?? []);
    c.beginPath(); c.moveTo(x0, y0); c.lineTo(x1 - ux * head * 0.8, y1 - uy * head * 0.8); c.stroke();
    c.setLineDash([]);
    c.beginPath();
    c.moveTo(x1, y1);
    c.lineTo(x1 - ux * head - uy * head * 0.45, y1 - uy * head + ux * head * 0.45);
    c.lineTo(x1 - ux * head + uy * head * 0.45, y1 - uy * head - ux * head * 0.45);
    c.fill();
    if (mark.name) plot.canvas.text(mark.name, x1 + ux * 8, y1 + uy * 12, { size: 13, weight: 650, fill: mark.color, align: Math.abs(ux) < 0.35 ? "center" : ux > 0 ? "left" : "right", halo: true });
  },

  dots(plot, mark, frame, q) {
    const { context: c, film } = plot.canvas;
    const [was, is] = [at(mark.points, Math.max(frame - 1, 0)), at(mark.points, frame)];
    const fills = at(mark.colors, frame);
    c.globalAlpha = mark.alpha ?? 1;
    is.forEach((point, i) => {
      if (!point) return;
      const before = was[i] ?? point;
      c.fillStyle = color(Array.isArray(fills) ? fills[i] : fills, film.theme);
      c.beginPath();
      c.arc(plot.x(mix(before[0], point[0], q)), plot.y(mix(before[1], point[1], q)), mark.size ?? 4, 0, 7);
      c.fill();
      if (mark.edge) { c.lineWidth = 1.5; c.strokeStyle = color(mark.edge, film.theme); c.stroke(); }
    });
  },

  frames(plot, mark, frame) {
    const { context: c, film } = plot.canvas;
    const [w, h] = mark.cell;
    c.lineWidth = 3;
    c.strokeStyle = color(mark.color, film.theme);
    for (const point of at(mark.points, frame)) {
      if (!point) continue;
      const [left, top] = [plot.x(point[0] - w / 2), plot.y(point[1] + h / 2)];
      c.strokeRect(left + 1.5, top + 1.5, plot.x(point[0] + w / 2) - left - 3, plot.y(point[1] - h / 2) - top - 3);
    }
  },

  rule(plot, mark) {
    const { context: c, film, } = plot.canvas;
    c.strokeStyle = color(mark.color ?? "muted", film.theme);
    c.lineWidth = mark.width ?? 1.5;
    c.setLineDash(mark.dash ?? [5, 4]);
    c.beginPath();
    if (mark.x !== undefined) { c.moveTo(plot.x(mark.x), plot.top); c.lineTo(plot.x(mark.x), plot.top + plot.height); }
    else { c.moveTo(plot.left, plot.y(mark.y)); c.lineTo(plot.left + plot.width, plot.y(mark.y)); }
    c.stroke();
  },

  label(plot, mark, frame) {
    const words = at(mark.text, frame);
    if (words) plot.canvas.text(words, plot.x(mark.x) + (mark.dx ?? 0), plot.y(mark.y) + (mark.dy ?? 0), { size: 12.5, weight: mark.weight ?? 600, fill: mark.color ?? "muted", align: mark.align ?? "left", halo: true });
  },

  // A grid of colours: row by row from the top, one character a cell, "." for none.
  field(plot, mark, frame) {
    const { context: c, film } = plot.canvas;
    const cells = at(mark.cells, frame);
    const [w, h] = [plot.width / mark.columns, plot.height / mark.rows];
    c.globalAlpha = mark.alpha ?? 1;
    [...cells].forEach((key, i) => {
      if (key === ".") return;
      c.fillStyle = color(mark.palette[key], film.theme);
      const gap = mark.gap ?? 0;
      c.fillRect(plot.left + (i % mark.columns) * w + gap, plot.top + Math.floor(i / mark.columns) * h + gap, w - 2 * gap + (gap ? 0 : 0.6), h - 2 * gap + (gap ? 0 : 0.6));
    });
    const words = at(mark.texts, frame);
    words?.forEach((text, i) => text && plot.canvas.text(text, plot.left + (i % mark.columns + 0.5) * w, plot.top + (Math.floor(i / mark.columns) + 0.5) * h, { align: "center", size: clamp(w / 4.2, 9, 13), fill: mark.ink?.[cells[i]] ?? "text" }));
  },
};

// ---- code, of which one line is lit -----------------------------------------------------------------------------------

class Code {
  constructor(panel) {
    this.panel = panel;
    this.element = document.createElement("pre");
    this.element.tabIndex = 0;
    this.lines = panel.code.map((line) => {
      const element = document.createElement("div");
      element.textContent = line || " ";
      this.element.append(element);
      return element;
    });
  }

  resize() {}

  draw(frame) {
    const lit = [at(this.panel.lit, frame)].flat();
    this.lines.forEach((line, i) => {
      line.classList.toggle("lit", lit.includes(i));
      line.toggleAttribute("aria-current", lit.includes(i));
    });
  }
}

