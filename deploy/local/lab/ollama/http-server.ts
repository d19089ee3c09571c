import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import type { Ollama } from "./ollama.ts";

export interface OllamaServer {
  readonly port: number;
  close(): Promise<void>;
}

/** The routes of Ollama's API that tell what is there: `/api/version`, `/api/tags`, and `/api/generate` as a way to load. */
export async function serveOllama(ollama: Ollama, port: number): Promise<OllamaServer> {
  const answer = async (method: string, path: string, body: string): Promise<{ status: number; json: unknown }> => {
    if (method === "GET" && path === "/api/version") return { status: 200, json: { version: "0.32.7" } };
    if (method === "GET" && path === "/api/tags") return { status: 200, json: { models: await ollama.list() } };
    if (method === "POST" && path === "/api/generate") {
      const { model } = JSON.parse(body) as { model: string };
      // No prompt: the model is loaded, and that is all.
      await ollama.load(model);
      return { status: 200, json: { model, response: "", done: true, done_reason: "load" } };
    }
    return { status: 404, json: { error: "not found" } };
  };
  const server = createServer(async (request, response) => {
    let body = "";
    for await (const chunk of request.setEncoding("utf8")) body += chunk;
    const { status, json } = await answer(request.method ?? "", request.url ?? "", body).catch((error: Error) => ({
      status: /not found/.test(error.message) ? 404 : 500,
      json: { error: error.message },
    }));
    response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(json));
  });
  server.listen(port, "127.0.0.1");
  await once(server, "listening");
  return {
    port: (server.address() as AddressInfo).port,
    async close() {
      const closed = once(server, "close");
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
}
