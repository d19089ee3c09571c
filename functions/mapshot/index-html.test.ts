import { expect, test } from "vitest";
import { parsePage } from "./index-html.ts";

const html = (config: string, more = "") =>
  Buffer.from(
    `<html><head><title>Mapsh\xf6t</title><link rel="icon" href="thumbnail.png" sizes="144x144">
<link rel="stylesheet" href="https://unpkg.com/leaflet@1.7.1/dist/leaflet.css" crossorigin="">
<script>let MAPSHOT_CONFIG = {}; try { ${config} } catch (e) { }</script></head>
<body><script src="./viewer-62b2eef2.js" defer=""></script><script src="viewer-62b2eef2.js"></script>${more}</body></html>`,
    "latin1",
  );
const parse = (content: Buffer) => parsePage(content, "/maps/index.html", "source_invalid");

test.each([
  ['MAPSHOT_CONFIG = {"path":"d-50f60503"}', "path", ""],
  ['MAPSHOT_CONFIG = { "encoded_path": "d-50f60503" }', "encoded_path", ""],
  ['MAPSHOT_CONFIG={"encoded_path":"renders/d-50f60503/"}', "encoded_path", "renders/"],
] as const)("parsePage() understands %s", (config, key, place) => {
  expect(parse(html(config))).toMatchObject({ hash: "50f60503", key, place });
});

test("parsePage() tells the viewer's files, and nothing that comes from another site", () => {
  expect(parse(html('MAPSHOT_CONFIG = {"path":"d-50f60503"}')).refersTo).toEqual([
    "thumbnail.png",
    "viewer-62b2eef2.js",
  ]);
});

test.each(["path", "encoded_path"])("at() moves the render and comes back to the same bytes (%s)", (key) => {
  for (const end of ["", "/"]) {
    const content = html(`MAPSHOT_CONFIG = { "${key}": "d-50f60503${end}" }`);
    const moved = parse(content).at("renders/");
    expect(moved).toEqual(html(`MAPSHOT_CONFIG = { "${key}": "renders/d-50f60503${end}" }`));
    expect(parse(moved).at("renders/")).toEqual(moved);
    expect(parse(moved).at("")).toEqual(content);
  }
});

test.each([
  ["no settings", "let other = 1"],
  ["none filled in", "MAPSHOT_CONFIG = {}"],
  ["the template", "MAPSHOT_CONFIG = __MAPSHOT_CONFIG_TOKEN__"],
  ["two of them", 'MAPSHOT_CONFIG = {"path":"d-50f60503"}; MAPSHOT_CONFIG = {"path":"d-50f60504"}'],
  ["one more, of another kind", 'MAPSHOT_CONFIG = {"path":"d-50f60503"}; MAPSHOT_CONFIG = window.other'],
  ["another key beside it", '{ MAPSHOT_CONFIG = {"path":"d-50f60503","more":1} }'],
  ["a folder elsewhere", 'MAPSHOT_CONFIG = {"path":"data/d-50f60503"}'],
  ["a way out", 'MAPSHOT_CONFIG = {"path":"../d-50f60503"}'],
  ["an address", 'MAPSHOT_CONFIG = {"path":"https://example.org/d-50f60503"}'],
  ["a hash that is none", 'MAPSHOT_CONFIG = {"path":"d-50f6050z"}'],
  ["a longer one", 'MAPSHOT_CONFIG = {"path":"d-50f605030"}'],
  ["other quotes", "MAPSHOT_CONFIG = {'path':'d-50f60503'}"],
])("parsePage() refuses %s", (_, config) => {
  expect(() => parse(html(config))).toThrow(expect.objectContaining({ code: "source_invalid" }));
});

test("parsePage() shows what it did not understand", () => {
  expect(() => parse(html('MAPSHOT_CONFIG = {"path":"data/d-50f60503"}'))).toThrow(/"data\/d-50f60503"/);
});
