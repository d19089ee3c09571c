import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { type Browser, type BrowserContextOptions, chromium, type Page } from "playwright-core";
import { findChromium } from "../../../test/tools/find-program.ts";
import type { StatusView } from "../view.ts";
import { statusPage } from "./page.ts";

/* For tests: the page in a browser, and all that must never happen there. */

/** Under this name it is not the browser's own machine: plain HTTP then, with what browsers keep from it. */
const otherHost = "keepsake.test";

export async function startBrowser(): Promise<Browser> {
  return chromium.launch({
    executablePath: await findChromium(),
    args: [
      "--no-sandbox",
      "--disable-gpu",
      "--disable-quic",
      "--no-first-run",
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-sync",
      `--host-resolver-rules=MAP ${otherHost} 127.0.0.1, MAP * ~NOTFOUND, EXCLUDE 127.0.0.1`,
    ],
  });
}

export interface Site {
  /** What the next request gets; undefined: an error of the gateway. */
  view: StatusView | undefined;
  nowMs: number;
  readonly url: string;
  /** The same, over plain HTTP from another machine. */
  readonly remoteUrl: string;
  close(): Promise<void>;
}

/** Serves the page below the path that it has at the gateway, as it is answered there. */
export async function serveSite(nowMs: number): Promise<Site> {
  const server = createServer(async (_, response) => {
    const page = site.view ? await statusPage(site.view, site.nowMs) : new Response("Bad gateway", { status: 502 });
    response.writeHead(page.status, Object.fromEntries(page.headers)).end(await page.text());
  });
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  const at = (host: string) => `http://${host}:${(server.address() as AddressInfo).port}/function/status`;
  const site: Site = {
    view: undefined,
    nowMs,
    url: at("127.0.0.1"),
    remoteUrl: at(otherHost),
    close: () =>
      new Promise((done) => {
        server.close(() => done());
        server.closeAllConnections();
      }),
  };
  return site;
}

export interface Visit {
  readonly page: Page;
  /** What the browser asked for, and what it complained about: broken policies, errors of the script. */
  readonly requests: string[];
  readonly complaints: string[];
  close(): Promise<void>;
}

export async function visit(browser: Browser, options: BrowserContextOptions = {}): Promise<Visit> {
  const context = await browser.newContext(options);
  const page = await context.newPage();
  const requests: string[] = [];
  const complaints: string[] = [];
  page.on("request", (request) => requests.push(request.url()));
  page.on("pageerror", (error) => complaints.push(String(error)));
  page.on("console", (message) => {
    if (message.type() === "error" || message.type() === "warning") complaints.push(message.text());
  });
  return { page, requests, complaints, close: () => context.close() };
}
