import { createServer } from "node:http";
import type { ToDoor, ToHand } from "../../shared/serve/messages.ts";

/* A hand that answers with its pid. `REST`, as JSON, is what it says of its rest; `GET /end` ends it at once; one
 * that is STUCK does not end when it is asked to. */
const tell = (message: ToDoor) => process.send?.(message);
if (process.env.BROKEN === "yes") process.exit(3);

const server = createServer((call, answer) => {
  if (call.url === "/end") process.exit(4);
  answer.end(String(process.pid));
});
process.on("message", ({ kind }: ToHand) => {
  if (kind === "rest?") tell({ kind: "rest", ...JSON.parse(process.env.REST ?? "{}") });
});
process.once("SIGTERM", () => process.env.STUCK !== "yes" && process.exit(0));
process.once("disconnect", () => process.exit(0));
server.listen(process.argv[2], () => tell({ kind: "up" }));
