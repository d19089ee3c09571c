import { Agent, request } from "node:https";
import { parse } from "yaml";

export interface Answer {
  readonly status: number;
  /** What the API says of a refusal; else "". */
  readonly message: string;
  // biome-ignore lint/suspicious/noExplicitAny: any object of the API
  readonly object: any;
}

export type Api = (method: string, path: string, body?: object) => Promise<Answer>;

/** The API as the user of a kubeconfig has it, without a client that would know better. PATCH merges. */
export function apiOf(kubeconfig: string): Api {
  const { clusters, users } = parse(kubeconfig);
  const { server, "certificate-authority-data": ca } = clusters[0].cluster;
  const { token, "client-certificate-data": cert, "client-key-data": key } = users[0].user;
  const of = (base64: string | undefined) => base64 && Buffer.from(base64, "base64");
  const agent = new Agent({ keepAlive: true, ca: of(ca), cert: of(cert), key: of(key) });
  return (method, path, body) =>
    new Promise((resolve, reject) => {
      const type = method === "PATCH" ? "application/merge-patch+json" : "application/json";
      const headers = { "content-type": type, ...(token && { authorization: `Bearer ${token}` }) };
      const call = request(new URL(path, server), { method, agent, headers }, (response) => {
        let text = "";
        response.setEncoding("utf8");
        response.on("data", (part) => {
          text += part;
        });
        response.on("error", reject);
        response.on("end", () => {
          const object = parsed(text);
          resolve({ status: response.statusCode ?? 0, message: object?.message ?? "", object });
        });
      });
      call.on("error", reject);
      call.end(body && JSON.stringify(body));
    });
}

function parsed(text: string) {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
