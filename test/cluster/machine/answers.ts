import { request as requestPlain } from "node:http";
import { request as requestSecured } from "node:https";
import { connect } from "node:net";

export type Endpoint = { socketPath: string } | { port: number; path: string; tls?: boolean };

/** Whether a program of this network namespace says, within a second, that it is well. */
export async function answers(endpoint: Endpoint): Promise<boolean> {
  return new Promise((resolve) => {
    if ("socketPath" in endpoint) {
      const socket = connect(endpoint.socketPath);
      socket.once("connect", () => resolve(true)).once("error", () => resolve(false));
      socket.once("connect", () => socket.destroy());
      return;
    }
    const { port, path, tls } = endpoint;
    const options = { host: "127.0.0.1", port, path, timeout: 1000, agent: false, rejectUnauthorized: false };
    const request = (tls ? requestSecured : requestPlain)(options, (response) => {
      response.resume();
      resolve(response.statusCode === 200);
    });
    request.once("timeout", () => request.destroy()).once("error", () => resolve(false));
    request.end();
  });
}
