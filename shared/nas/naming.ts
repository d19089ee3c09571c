/**
 * The names of restore points and of their files under history/. They are the incumbent's, in UTC, so that a NAS
 * which it filled goes on being listed, restored from and pruned. Whatever does not match exactly is not ours.
 */

/** A restore point's id: its moment of capture in UTC, "20251219-180000". */
export type PointId = string;

export function pointIdOf(takenAtMs: number): PointId {
  const iso = new Date(takenAtMs).toISOString();
  return `${iso.slice(0, 10).replaceAll("-", "")}-${iso.slice(11, 19).replaceAll(":", "")}`;
}

/** @returns ms since the epoch, or undefined when it is no such id or no such moment (a 31 February). */
export function parsePointId(id: string): number | undefined {
  const match = /^(\d{4})(\d{2})(\d{2})-(\d{2})(\d{2})(\d{2})$/.exec(id);
  if (!match) return undefined;
  const [, year, month, day, hour, minute, second] = match;
  const ms = Date.parse(`${year}-${month}-${day}T${hour}:${minute}:${second}Z`);
  return Number.isNaN(ms) || pointIdOf(ms) !== id ? undefined : ms;
}

export interface HistoryName {
  readonly id: PointId;
  readonly takenAtMs: number;
  /** What stands between prefix and time: 7DTD's world. */
  readonly label?: string;
}

export interface HistoryNaming {
  /** @param label Only for namings that have one. */
  name(id: PointId, label?: string): string;
  /** @returns undefined for every name that this naming would not write. */
  parse(name: string): HistoryName | undefined;
}

/**
 * @param shape.prefix "factorio-"
 * @param shape.suffix ".zip"
 * @param shape.join Between date and time: "-" (factorio-20251219-180000.zip) or "_" (webui_20251219_180000.db).
 * @param shape.labelled Whether a label and "-" stand before the date (7dtd-<World>-20251219-180000.tar.gz).
 */
export function historyNaming(shape: {
  prefix: string;
  suffix: string;
  join: "-" | "_";
  labelled?: boolean;
}): HistoryNaming {
  const { prefix, suffix, join, labelled = false } = shape;
  const parse = (name: string): HistoryName | undefined => {
    if (!name.startsWith(prefix) || !name.endsWith(suffix)) return undefined;
    const middle = name.slice(prefix.length, name.length - suffix.length);
    const stamp = middle.slice(-15);
    const lead = middle.slice(0, -15);
    if (stamp.length !== 15 || stamp[8] !== join) return undefined;
    const id = `${stamp.slice(0, 8)}-${stamp.slice(9)}`;
    const takenAtMs = parsePointId(id);
    if (takenAtMs === undefined) return undefined;
    if (!labelled) return lead === "" ? { id, takenAtMs } : undefined;
    const label = lead.slice(0, -1);
    return lead.endsWith("-") && isLabel(label) ? { id, takenAtMs, label } : undefined;
  };
  const name = (id: PointId, label?: string): string => {
    if (parsePointId(id) === undefined) throw new RangeError(`Cannot name a restore point: "${id}" is no id of one`);
    if (labelled && (label === undefined || !isLabel(label))) {
      throw new RangeError(`Cannot name a restore point: a name part is needed, is ${JSON.stringify(label)}`);
    }
    const stamp = id.replace("-", join);
    return `${prefix}${labelled ? `${label}-` : ""}${stamp}${suffix}`;
  };
  return { name, parse };
}

/** A label is one path component, and not hidden. */
function isLabel(label: string): boolean {
  return label !== "" && !label.startsWith(".") && !/[/\\\0-\x1f]/.test(label);
}
