// The hours of the forecast: a range, its two steps, and a play button.

const HOUR = 3600_000;
const STEP_MS = 350;

export class Slider {
  /**
   * @param {Record<string, string>} words
   * @param {string} language
   * @param {(hour: number, time: string, moving: boolean) => void} show
   * @param {(time: string) => void} settled
   */
  constructor(words, language, show, settled) {
    this.words = words;
    this.language = language;
    this.onShow = show;
    this.onSettled = settled;
    /** @type {number | null} */
    this.first = null;
    this.timer = 0;
    this.range = /** @type {HTMLInputElement} */ (document.getElementById("hour"));
    this.output = /** @type {HTMLElement} */ (document.getElementById("moment"));
    this.play = /** @type {HTMLButtonElement} */ (document.getElementById("play"));
    this.range.addEventListener("input", () => this.show());
    this.range.addEventListener("change", () => this.settle());
    document.getElementById("back")?.addEventListener("click", () => this.step(-1));
    document.getElementById("on")?.addEventListener("click", () => this.step(1));
    this.play.addEventListener("click", () => this.toggle());
  }

  get hour() {
    return Number(this.range.value);
  }

  /** The hours of a run, and the zone of the city whose clock is shown, stand in the page; the hour that was shown stays. */
  read() {
    const { zone, zoneName, first, hours } = document.getElementById("legends")?.dataset ?? {};
    const made = document.getElementById("main")?.dataset.made;
    this.zone = zone ?? "UTC";
    this.zoneName = zoneName ?? "UTC";
    const tag = { zh: "zh-CN", ja: "ja-JP" }[this.language] ?? "en-US";
    this.format = new Intl.DateTimeFormat(tag, {
      timeZone: this.zone, weekday: "short", month: tag === "en-US" ? "short" : "numeric", day: "numeric", hour: "2-digit", minute: "2-digit",
      hourCycle: "h23", year: first && first.slice(0, 4) !== made?.slice(0, 4) ? "numeric" : undefined,
    });
    this.day = new Intl.DateTimeFormat(tag, { timeZone: this.zone, weekday: "short", day: "numeric" });
    this.clock = new Intl.DateTimeFormat("en-GB", { timeZone: this.zone, hour: "numeric", hourCycle: "h23" });
    const shown = this.first === null ? null : this.first + (this.hour - 1) * HOUR;
    this.first = first ? Date.parse(first) : null;
    this.range.disabled = this.first === null;
    if (this.first === null) return;
    this.range.max = hours ?? "1";
    if (shown !== null) {
      this.range.value = String(Math.min(Math.max(1, (shown - this.first) / HOUR + 1), Number(this.range.max)));
    }
    this.drawTicks();
    this.show();
  }

  /** Name the days below the range, each at its noon. */
  drawTicks() {
    const holder = document.getElementById("ticks");
    if (!holder || this.first === null) return;
    const hours = Number(this.range.max);
    holder.replaceChildren();
    for (let hour = 1; hour <= hours; hour += 1) {
      const time = new Date(this.first + (hour - 1) * HOUR);
      if (Number(this.clock?.format(time)) !== 12) continue;
      const label = document.createElement("span");
      label.textContent = this.day?.format(time) ?? "";
      label.style.left = `clamp(1.3rem, ${(100 * (hour - 1)) / (hours - 1)}%, 100% - 1.3rem)`;
      holder.append(label);
    }
  }

  show() {
    if (this.first === null) return;
    const hour = Number(this.range.value);
    const time = new Date(this.first + (hour - 1) * HOUR);
    const said = this.words.at.replace("{moment}", this.format?.format(time) ?? "").replace("{zone}", this.zoneName ?? "");
    this.output.textContent = said;
    this.range.setAttribute("aria-valuetext", said);
    this.onShow(hour, this.key(time), this.timer !== 0);
  }

  /** @param {Date} time */
  key(time) {
    return time.toISOString().slice(0, 16) + "Z";
  }

  settle() {
    if (this.first === null) return;
    this.onSettled(this.key(new Date(this.first + (Number(this.range.value) - 1) * HOUR)));
  }

  /** @param {number} hours */
  step(hours) {
    this.range.value = String(Number(this.range.value) + hours);
    this.show();
    this.settle();
  }

  toggle() {
    const playing = this.timer !== 0;
    if (playing) {
      window.clearInterval(this.timer);
      this.timer = 0;
      this.settle();
    } else {
      this.timer = window.setInterval(() => {
        const last = Number(this.range.value) >= Number(this.range.max);
        this.range.value = last ? "1" : String(Number(this.range.value) + 1);
        this.show();
      }, STEP_MS);
    }
    this.play.setAttribute("aria-pressed", String(!playing));
    this.play.textContent = playing ? this.words.play : this.words.pause;
  }
}
