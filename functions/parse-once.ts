import { config } from "zod";

/*
 * For a process that reads each kind of file once or twice. To be imported before the schemas are made.
 *
 * By default zod writes and compiles code for every schema, which pays off after hundreds of files. And before it parses
 * anything it walks all that a schema consists of, to find out whether it contains itself, so that data that does so ends,
 * too; what is read from a file never does, and the walk would make each schema that nobody uses.
 */
config({ jitless: true, memoizer: { alloc: (_, __, empty) => empty, attach() {}, guard() {} } });
