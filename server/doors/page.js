"use strict";
/* Each call on the page is one player: a position in milliseconds, shown by the playhead and by the current turn.
   With sound the audio element owns the position; without it the position only points. */

const OF_A_TURN_MS = 1; // media clocks are floating point: a seek to 1200 ms may read 1199.999
const prefersCalm = matchMedia("(prefers-reduced-motion: reduce)");

function clock(ms) {
  const tenths = Math.floor(ms / 100);
  const pad = (n) => String(n).padStart(2, "0");
  const hours = Math.floor(tenths / 36000);
  const rest = `${pad(Math.floor(tenths / 600) % 60)}:${pad(Math.floor(tenths / 10) % 60)}.${tenths % 10}`;
  return hours ? `${hours}:${rest}` : rest;
}

class Player {
  constructor(call) {
    this.call = call;
    this.audio = call.querySelector("audio");
    this.line = call.querySelector(".line");
    this.svg = call.querySelector("svg.time");
    this.list = call.querySelector(".turns");
    this.turns = [...call.querySelectorAll(".turns > .turn")];
    this.durationMs = this.svg ? Number(this.svg.dataset.duration) : 0;
    this.scrub = call.querySelector(".scrub");
    this.positionMs = 0;
    this.zoom = 1;
    call.addEventListener("click", (event) => this.clicked(event));
    if (this.svg) this.svg.addEventListener("click", (event) => this.pointed(event));
    if (this.scrub) this.scrub.addEventListener("input", () => this.seek(Number(this.scrub.value)));
    if (this.audio) this.listen();
    this.show();
  }

  listen() {
    const button = this.call.querySelector(".play");
    const state = () => {
      const playing = !this.audio.paused;
      button.setAttribute("aria-pressed", String(playing));
      button.setAttribute("aria-label", playing ? "暂停" : "播放");
      button.firstElementChild.textContent = playing ? "❚❚" : "▶";
      if (playing) this.frame();
    };
    for (const name of ["play", "pause", "ended"]) this.audio.addEventListener(name, state);
    for (const name of ["seeked", "timeupdate"]) this.audio.addEventListener(name, () => this.heard());
    button.addEventListener("click", () => this.toggle());
    const rate = this.call.querySelector(".rate");
    rate.addEventListener("change", () => { this.audio.playbackRate = Number(rate.value); });
  }

  frame() {
    if (this.audio.paused) return;
    this.heard();
    requestAnimationFrame(() => this.frame());
  }

  heard() {
    this.positionMs = this.audio.currentTime * 1000;
    this.show();
  }

  toggle() {
    if (!this.audio) return;
    if (!this.audio.paused) { this.audio.pause(); return; }
    for (const other of players) if (other !== this && other.audio) other.audio.pause();
    this.audio.play().catch(() => this.audio.pause());
  }

  seek(ms) {
    this.positionMs = Math.min(Math.max(ms, 0), this.durationMs);
    if (this.audio) this.audio.currentTime = this.positionMs / 1000;
    this.show();
  }

  clicked(event) {
    const button = event.target.closest("button");
    if (!button) return;
    const { jump, turn, step, zoom } = button.dataset;
    if (jump !== undefined) {
      this.seek(Number(jump));
      if (this.audio && this.audio.paused) this.toggle();
    }
    if (turn !== undefined && !(jump && this.svg) && this.turns[turn]) this.mark([this.turns[turn]], true);
    if (step !== undefined) this.seek(this.positionMs + Number(step));
    if (zoom !== undefined) this.scale(this.zoom * Number(zoom));
  }

  pointed(event) {
    if (event.target.closest("a")) return;
    const box = this.svg.getBoundingClientRect();
    this.seek(((event.clientX - box.left) / box.width) * this.durationMs);
  }

  scale(zoom) {
    this.zoom = Math.min(Math.max(zoom, 1), 16);
    this.svg.style.width = `${this.zoom * 100}%`;
    this.call.querySelector(".zoom-now").textContent = `${this.zoom}×`;
    this.line.scrollLeft = (this.positionMs / this.durationMs) * this.svg.clientWidth - this.line.clientWidth / 2;
  }

  /* Draws the position: playhead, clock, current turn. */
  show() {
    if (!this.svg) return;
    const at = `${(this.positionMs / this.durationMs) * 100}%`;
    const head = this.svg.querySelector(".playhead line");
    head.setAttribute("x1", at);
    head.setAttribute("x2", at);
    this.call.querySelector(".now").textContent = clock(this.positionMs);
    this.scrub.value = this.positionMs;
    this.scrub.setAttribute("aria-valuetext", clock(this.positionMs));
    this.keepInView();
    const ms = this.positionMs + OF_A_TURN_MS;
    const started = this.turns.filter((turn) => Number(turn.dataset.start) <= ms);
    const spoken = started.filter((turn) => ms < Number(turn.dataset.end));
    const follow = this.call.querySelector(".follow");
    this.mark(spoken.length ? spoken : started.slice(-1), follow ? follow.checked : true);
  }

  keepInView() {
    const x = (this.positionMs / this.durationMs) * this.svg.clientWidth;
    const left = this.line.scrollLeft;
    const width = this.line.clientWidth;
    if (this.zoom > 1 && (x < left || x > left + width)) this.line.scrollLeft = x - width * 0.1;
  }

  mark(turns, follow) {
    const before = this.turns.filter((turn) => turn.hasAttribute("aria-current"));
    if (before.length === turns.length && before.every((turn) => turns.includes(turn))) return;
    for (const turn of before) turn.removeAttribute("aria-current");
    for (const turn of turns) turn.setAttribute("aria-current", "true");
    if (!follow || !turns.length) return;
    /* Only the list scrolls, never the page under the reader's hands. */
    const turn = turns[0];
    const top = turn.offsetTop - this.list.offsetTop - (this.list.clientHeight - turn.offsetHeight) / 3;
    this.list.scrollTo({ top, behavior: prefersCalm.matches ? "auto" : "smooth" });
  }

  nextTurn(step) {
    const timed = this.turns.filter((turn) => turn.dataset.start !== undefined);
    const ms = this.positionMs + OF_A_TURN_MS;
    const at = timed.filter((turn) => Number(turn.dataset.start) <= ms).length - 1;
    const turn = timed[Math.min(Math.max(at + step, 0), timed.length - 1)];
    if (turn) this.seek(Number(turn.dataset.start));
  }
}

const players = [...document.querySelectorAll(".call")].map((call) => new Player(call));

/* Keys go to the call that plays, else to the one in the middle of the screen. */
function inHand() {
  const middle = innerHeight / 2;
  const playing = players.find((player) => player.audio && !player.audio.paused);
  return playing || players.find((player) => player.call.getBoundingClientRect().bottom > middle) || players.at(-1);
}

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.target.closest("input, select, textarea, summary, a")) return;
  if (event.key === " " && event.target.closest("button")) return;
  const player = inHand();
  const actions = {
    " ": () => player.toggle(),
    ArrowLeft: () => player.seek(player.positionMs - 5000),
    ArrowRight: () => player.seek(player.positionMs + 5000),
    ArrowUp: () => player.nextTurn(-1),
    ArrowDown: () => player.nextTurn(1),
  };
  if (!player || !player.svg || !actions[event.key]) return;
  event.preventDefault();
  actions[event.key]();
});

document.getElementById("save").addEventListener("click", () => {
  const results = JSON.parse(document.getElementById("results").textContent);
  const address = URL.createObjectURL(new Blob([JSON.stringify(results, null, 2)], { type: "application/json" }));
  const link = Object.assign(document.createElement("a"), { href: address, download: "earshot.json" });
  link.click();
  URL.revokeObjectURL(address);
});

let opened = [];
addEventListener("beforeprint", () => {
  opened = [...document.querySelectorAll("details:not([open])")];
  for (const details of opened) details.open = true;
});
addEventListener("afterprint", () => { for (const details of opened) details.open = false; });
