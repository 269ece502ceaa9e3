// ---- the player -------------------------------------------------------------------------------------------------------

class Player {
  constructor(root) {
    this.root = root;
    this.calm = window.matchMedia("(prefers-reduced-motion: reduce)");
    this.speed = 1;
    this.tick = this.tick.bind(this);
    this.onKey = this.onKey.bind(this);
    this.watch = new ResizeObserver(() => this.resize());
    document.body.addEventListener("keydown", keepFromPage);
    window.addEventListener("keydown", this.onKey);
  }

  show(film) {
    if (this.film?.id === film.id) return;
    this.film = film;
    this.last = film.frames - 1;
    this.position = 0;
    this.build();
    this.resize();
    this.set(!this.calm.matches && film.autoplay !== false);
  }

  build() {
    const { film } = this, { words, theme } = film;
    const root = this.root.querySelector(".film") ?? this.root.appendChild(document.createElement("div"));
    root.className = "film";
    root.setAttribute("role", "group");
    root.setAttribute("aria-label", words.film);
    for (const [name, value] of Object.entries(theme)) root.style.setProperty(`--film-${name}`, value);
    if (film.caption_lines) root.style.setProperty("--film-caption", `${1.4 * film.caption_lines}em`);
    root.innerHTML = `<div class="panels" role="img"></div><p class="caption"></p>
      <div class="bar"><button class="play" type="button"></button><button class="back" type="button">${svg("back")}</button>
      <button class="forward" type="button">${svg("forward")}</button><input type="range" min="0" step="1">
      <button class="speed" type="button"></button></div><p class="note"></p><span class="hidden" aria-live="polite"></span>`;
    const find = (name) => root.querySelector(name);
    this.parts = { panels: find(".panels"), caption: find(".caption"), play: find(".play"), slider: find("input"), speed: find(".speed"), said: find(".hidden") };
    find(".note").textContent = film.note ?? "";
    find(".note").hidden = !film.note;
    this.parts.panels.setAttribute("aria-label", film.alt);
    if (film.panels.some((panel) => panel.code)) this.parts.panels.setAttribute("role", "group");
    if (film.captions === undefined) this.parts.caption.hidden = true;
    if (film.bar === false) find(".bar").style.display = "none";
    this.pictures = film.panels.map((panel) => {
      const picture = panel.code ? new Code(panel) : new Canvas(panel, film);
      const place = document.createElement("div");
      place.className = "panel";
      place.style.flex = `${panel.share ?? 1} 1 0`;
      place.style.setProperty("--film-min", `${panel.least ?? 260}px`);
      place.append(picture.element);
      this.parts.panels.append(place);
      this.takePoints(picture);
      return picture;
    });
    const { play, slider, speed } = this.parts;
    for (const [name, by] of [["back", -1], ["forward", 1]]) {
      const button = find(`.${name}`);
      button.title = words[name];
      button.setAttribute("aria-label", words[name]);
      button.onclick = () => this.step(by);
    }
    play.onclick = () => this.toggle();
    slider.max = this.last;
    slider.setAttribute("aria-label", words.position);
    slider.oninput = () => { const goal = +slider.value; this.set(false); this.position = goal; this.label(); this.draw(); this.say(); };
    speed.onclick = () => { this.speed = SPEEDS[(SPEEDS.indexOf(this.speed) + 1) % SPEEDS.length]; this.label(); };
    root.onkeydown = (event) => { if (/^Arrow/.test(event.key)) event.stopPropagation(); }; // the page turns with arrows
    this.watch.disconnect();
    this.watch.observe(this.parts.panels);
  }

  // A plot with `pick` takes a point: a ring follows the pointer, and the place where it is let go is sent.
  takePoints(picture) {
    const layer = picture.panel.layers?.find((each) => each.pick);
    if (!layer) return;
    const { element } = picture;
    const hold = (point) => { picture.held = point; this.draw(); };
    const place = (event) => [event.offsetX, event.offsetY];
    element.style.cursor = "crosshair";
    element.onpointerdown = (event) => { element.setPointerCapture(event.pointerId); hold(place(event)); };
    element.onpointermove = (event) => { if (picture.held) hold(place(event)); };
    element.onpointercancel = () => hold(null);
    element.onpointerup = (event) => {
      if (!picture.held) return;
      hold(null);
      this.pick?.(new Plot(picture, layer).point(...place(event)));
    };
  }

  resize() {
    for (const picture of this.pictures ?? []) {
      const width = picture.element.parentElement.clientWidth;
      if (width) picture.resize(width);
    }
    this.draw();
  }

  set(playing) {
    this.playing = playing;
    this.before = undefined;
    this.goal = null;
    if (playing) {
      if (this.position >= this.last) this.position = 0;
      requestAnimationFrame(this.tick);
    }
    this.label();
    this.draw();
  }

  toggle() {
    this.set(!this.playing);
    if (!this.playing) this.say();
  }

  step(by) {
    const from = this.goal ?? this.position;
    const goal = clamp(by > 0 ? Math.floor(from + 1e-6) + 1 : Math.ceil(from - 1e-6) - 1, 0, this.last);
    this.set(false);
    if (by < 0 || this.calm.matches) { this.position = goal; this.draw(); } else { this.goal = goal; requestAnimationFrame(this.tick); }
    this.say(goal);
  }

  tick(now) {
    if (!this.root.isConnected || (!this.playing && this.goal === null)) return;
    const passed = this.before === undefined ? 0 : Math.min((now - this.before) / 1000, 0.1);
    this.before = now;
    const frame = clamp(Math.ceil(this.position + 1e-9), 0, this.last);
    const seconds = at(this.film.seconds, frame) ?? 0.8;
    const rate = this.playing ? this.speed : Math.max(1, seconds / 0.6);
    this.position = Math.min(this.position + (passed * rate) / seconds, this.goal ?? this.last);
    this.draw();
    if (this.goal !== null && this.position >= this.goal) { this.goal = null; return; }
    if (this.playing && this.position >= this.last) {
      if (!this.film.loop) return this.set(false);
      this.rest = (this.rest ?? 0) + passed;
      if (this.rest > (this.film.hold ?? 2)) { this.rest = 0; this.position = 0; }
    }
    requestAnimationFrame(this.tick);
  }

  draw() {
    if (!this.pictures) return;
    const frame = clamp(Math.ceil(this.position - 1e-9), 0, this.last);
    const q = ease(clamp((1 - (frame - this.position)) / MOTION, 0, 1));
    for (const picture of this.pictures) picture.draw(frame, frame === 0 ? 1 : q);
    this.parts.slider.value = Math.round(this.position);
    if (this.film.captions !== undefined) {
      const words = at(this.film.captions, frame);
      if (this.parts.caption.textContent !== words) this.parts.caption.textContent = words;
      this.parts.slider.setAttribute("aria-valuetext", words);
    }
    const state = this.playing ? "pause" : this.position >= this.last ? "again" : "play";
    if (this.state !== state || !this.parts.play.firstChild) {
      this.state = state;
      this.parts.play.innerHTML = svg(state);
      this.parts.play.title = this.film.words[state];
      this.parts.play.setAttribute("aria-label", this.film.words[state]);
    }
  }

  label() {
    this.parts.speed.textContent = `${this.speed}×`;
    this.parts.speed.setAttribute("aria-label", `${this.film.words.speed}: ${this.speed}×`);
    this.parts.speed.title = this.film.words.speed;
  }

  say(frame = Math.round(this.position)) {
    this.parts.said.textContent = this.film.captions === undefined ? `${frame + 1} / ${this.last + 1}` : at(this.film.captions, frame);
  }

  onKey(event) {
    if (event.key !== " " || event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
    const target = event.composedPath()[0];
    if (target instanceof Element && target.closest(TAKES_SPACE)) return;
    event.preventDefault();
    this.toggle();
  }

  end() {
    this.watch.disconnect();
    window.removeEventListener("keydown", this.onKey);
    this.set(false);
  }
}

// Arrow keys that a control takes must not turn the page too: Streamlit's shortcuts listen at the document.
function keepFromPage(event) {
  if (/^Arrow/.test(event.key) && event.target instanceof Element && event.target.closest(TAKES_KEYS)) event.stopPropagation();
}

const svg = (name) => `<svg viewBox="0 0 24 24" aria-hidden="true"><path d="${ICONS[name]}"/></svg>`;
const players = new WeakMap();

export default function ({ parentElement, data, setTriggerValue }) {
  if (!players.has(parentElement)) players.set(parentElement, new Player(parentElement));
  const player = players.get(parentElement);
  player.pick = (point) => setTriggerValue("picked", point);
  player.show(data);
  return () => {
    players.get(parentElement)?.end();
    players.delete(parentElement);
  };
}
