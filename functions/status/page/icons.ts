import { html, raw } from "hono/html";

/* Shapes that tell states apart without their colour. Drawn once in the page, used by name. */

const shapes = {
  good: '<path d="M4 8.5 7 11.5 12.5 5"/>',
  same: '<path d="M4.5 6.5h7M4.5 9.5h7"/>',
  bad: '<path d="m5 5 6 6M11 5l-6 6"/>',
  late: '<circle cx="8" cy="8" r="6"/><path d="M8 4.8V8l2.2 1.4"/>',
  warn: '<path d="M8 4v5M8 11.8v.1"/>',
  run: '<path d="M8 4.2v7.4M4.9 7.2 8 4.1l3.1 3.1"/>',
  wait: '<path d="M8 4v5M8 11.8v.1"/>',
  pause: '<path d="M6.3 5v6M9.7 5v6"/>',
  none: '<path d="M5 8h6"/>',
  unknown: '<path d="M6.2 6.4a1.9 1.9 0 1 1 2.7 1.7c-.6.3-.9.6-.9 1.2M8 11.7v.1"/>',
} as const;
export type IconName = keyof typeof shapes;

export const iconShapes = () =>
  html`<svg class="shapes" aria-hidden="true" focusable="false"><defs>${raw(
    Object.entries(shapes)
      .map(([name, shape]) => `<symbol id="i-${name}" viewBox="0 0 16 16">${shape}</symbol>`)
      .join(""),
  )}</defs></svg>`;

export const icon = (name: IconName) =>
  html`<svg class="icon" aria-hidden="true" focusable="false"><use href="#i-${name}"/></svg>`;
