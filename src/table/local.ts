import { isIP } from "node:net";
import { type Endpoint, readEndpoint, TCPMUX_PORT } from "../endpoint.ts";

/** The forms of an address to listen on for clients of this machine. */
export const LOCAL_FORMS =
  "PORT (of 127.0.0.1), HOST:PORT, [V6]:PORT, unix:/path or unix:@name";

/** The address, or what is wrong with the text. */
export function readLocal(text: string): Endpoint | string {
  return readEndpoint(/^\d+$/.test(text) ? `127.0.0.1:${text}` : text);
}

/** The forms of a TCPMUX server's address. */
export const SERVER_FORMS =
  "HOST, HOST:PORT, [V6]:PORT, unix:/path or unix:@name";

/** A TCPMUX server's address, or what is wrong with the text. */
export function readServer(text: string): Endpoint | string {
  const written = isIP(text) === 6 ? `[${text}]` : text;
  return readEndpoint(written, TCPMUX_PORT);
}
