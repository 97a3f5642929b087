/** What is answered under which path, to whom, and with which protection. */
import { readFile } from "node:fs/promises";
import type { IncomingMessage, ServerResponse } from "node:http";
import { isIP } from "node:net";
import type { Status } from "../status/status.ts";
import { type Events, MOST_WATCHERS } from "./events.ts";
import { endWith } from "./http.ts";
import type { Metrics } from "./metrics.ts";
import type { Tally } from "./tally.ts";

const TEXT = "text/plain; charset=utf-8";

/** For all that is no page: nothing of it may run or be shown elsewhere. */
const NOTHING =
  "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; " +
  "form-action 'none'; sandbox";

/** What is shown. */
export interface SiteOptions {
  readonly page: Page;
  readonly metrics: Metrics;
  readonly events: Events;
  readonly tally: Tally;
  readonly status: () => Status;
  /** Whether the server serves already. */
  readonly isServing: () => boolean;
  /** The names in `admin_hosts`, in lower case. */
  readonly hosts: () => readonly string[];
}

interface Answer {
  readonly status?: number;
  readonly type?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body: string;
}

/** Answers GET and HEAD, and changes nothing. */
export class Site {
  readonly #options: SiteOptions;

  constructor(options: SiteOptions) {
    this.#options = options;
  }

  readonly respond = async (
    request: IncomingMessage,
    response: ServerResponse,
  ): Promise<void> => {
    const path = request.url?.split("?")[0] ?? "";
    const refusal = refusalOf(request, this.#options.hosts()) ??
      this.#readiness(path);
    if (refusal === undefined && path === "/events") {
      return this.#watch(request, response);
    }
    const { status = 200, type = TEXT, headers = {}, body } = refusal ??
      await this.#answerTo(path);
    response.writeHead(status, {
      ...protection(),
      "Content-Type": type,
      "Content-Length": String(new TextEncoder().encode(body).length),
      ...headers,
    });
    endWith(response, request.method === "HEAD" ? undefined : body);
  };

  async #answerTo(path: string): Promise<Answer> {
    const { page, metrics, status, tally } = this.#options;
    switch (path) {
      case "/":
        return {
          type: "text/html; charset=utf-8",
          headers: { "Content-Security-Policy": page.policy },
          body: page.html,
        };
      case "/metrics":
        return { type: metrics.contentType, body: await metrics.text() };
      case "/healthz":
        return { body: "ok\n" };
      case "/readyz":
        return status().draining
          ? { status: 503, body: "draining\n" }
          : { body: "ok\n" };
      case "/status.json": {
        const { results, troubles } = tally;
        const body = { ...status(), results, errors: troubles.list };
        return { type: "application/json", body: `${JSON.stringify(body)}\n` };
      }
      default:
        return {
          status: 404,
          body: "tcpmux: there are /, /metrics, /healthz, /readyz, " +
            "/status.json and /events\n",
        };
    }
  }

  /** There is nothing to show before the server serves. */
  #readiness(path: string): Answer | undefined {
    if (path === "/healthz" || this.#options.isServing()) return undefined;
    return { status: 503, body: "not serving yet\n" };
  }

  #watch(request: IncomingMessage, response: ServerResponse): void {
    const { events } = this.#options;
    if (events.isFull) {
      const body = `tcpmux: ${MOST_WATCHERS} watch already\n`;
      response.writeHead(503, {
        ...protection(),
        "Content-Type": TEXT,
        "Retry-After": "10",
      });
      return endWith(response, body);
    }
    response.writeHead(200, {
      ...protection(),
      "Content-Type": "text/event-stream",
    });
    if (request.method === "HEAD") return endWith(response, undefined);
    events.add(response);
  }
}

function protection(): Record<string, string> {
  return {
    "Cache-Control": "no-store",
    "Content-Security-Policy": NOTHING,
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
  };
}

function refusalOf(
  { method, headers, httpVersion }: IncomingMessage,
  hosts: readonly string[],
): Answer | undefined {
  if (method !== "GET" && method !== "HEAD") {
    return {
      status: 405,
      headers: { Allow: "GET, HEAD" },
      body: "tcpmux: there are only GET and HEAD here\n",
    };
  }
  const { host } = headers;
  if (host === undefined && httpVersion === "1.0") return undefined;
  if (host !== undefined && isOurs(host, hosts)) return undefined;
  return {
    status: 421,
    body: "tcpmux: the name of this server is not known here: use its " +
      "address, or add the name to server.admin_hosts\n",
  };
}

/**
 * Whether a page that runs in a browser may have this server's answers under
 * that name. A name of somebody else's may lead here as well (DNS rebinding):
 * no such name is an address, `localhost`, or in the table.
 */
export function isOurs(host: string, hosts: readonly string[]): boolean {
  const name = host.toLowerCase().replace(/:\d{1,5}$/, "");
  const literal = /^\[(.*)\]$/.exec(name)?.[1];
  if (literal !== undefined) return isIP(literal) === 6;
  return name === "localhost" || isIP(name) === 4 || hosts.includes(name);
}

/** The page, as one document that asks for nothing else. */
export interface Page {
  readonly html: string;
  /** The Content-Security-Policy, which permits nothing but this page. */
  readonly policy: string;
}

/** Puts the parts together. */
export async function readPage(): Promise<Page> {
  const [frame, css, js] = await parts();
  const html = frame.replace("/* page.css */", () => css)
    .replace("/* page.js */", () => js);
  return {
    html,
    policy: [
      "default-src 'none'",
      `style-src '${await hashOf("style", html)}'`,
      `script-src '${await hashOf("script", html)}'`,
      "connect-src 'self'",
      "img-src data:",
      "base-uri 'none'",
      "form-action 'none'",
      "frame-ancestors 'none'",
    ].join("; "),
  };
}

/** Of what stands in the one element of that name. */
async function hashOf(element: string, html: string): Promise<string> {
  const end = `</${element}>`;
  const [, text = ""] = html.slice(0, html.indexOf(end)).split(`<${element}>`);
  const bytes = new TextEncoder().encode(text);
  const hash = await crypto.subtle.digest("SHA-256", bytes);
  return `sha256-${btoa(String.fromCharCode(...new Uint8Array(hash)))}`;
}

/** Part of the program, or read from beside it, as the built-in table is. */
async function parts(): Promise<[html: string, css: string, js: string]> {
  try {
    const html = await import("./page/page.html", { with: { type: "text" } });
    const css = await import("./page/page.css", { with: { type: "text" } });
    const js = await import("./page/page.js", { with: { type: "text" } });
    return [html.default, css.default, js.default];
  } catch {
    const read = (name: string) =>
      readFile(new URL(name, import.meta.url), { encoding: "utf8" });
    return [
      await read("./page/page.html"),
      await read("./page/page.css"),
      await read("./page/page.js"),
    ];
  }
}
