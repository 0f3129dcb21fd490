// Elements without markup in strings: text stays text, whatever a file is called.

const SVG = "http://www.w3.org/2000/svg";

export const byId = (id) => document.getElementById(id);

export function element(tag, properties = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name.startsWith("aria-") || name === "role") node.setAttribute(name, value);
    else node[name] = value;
  }
  node.append(...children.filter((child) => child !== null));
  return node;
}

// Brows (y at their outer and inner end), eyes (height), and the mouth of each expression.
const FACES = {
  angry: { brows: [17, 23], eyes: 3, mouth: "M22 46q10-8 20 0" },
  disgust: { brows: [20, 22], eyes: 2, mouth: "M21 44q5-6 10-2t11-2" },
  fear: { brows: [21, 16], eyes: 5, mouth: "M22 45q5-4 10 0t10 0" },
  happy: { brows: [19, 17], eyes: 3, mouth: "M20 39q12 15 24 0" },
  sad: { brows: [22, 17], eyes: 3, mouth: "M23 47q9-9 18 0" },
  surprise: { brows: [15, 14], eyes: 5, mouth: "M32 39a5 6 0 1 0 .1 0" },
  neutral: { brows: [19, 19], eyes: 3, mouth: "M23 43h18" },
  contempt: { brows: [19, 20], eyes: 3, mouth: "M23 44q9 1 19-5" },
};

export function faceIcon(label) {
  const { brows, eyes, mouth } = FACES[label] ?? FACES.neutral;
  const [outer, inner] = brows;
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", "0 0 64 64");
  svg.setAttribute("aria-hidden", "true");
  const line = (d, width) => {
    const path = document.createElementNS(SVG, "path");
    for (const [name, value] of Object.entries({
      d, fill: "none", stroke: "currentColor", "stroke-width": width, "stroke-linecap": "round",
    })) path.setAttribute(name, value);
    svg.append(path);
  };
  line("M32 5a27 27 0 1 0 .1 0", 3.5);
  line(`M17 ${outer}L27 ${inner}M47 ${outer}L37 ${inner}`, 3.5);
  line(`M23 ${30 - eyes / 2}v${eyes}M41 ${30 - eyes / 2}v${eyes}`, 5);
  line(mouth, 3.5);
  return svg;
}

export const percent = (share) => `${(100 * share).toFixed(share < 0.0995 ? 1 : 0)} %`;
