import type { ImageConfig } from "./archive.ts";

/** What a Dockerfile tells containers to start with: the settings of its last stage, each on one line and in JSON form. */
export function configOf(dockerfile: string): ImageConfig {
  const lines = dockerfile.split("\n");
  const last = lines.slice(lines.findLastIndex((line) => line.startsWith("FROM ")));
  const valuesOf = (word: string) =>
    last.flatMap((line) => (line.startsWith(`${word} `) ? [line.slice(word.length + 1)] : []));
  const list = (word: string) =>
    valuesOf(word)
      .map((value) => JSON.parse(value) as string[])
      .at(-1);
  return {
    User: valuesOf("USER").at(-1),
    Env: valuesOf("ENV").flatMap((value) => value.split(/\s+/)),
    WorkingDir: valuesOf("WORKDIR").at(-1),
    Entrypoint: list("ENTRYPOINT"),
    Cmd: list("CMD"),
  };
}
