import { Agent, request } from "node:https";
import { parse } from "yaml";

export interface Answer {
  readonly status: number;
  /** What the API says of a refusal; else "". */
  readonly message: string;
  // biome-ignore lint/suspicious/noExplicitAny: any object of the API
  readonly object: any;
}

/** PATCH merges, APPLY is one on the server. */
export type Api = (method: string, path: string, body?: object) => Promise<Answer>;

const contentTypes: Record<string, string> = {
  PATCH: "application/merge-patch+json",
  APPLY: "application/apply-patch+yaml",
};

/**
 * The API as the user of a kubeconfig has it, without a client that would know better. What kubectl does with one of these
 * calls costs a fifth of a second of a core.
 */
export function apiOf(kubeconfig: string): Api {
  const { clusters, users } = parse(kubeconfig);
  const { server, "certificate-authority-data": ca } = clusters[0].cluster;
  const { token, "client-certificate-data": cert, "client-key-data": key } = users[0].user;
  const of = (base64: string | undefined) => base64 && Buffer.from(base64, "base64");
  const agent = new Agent({ keepAlive: true, ca: of(ca), cert: of(cert), key: of(key) });
  const ask: Api = (how, path, body) =>
    new Promise((resolve, reject) => {
      const method = how === "APPLY" ? "PATCH" : how;
      const type = contentTypes[how] ?? "application/json";
      const text = body ? JSON.stringify(body) : "";
      const headers = {
        "content-type": type,
        // Without it Node.js tells nobody that a DELETE has a body.
        "content-length": Buffer.byteLength(text),
        ...(token && { authorization: `Bearer ${token}` }),
      };
      const call = request(new URL(path, server), { method, agent, headers }, (response) => {
        let answer = "";
        response.setEncoding("utf8");
        response.on("data", (part) => {
          answer += part;
        });
        response.on("error", reject);
        response.on("end", () => {
          const object = parsed(answer);
          resolve({ status: response.statusCode ?? 0, message: object?.message ?? "", object });
        });
      });
      call.on("error", (error: NodeJS.ErrnoException) => {
        // A connection that was kept may have ended a moment ago.
        if (call.reusedSocket && error.code === "ECONNRESET") ask(how, path, body).then(resolve, reject);
        else reject(error);
      });
      call.end(text);
    });
  return ask;
}

function parsed(text: string) {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** @throws {Error} Unless it was done. */
export async function done(answer: Answer | Promise<Answer>): Promise<Answer["object"]> {
  const { status, message, object } = await answer;
  if (status >= 300) throw new Error(`The API answers ${status}: ${message}`);
  return object;
}
