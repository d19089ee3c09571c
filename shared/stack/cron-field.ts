/** One of the five fields of a cron line: its bounds, and the names that stand for numbers. */
interface Field {
  readonly what: string;
  readonly min: number;
  readonly max: number;
  readonly names?: readonly string[];
}

const months = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
const weekdays = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];

export const fields = {
  minute: { what: "minute", min: 0, max: 59 },
  hour: { what: "hour", min: 0, max: 23 },
  dayOfMonth: { what: "day of the month", min: 1, max: 31 },
  month: { what: "month", min: 1, max: 12, names: months },
  dayOfWeek: { what: "day of the week", min: 0, max: 6, names: weekdays },
} as const satisfies Record<string, Field>;

/**
 * Reads one field as robfig/cron v3 does (`getField` in its parser.go): lists, ranges, steps, names, `*` and `?`;
 * `N/step` means from N to the end; no weekday 7, no L, W, # or +.
 * @returns The numbers in order, or `"*"` when the field restricts nothing: with a day of the month and a day of the
 *   week that both restrict, one of them matching is enough; else both must match. `1-31` restricts in this sense.
 * @throws {SyntaxError} What is wrong with it.
 */
export function parseField(text: string, field: Field): "*" | number[] {
  const parts = text.split(",").filter((part) => part !== "");
  if (parts.length === 0) throw new SyntaxError(`the ${field.what} is empty`);
  const ranges = parts.map((part) => parseRange(part, field));
  if (ranges.includes("*")) return "*";
  const numbers = new Set(ranges.flatMap((range) => range as number[]));
  return [...numbers].sort((a, b) => a - b);
}

function parseRange(text: string, field: Field): "*" | number[] {
  const [range = "", stepText, ...rest] = text.split("/");
  const [lowText = "", highText, ...more] = range.split("-");
  if (rest.length > 0 || more.length > 0) throw bad(text, field, "a number, a range or a step is wanted");
  const step = stepText === undefined ? 1 : parseNumber(stepText, { what: field.what, min: 1, max: Infinity });
  const all = lowText === "*" || lowText === "?";
  if (all && highText !== undefined) throw bad(text, field, `"${lowText}" takes no end`);
  if (all && step === 1) return "*";
  const low = all ? field.min : parseNumber(lowText, field);
  const open = all || (highText === undefined && stepText !== undefined);
  const high = open ? field.max : highText === undefined ? low : parseNumber(highText, field);
  if (low > high) throw bad(text, field, "it ends before it begins");
  return Array.from({ length: Math.floor((high - low) / step) + 1 }, (_, index) => low + index * step);
}

function parseNumber(text: string, field: Field): number {
  const named = field.names?.indexOf(text.toLowerCase()) ?? -1;
  const number = named >= 0 ? named + field.min : /^\d+$/.test(text) ? Number(text) : Number.NaN;
  if (!(number >= field.min && number <= field.max)) {
    const bounds = field.max === Infinity ? `${field.min} or more` : `${field.min} to ${field.max}`;
    throw bad(text, field, `${bounds} is wanted`);
  }
  return number;
}

function bad(text: string, field: Field, wanted: string): SyntaxError {
  return new SyntaxError(`the ${field.what} is "${text}": ${wanted}`);
}
