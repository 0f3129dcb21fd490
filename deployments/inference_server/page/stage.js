// The picture with the boxes of its faces, a heat map, and a square that the user draws.

import { byId, element, percent } from "./dom.js";

const SMALL = 200;
const STEP = 0.05;

export class Stage {
  constructor({ onSelect, onRegion }) {
    this.root = byId("stage");
    this.frame = byId("frame");
    this.picture = byId("picture");
    this.video = byId("video");
    this.overlay = byId("overlay");
    this.onSelect = onSelect;
    this.onRegion = onRegion;
    this.drawsRegions = false;
    this.region = null;
    this.size = [1, 1];
    this.listen();
  }

  async showPicture(url, name) {
    this.reset();
    this.picture.src = url;
    this.picture.alt = name;
    await this.picture.decode().catch(() => undefined);
    this.size = [this.picture.naturalWidth || 1, this.picture.naturalHeight || 1];
    this.picture.classList.toggle("small", Math.max(...this.size) < SMALL);
    this.picture.hidden = false;
    this.reveal(true);
    byId("region-hint").hidden = !this.drawsRegions || Math.max(...this.size) < SMALL;
    return this.picture.naturalWidth > 0;
  }

  showVideo() {
    this.reset();
    this.video.hidden = false;
    this.reveal(true);
  }

  clear() {
    this.reset();
    this.picture.removeAttribute("src");
    this.reveal(false);
  }

  showFaces(faces, selected, size = this.size) {
    this.size = size;
    const focused = this.overlay.contains(document.activeElement);
    for (const old of this.overlay.querySelectorAll(".box")) old.remove();
    faces.forEach((face, number) => {
      if (face.box) this.overlay.append(this.box(face, number, number === selected));
    });
    if (focused) this.overlay.querySelector(".selected")?.focus();
  }

  showHeat({ image, box, angle_deg: angle }) {
    this.hideHeat();
    const heat = element("img", { className: "heat", alt: "", src: image });
    this.place(heat, box ?? [0, 0, ...this.size]);
    heat.style.rotate = `${angle}deg`;
    this.overlay.prepend(heat);
  }

  hideHeat() {
    this.overlay.querySelector(".heat")?.remove();
  }

  reset() {
    this.overlay.replaceChildren();
    this.picture.hidden = this.video.hidden = byId("region-hint").hidden = true;
    this.region = null;
  }

  reveal(isShown) {
    this.frame.hidden = !isShown;
    byId("empty").hidden = isShown;
  }

  box(face, number, isSelected) {
    const tag = element("span", {
      className: "tag",
      textContent: `${face.label} ${percent(face.confidence)}`,
    });
    const button = element(
      "button",
      {
        type: "button",
        className: isSelected ? "box selected" : "box",
        "aria-pressed": String(isSelected),
        "aria-label": `Face ${number + 1}: ${face.label}, ${percent(face.confidence)}`,
        onclick: () => this.onSelect(number),
      },
      tag,
    );
    this.place(button, face.box);
    button.classList.toggle("near-top", face.box[1] < 0.08 * this.size[1]);
    return button;
  }

  place(node, [left, top, right, bottom]) {
    const [width, height] = this.size;
    node.style.left = `${(100 * left) / width}%`;
    node.style.top = `${(100 * top) / height}%`;
    node.style.width = `${(100 * (right - left)) / width}%`;
    node.style.height = `${(100 * (bottom - top)) / height}%`;
  }

  // A square around a face: drawn with the pointer, moved and resized with the keys.
  listen() {
    let start = null;
    this.picture.draggable = false;
    this.overlay.addEventListener("pointerdown", (event) => {
      if (!this.drawsRegions || this.picture.hidden) return;
      start = this.point(event);
      this.overlay.setPointerCapture(event.pointerId);
    });
    this.overlay.addEventListener("pointermove", (event) => {
      if (start) this.setRegion(square(start, this.point(event), this.size));
    });
    this.overlay.addEventListener("pointerup", (event) => {
      if (!start) return;
      const region = square(start, this.point(event), this.size);
      start = null;
      this.setRegion(region[2] - region[0] > 8 ? region : null);
      this.onRegion(this.region);
    });
    this.root.addEventListener("keydown", (event) => this.onKey(event));
  }

  onKey(event) {
    if (!this.drawsRegions || this.picture.hidden || event.target !== this.root) return;
    const [width, height] = this.size;
    const side = Math.min(width, height);
    const step = STEP * side;
    const moves = {
      ArrowLeft: [-step, 0, 0], ArrowRight: [step, 0, 0], ArrowUp: [0, -step, 0],
      ArrowDown: [0, step, 0], "+": [-step / 2, -step / 2, step], "-": [step / 2, step / 2, -step],
    };
    const move = moves[event.key];
    if (!move) return;
    event.preventDefault();
    const half = side / 4;
    const [left, top, right] =
      this.region ?? [width / 2 - half, height / 2 - half, width / 2 + half];
    const size = Math.min(side, Math.max(8, right - left + move[2]));
    const x = Math.min(Math.max(0, left + move[0]), width - size);
    const y = Math.min(Math.max(0, top + move[1]), height - size);
    this.setRegion([x, y, x + size, y + size].map(Math.round));
    this.onRegion(this.region);
  }

  setRegion(region) {
    this.overlay.querySelector(".selection")?.remove();
    this.region = region;
    byId("region-hint").hidden = true;
    if (!region) return;
    const node = element("div", { className: "selection" });
    this.place(node, region);
    this.overlay.append(node);
  }

  point(event) {
    const area = this.overlay.getBoundingClientRect();
    const [width, height] = this.size;
    const clamp = (value, most) => Math.min(Math.max(0, value), most);
    return [
      clamp(((event.clientX - area.left) / area.width) * width, width),
      clamp(((event.clientY - area.top) / area.height) * height, height),
    ];
  }
}

function square([x, y], [toX, toY], [width, height]) {
  const wanted = Math.max(Math.abs(toX - x), Math.abs(toY - y));
  const roomX = toX < x ? x : width - x;
  const roomY = toY < y ? y : height - y;
  const side = Math.min(wanted, roomX, roomY);
  const left = toX < x ? x - side : x;
  const top = toY < y ? y - side : y;
  return [left, top, left + side, top + side].map(Math.round);
}
