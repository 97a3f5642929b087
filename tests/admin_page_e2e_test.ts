/** The page of the admin listener, in a real browser. */
import { connect, createServer, type Socket } from "node:net";
import { after, describe, test } from "node:test";
import { assert, assertEquals, assertMatch } from "@std/assert";
import type { Page } from "playwright-core";
import { adminPort } from "./support/admin.ts";
import {
  closeBrowser,
  type Look,
  obstacles,
  open,
  withBrowser,
} from "./support/browser.ts";
import { ask, exchange } from "./support/client.ts";
import { needs, needsFiles } from "./support/needs.ts";
import { type RunningServer, withServer } from "./support/server.ts";
import { until } from "./support/wait.ts";

/** What must not become markup. */
const MARKUP = '<img src=x onerror="document.title=1">';

const SERVICES = `[services.echo]
builtin = "echo"
description = ${JSON.stringify(MARKUP)}
[services.discard]
builtin = "discard"
[services.down]
connect = "127.0.0.1:9"
[services.off]
builtin = "echo"
enabled = false
`;
const ON = `[server]\nadmin = "127.0.0.1:0"\n${SERVICES}`;

async function pageOf(server: RunningServer): Promise<string> {
  return `http://127.0.0.1:${await adminPort(server)}/`;
}

/** The first cells of the rows that a table shows now. */
function namesIn(page: Page, table: string): Promise<string[]> {
  return page.$$eval(
    `#${table} tbody tr:not(.space) td:first-child`,
    (cells) => cells.map(({ textContent }) => textContent ?? ""),
  );
}

const LOOKS: Record<string, Look> = {
  "on a desktop, light": {
    viewport: { width: 1440, height: 900 },
    colorScheme: "light",
  },
  "on a wall, dark": {
    viewport: { width: 2560, height: 1440 },
    colorScheme: "dark",
  },
  "on a phone": {
    viewport: { width: 390, height: 844 },
    isMobile: true,
    hasTouch: true,
  },
};

after(closeBrowser);

describe("the page", needs("chromium"), () => {
  test("shows who uses what, and what went wrong, as it happens", () =>
    withServer(ON, (server) =>
      withBrowser(async (browser) => {
        const { page, faults } = await open(browser, await pageOf(server));
        await page.waitForSelector("#state.good");
        assertEquals(await page.textContent("#now"), "0");
        const { conn } = await ask(server.port, "echo");
        await page.waitForSelector("#connections a:text-is('echo')");
        assertEquals(await page.textContent("#now"), "1");
        const [client] = await namesIn(page, "connections");
        assertMatch(client!, /^127\.0\.0\.1:\d+$/);
        await exchange(server.port, "down\r\n");
        await exchange(server.port, "none\r\n");
        await page.waitForSelector("#failing-tile.bad");
        await page.waitForSelector("#refusals >> text=no such service");
        await page.waitForSelector(
          "#errors >> text=cannot connect to 127.0.0.1:9",
        );
        await page.waitForSelector("#services >> text=not enabled");
        conn.close();
        await page.waitForSelector("#connections >> text=Nobody is connected.");
        assertEquals(faults, []);
        await server.stop();
        await page.waitForSelector("#state.bad >> text=no contact");
      })));

  test("takes nothing for markup", async () => {
    const upstream = createServer((socket) => {
      socket.on("error", () => {});
      socket.on("data", () => socket.end(`-${MARKUP}\r\n`));
    });
    await new Promise<void>((resolve) =>
      upstream.listen(0, "127.0.0.1", resolve)
    );
    const { port } = upstream.address() as { port: number };
    try {
      await withServer(
        `${ON}[services.far]\ntcpmux = "127.0.0.1:${port}/x"\n`,
        (server) =>
          withBrowser(async (browser) => {
            const { page, faults } = await open(browser, await pageOf(server));
            await exchange(server.port, "far\r\n");
            await page.waitForSelector(
              `#errors >> text=the upstream refused: ${MARKUP}`,
            );
            const shown = await page.textContent("#services");
            assert(shown!.includes(MARKUP), shown!);
            assertEquals(await page.$$("img"), []);
            assertMatch(await page.title(), /tcpmux$/);
            assertEquals(faults, []);
          }),
      );
    } finally {
      upstream.close();
    }
  });

  test("is sorted, filtered and linked to, by mouse and by keyboard", () =>
    withServer(ON, (server) =>
      withBrowser(async (browser) => {
        const url = await pageOf(server);
        const { page, faults } = await open(browser, url);
        const clients = [
          await ask(server.port, "echo"),
          await ask(server.port, "discard"),
        ];
        await page.waitForSelector("#connections a:text-is('discard')");
        await page.click("#services th button:text-is('Service')");
        await until("it is sorted down", async () =>
          (await namesIn(page, "services"))[0]!.startsWith("off"));
        await page.keyboard.press("Enter");
        await until("it is sorted up", async () =>
          (await namesIn(page, "services"))[0]!.startsWith("discard"));
        assertEquals(
          await page.$$eval(
            "#services th[aria-sort]",
            (heads) =>
              heads.map((head) =>
                `${head.textContent} ${head.getAttribute("aria-sort")}`
              ),
          ),
          ["Service ascending"],
        );
        assertMatch(page.url(), /#services=name$/);
        await page.fill("#filter", "ECHO");
        await until("it is filtered", async () =>
          (await namesIn(page, "services")).length === 1 &&
          (await namesIn(page, "connections")).length === 1);
        await page.fill("#filter", "");
        await page.click("#services a:text-is('discard')");
        await until("one service's connections are shown", async () =>
          (await namesIn(page, "connections")).length === 1);
        await page.waitForSelector("#only:not([hidden])");
        // Whoever is given the link sees the same.
        const { page: other } = await open(browser, page.url());
        await other.waitForSelector("#connections a:text-is('discard')");
        assertEquals((await namesIn(other, "connections")).length, 1);
        assertEquals(
          (await namesIn(other, "services")).map((name) =>
            name.split(" ")[0]
          ),
          ["discard", "down", "echo", "off"],
        );
        await other.click("#only");
        await until("all are shown", async () =>
          (await namesIn(other, "connections")).length === 2);
        assertEquals(faults, []);
        for (const { conn } of clients) {
          conn.close();
        }
      })));

  for (const [name, look] of Object.entries(LOOKS)) {
    test(`keeps nobody out ${name}`, () =>
      withServer(ON, (server) =>
        withBrowser(async (browser) => {
          const { page, faults } = await open(
            browser,
            await pageOf(server),
            look,
          );
          const { conn } = await ask(server.port, "echo");
          await exchange(server.port, "down\r\n");
          await exchange(server.port, "none\r\n");
          await page.waitForSelector("#connections a:text-is('echo')");
          await page.waitForSelector("#refusals >> text=no such service");
          await page.waitForSelector("#errors a:text-is('down')");
          assertEquals(await obstacles(page), []);
          const [scroll, own] = await page.$eval(
            "html",
            ({ scrollWidth, clientWidth }) => [scrollWidth, clientWidth],
          );
          assertEquals(scroll, own, "it is as wide as the screen");
          assertEquals(faults, []);
          conn.close();
        })));
  }

  test("holds still while it is paused", () =>
    withServer(ON, (server) =>
      withBrowser(async (browser) => {
        const { page } = await open(browser, await pageOf(server));
        await page.waitForSelector("#state.good");
        await page.click("#pause");
        await page.waitForSelector("#state >> text=paused");
        const { page: other } = await open(browser, page.url());
        const { conn } = await ask(server.port, "echo");
        await other.waitForSelector("#connections a:text-is('echo')");
        assertEquals(await page.textContent("#now"), "0");
        await page.click("#pause");
        await page.waitForSelector("#connections a:text-is('echo')");
        conn.close();
      })));

  test(
    "makes only what is seen of 1,000 services and 5,000 connections",
    needsFiles(12_000),
    () => withServer(many(), (server) => withMany(server)),
  );
});

/** A table of a thousand services. */
function many(): string {
  const services = Array.from(
    { length: 1_000 },
    (_, i) => `[services.s${i}]\nbuiltin = "discard"\n`,
  );
  return `[server]
admin = "127.0.0.1:0"
max_connections = 6000
max_handshakes = 6000
max_connections_per_source = 0
${services.join("")}`;
}

async function withMany(server: RunningServer): Promise<void> {
  const sockets: Socket[] = [];
  let served = 0;
  try {
    for (let i = 0; i < 5_000; i++) {
      const socket = connect({ host: "127.0.0.1", port: server.port });
      socket.on("error", () => {});
      socket.once("data", () => served++);
      socket.write(`s${i % 1_000}\r\n`);
      sockets.push(socket);
      if (i % 100 === 99) {
        await until("all are served", () => served === sockets.length);
      }
    }
    await withBrowser(async (browser) => {
      const { page, faults } = await open(browser, await pageOf(server));
      await page.waitForSelector("#now:text-is('5,000')");
      assertEquals(await page.textContent("#services-count"), "1,000");
      assertEquals(await page.textContent("#connections-count"), "5,000");
      const rows = await page.$$("tbody tr");
      assert(rows.length < 200, `${rows.length} rows`);
      await page.$eval("#connections", (box) => box.scrollTop = 1e9);
      await page.waitForSelector("#connections tr[aria-rowindex='5001']");
      await page.fill("#filter", "s999");
      await page.waitForSelector("#connections-count:text-is('5 of 5,000')");
      assertEquals(await namesIn(page, "services"), ["s999"]);
      assertEquals(faults, []);
    });
  } finally {
    for (const socket of sockets) socket.destroy();
  }
}
