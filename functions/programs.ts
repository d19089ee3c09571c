import { join } from "node:path";

/** What is started as a process of its own: the file of that name beside this one, whose `main` begins then. */
export const programs = ["serve", "answer", "run", "prepare", "look"] as const;
export type Program = (typeof programs)[number];

/** What Node is given to start a program. */
export const programPath = (program: Program): string => join(import.meta.dirname, `${program}.ts`);
