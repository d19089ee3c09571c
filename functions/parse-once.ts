import { config } from "zod";

/*
 * For a process that reads each kind of file once or twice: by default zod writes and compiles code for every schema,
 * which pays off after hundreds of files. To be imported before the schemas are made.
 */
config({ jitless: true });
