/** A real browser, which looks at pages of a server under test. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { type Browser, chromium, type Page } from "playwright-core";
import { findProgram } from "./needs.ts";
import { ROOT } from "./server.ts";

/** Milliseconds that anything of the browser may take. */
const PATIENCE = 60_000;

/** How a page is looked at. */
export type Look = NonNullable<Parameters<Browser["newPage"]>[0]>;

let launched: Promise<Browser> | undefined;

/** Runs `use` with a browser, which the next test gets too, without pages. */
export async function withBrowser(
  use: (browser: Browser) => Promise<void>,
): Promise<void> {
  launched ??= chromium.launch({
    executablePath: findProgram("chromium")!,
    args: ["--no-sandbox"], // tests run as root
    timeout: PATIENCE,
  });
  const browser = await launched;
  try {
    await use(browser);
  } finally {
    for (const context of browser.contexts()) await context.close();
  }
}

/** For the end of a file. */
export async function closeBrowser(): Promise<void> {
  await (await launched)?.close();
}

/** A page, and what went wrong in it. */
export async function open(
  browser: Browser,
  url: string,
  look: Look = {},
): Promise<{ page: Page; faults: string[] }> {
  const page = await browser.newPage(look);
  page.setDefaultTimeout(PATIENCE);
  const faults: string[] = [];
  page.on("pageerror", ({ message }) => faults.push(message));
  page.on("console", (line) => {
    if (line.type() === "error") faults.push(line.text());
  });
  page.on("request", (request) => {
    const isOwn = new URL(request.url()).origin === new URL(url).origin;
    if (!isOwn && !request.url().startsWith("data:")) {
      faults.push(`it asks for ${request.url()}`);
    }
  });
  await page.goto(url);
  return { page, faults };
}

/** What axe-core finds to be in the way of some people, a line each. */
export async function obstacles(page: Page): Promise<string[]> {
  const axe = readFileSync(
    join(ROOT, "node_modules", "axe-core", "axe.min.js"),
    "utf8",
  );
  await page.evaluate(axe);
  return await page.evaluate(async () => {
    const { axe } = globalThis as unknown as {
      axe: { run(how: object): Promise<{ violations: Violation[] }> };
    };
    interface Violation {
      readonly id: string;
      readonly help: string;
      readonly nodes: { readonly html: string }[];
    }
    const { violations } = await axe.run({ preload: false });
    return violations.map(({ id, help, nodes }) =>
      `${id}: ${help}: ${nodes.map(({ html }) => html).join(" ")}`
    );
  });
}
