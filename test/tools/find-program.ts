import { constants } from "node:fs";
import { access } from "node:fs/promises";
import { delimiter, join } from "node:path";
import { Failure } from "../../shared/failures.ts";

/*
 * Programs that only tests need. deploy/local/setup.sh looks for them in the same places, and installs them.
 */

/** Chromium, for tests that look at the status page. */
export const findChromium = (path?: string) =>
  findProgram(
    {
      names: ["chromium", "chromium-browser"],
      beside: "/Applications/Chromium.app/Contents/MacOS/Chromium",
      debian: "chromium",
      homebrew: "--cask chromium",
    },
    path,
  );

/** Prometheus' own checker of metrics and rules. */
export const findPromtool = (path?: string) =>
  findProgram({ names: ["promtool"], debian: "prometheus", homebrew: "prometheus" }, path);

interface Wanted {
  readonly names: readonly [string, ...string[]];
  /** Where else it may be. */
  readonly beside?: string;
  /** Who brings it. */
  readonly debian: string;
  readonly homebrew: string;
}

/** @throws {Failure} `tool_missing`, with the line to type as its hint. */
async function findProgram(
  { names, beside, debian, homebrew }: Wanted,
  path = process.env.PATH ?? "",
): Promise<string> {
  const folders = [...path.split(delimiter).filter((folder) => folder !== ""), "/opt/homebrew/bin"];
  const places = [...folders.flatMap((folder) => names.map((name) => join(folder, name))), ...(beside ? [beside] : [])];
  for (const place of places) if (await canRun(place)) return place;
  throw new Failure("tool_missing", `Cannot run the test: the program ${names[0]} is wanted, is not installed`, {
    hint: process.platform === "darwin" ? `Type: brew install ${homebrew}` : `Type: sudo apt-get install ${debian}`,
  });
}

const canRun = (file: string) =>
  access(file, constants.X_OK).then(
    () => true,
    () => false,
  );
