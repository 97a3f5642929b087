/** The page, as one document that asks for nothing else. */
import { readFile } from "node:fs/promises";

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
    const html = await import("./page.html", { with: { type: "text" } });
    const css = await import("./page.css", { with: { type: "text" } });
    const js = await import("./page.js", { with: { type: "text" } });
    return [html.default, css.default, js.default];
  } catch {
    const read = (name: string) =>
      readFile(new URL(name, import.meta.url), { encoding: "utf8" });
    return [
      await read("./page.html"),
      await read("./page.css"),
      await read("./page.js"),
    ];
  }
}
