import { Failure, type FailureCode } from "../../shared/failures.ts";
import { readSmall } from "./read-small.ts";

/** Where a render's folder lies beside its index.html: next to it as the renderer leaves it, or as on the NAS. */
export type Place = "" | "renders/";

/** The page that shows a map: it names the render, and the viewer's files. */
export interface MapPage {
  /** Eight digits: the render is in `<place>d-<hash>`. */
  readonly hash: string;
  readonly place: Place;
  /** Under which key the viewer gets the render's path: `path`, since 0.0.25 `encoded_path`. */
  readonly key: "path" | "encoded_path";
  /** Files beside it that it refers to, as plain names: "viewer-62b2eef2.js". */
  readonly refersTo: readonly string[];
  /** The same page for another place of the render's folder; no other byte of it changes. */
  at(place: Place): Buffer;
}

const largestBytes = 1 << 20;

/**
 * @param code Of the failure: whether this is the source or a backup.
 * @throws {Failure} With that code when it is not there, or is not what Mapshot writes.
 */
export async function readPage(path: string, code: FailureCode): Promise<MapPage> {
  return parsePage(await pageBytes(path, code), path, code);
}

/** The page as it is, when it is there and of a page's size. Throws as `readPage`. */
export const pageBytes = (path: string, code: FailureCode) => readSmall(path, largestBytes, code);

export function parsePage(content: Buffer, path: string, code: FailureCode): MapPage {
  // One character a byte, so that what is not understood comes out as it went in.
  const text = content.toString("latin1");
  const settings = [...text.matchAll(/MAPSHOT_CONFIG\s*=(?!\s*\{\s*\})/g)];
  const known = [...text.matchAll(/MAPSHOT_CONFIG\s*=\s*\{\s*"(path|encoded_path)"\s*:\s*"([^"]*)"\s*\}/dg)];
  const [match] = known;
  const [, hash] = /^(?:renders\/)?d-([0-9a-f]{8})\/?$/.exec(match?.[2] ?? "") ?? [];
  const at = match?.indices?.[2];
  if (!match || !at || hash === undefined || known.length !== 1 || settings.length !== 1) {
    throw new Failure(
      code,
      `Cannot use "${path}": one MAPSHOT_CONFIG = {"path":"d-<hash>"} is wanted, ${settings.length === 0 ? "there is none" : `is ${settings.map(({ index }) => text.slice(index, index + 80).trim()).join(" and ")}`}`,
      { hint: "Is this the folder that Mapshot wrote, with index.html and d-… in it?" },
    );
  }
  const value = match[2] as string;
  return {
    hash,
    place: value.startsWith("renders/") ? "renders/" : "",
    key: match[1] as MapPage["key"],
    refersTo: localNames(text),
    at: (place) => {
      const path = `${place}d-${hash}${value.endsWith("/") ? "/" : ""}`;
      return Buffer.from(`${text.slice(0, at[0])}${path}${text.slice(at[1])}`, "latin1");
    },
  };
}

function localNames(text: string): string[] {
  const names = [...text.matchAll(/\b(?:src|href)="(?:\.\/)?([A-Za-z0-9][\w.-]*\.(?:js|css|svg|png|json))"/g)];
  return [...new Set(names.map((match) => match[1] as string))].sort();
}
