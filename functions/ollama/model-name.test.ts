import { expect, test } from "vitest";
import { manifestPathOf, nameOfPath, parseModelName, showModelName } from "./model-name.ts";

const pathOf = (text: string) => {
  const name = parseModelName(text);
  return name && manifestPathOf(name);
};

test.for([
  ["llama3.2:1b", "manifests/registry.ollama.ai/library/llama3.2/1b"],
  ["llama3.2", "manifests/registry.ollama.ai/library/llama3.2/latest"],
  ["me/mine:v1", "manifests/registry.ollama.ai/me/mine/v1"],
  ["hf.co/bartowski/Llama-3.2-1B-GGUF:Q4_K_M", "manifests/hf.co/bartowski/Llama-3.2-1B-GGUF/Q4_K_M"],
  ["localhost:5000/a/b", "manifests/localhost:5000/a/b/latest"],
] as const)("parseModelName() takes %s as ollama pull does", ([text, path]) => {
  expect(pathOf(text)).toBe(path);
});

test("parseModelName() takes nothing that could leave the folder, or that Ollama would not take", () => {
  const bad = [
    "",
    ":",
    "a:",
    "../a",
    "a/../b:c",
    "a/b/c/d:e",
    "a.b/c",
    "-a",
    ".a",
    "a:b/c:.d",
    "a b",
    "a:b\n",
    "a".repeat(81),
  ];
  for (const text of bad) expect(parseModelName(text), JSON.stringify(text)).toBeUndefined();
  expect(pathOf("a.b/c/d")).toBe("manifests/a.b/c/d/latest");
});

test("showModelName() is as short as ollama list is, and parseModelName() takes it back", () => {
  for (const text of ["llama3.2:1b", "me/mine:v1", "hf.co/user/repo:tag", "localhost:5000/a/b:c"]) {
    expect(showModelName(parseModelName(text) as never)).toBe(text);
  }
});

test("nameOfPath() wants four sound parts", () => {
  const named = (path: string, folder: "manifests" | "manifests-v2" = "manifests") => {
    const name = nameOfPath(path.split("/"), folder);
    return name && showModelName(name);
  };
  expect(named("registry.ollama.ai/library/a/b")).toBe("a:b");
  expect(named("registry.ollama.ai/library/a/.DS_Store")).toBeUndefined();
  expect(named("registry.ollama.ai/library/a")).toBeUndefined();
  expect(named("h/n/m/t/more")).toBeUndefined();
  expect(named("ollama.com/library/a/b", "manifests-v2")).toBe("a:b");
  expect(named("ollama.com/library/a/b")).toBe("ollama.com/library/a:b");
  expect(named("localhost%3A5000/n/m/t", "manifests-v2")).toBe("localhost:5000/n/m:t");
});
