import { join, relative, resolve } from "node:path";
import { factorioLab } from "./factorio-lab.ts";
import { mapshotLab } from "./mapshot-lab.ts";
import { ollamaLab } from "./ollama-lab.ts";
import { openWebuiLab } from "./open-webui-lab.ts";
import { postgresqlLab } from "./postgresql-lab.ts";
import { sdtdLab } from "./sdtd-lab.ts";

/** What an app holds, one line for each thing: equal maps mean that every byte and row is the same. */
export type Content = ReadonlyMap<string, string>;

/** An app of the home lab: a real server over real data, all of it made by the demo. */
export interface LabApp {
  readonly title: string;
  /** Its name in keepsake.yaml. */
  readonly name: string;
  /** Makes the data, and starts the server. */
  make(): Promise<{ settings: Record<string, unknown>; about: string }>;
  /** Starts the server that was made before; nothing happens when it runs. */
  start(): Promise<void>;
  /** Stops the server; nothing happens when none runs, or none was ever made. */
  stop(): Promise<void>;
  /** Deletes what lies outside the lab's folder. The server is stopped by then. */
  remove(): Promise<void>;
  /** Everything that a restore has to bring back, read anew. */
  content(): Promise<Content>;
  /** How much that is, for people. */
  describe(content: Content): string;
  /** Destroys the data. @returns What was done, for people. */
  destroy(): Promise<string>;
}

/** Where things are in the home lab's folder. */
export const placesIn = (folder: string) => ({
  root: resolve(folder),
  config: join(resolve(folder), "keepsake.yaml"),
  nas: join(resolve(folder), "nas"),
  state: join(resolve(folder), "state"),
  secrets: join(resolve(folder), "secrets"),
  /** Says that the demo made this folder, and which process does so. */
  mark: join(resolve(folder), "demo.json"),
});

/** In the order of stack.yml; the map is one of the Factorio before it. */
export const labApps = (folder: string): LabApp[] =>
  [sdtdLab, factorioLab, mapshotLab, postgresqlLab, openWebuiLab, ollamaLab].map((lab) => lab(resolve(folder)));

/** A path as a person at this prompt would type it. */
export function shown(path: string): string {
  const near = relative(process.cwd(), path);
  return near === "" || near.startsWith("..") ? path : near;
}
