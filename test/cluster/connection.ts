import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";

/** How a connection is lost: nobody listens; it is reset at once; or it stays open and nothing comes through any more. */
export type Cut = "refuse" | "reset" | "silence";

/** A way to the API server through a loopback port that can be cut and mended. */
export class Connection {
  readonly #server: Server;
  readonly #target: number;
  readonly #ends = new Set<Socket>();
  readonly #kubeconfig: string;
  readonly port: number;
  #state: Cut | "whole" = "whole";

  constructor(server: Server, target: number, kubeconfig: string) {
    this.#server = server;
    this.#target = target;
    this.#kubeconfig = kubeconfig;
    this.port = (server.address() as AddressInfo).port;
    server.on("connection", (near) => this.#accept(near));
  }

  get server(): string {
    return `https://127.0.0.1:${this.port}`;
  }

  /** The text of the administrator's kubeconfig, or of another, by this way. */
  kubeconfig(original = this.#kubeconfig): string {
    return original.replace(/https:\/\/127\.0\.0\.1:\d+/, this.server);
  }

  /** For the connections that there are, too. */
  async cut(how: Cut): Promise<void> {
    this.#state = how;
    for (const end of this.#ends) {
      if (how === "silence") end.pause();
      else end.resetAndDestroy();
    }
    if (how === "refuse") await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }

  /** What was silent speaks again; what was lost stays lost. */
  async mend(): Promise<void> {
    const before = this.#state;
    this.#state = "whole";
    if (before === "refuse") {
      await new Promise<void>((resolve) => this.#server.listen(this.port, "127.0.0.1", resolve));
    }
    for (const end of this.#ends) end.resume();
  }

  async close(): Promise<void> {
    for (const end of this.#ends) end.destroy();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }

  #accept(near: Socket): void {
    if (this.#state === "reset") return void near.resetAndDestroy();
    const far = connect(this.#target, "127.0.0.1");
    for (const [end, other] of [
      [near, far],
      [far, near],
    ] as const) {
      this.#ends.add(end);
      end.on("data", (chunk) => other.write(chunk)).on("end", () => other.end());
      end
        .on("error", () => other.destroy())
        .on("close", () => {
          this.#ends.delete(end);
          other.destroy();
        });
      if (this.#state === "silence") end.pause();
    }
  }
}

export async function openConnection(target: number, kubeconfig: string): Promise<Connection> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return new Connection(server, target, kubeconfig);
}
