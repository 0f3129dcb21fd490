// The model card, as elements.

import { element } from "./dom.js";

export function cardElements(sections) {
  return sections.flatMap(({ title, blocks }) => [
    element("h2", { textContent: title }),
    ...blocks.flatMap(blockElements),
  ]);
}

function blockElements(block) {
  const heading = block.heading ? [element("h3", { textContent: block.heading })] : [];
  if (block.text) return [...heading, element("p", { textContent: block.text })];
  if (block.items?.length) {
    const items = block.items.map((textContent) => element("li", { textContent }));
    return [...heading, element("ul", {}, ...items)];
  }
  if (!block.head?.length) return heading;
  const row = (cells, tag) =>
    element("tr", {}, ...cells.map((textContent) => element(tag, { textContent })));
  const table = element(
    "table",
    {},
    element("thead", {}, row(block.head, "th")),
    element("tbody", {}, ...block.rows.map((cells) => row(cells, "td"))),
  );
  return [...heading, element("div", { className: "scroll", tabIndex: 0 }, table)];
}
