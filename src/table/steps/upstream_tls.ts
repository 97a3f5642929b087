/** TLS with the servers that services lead to: its keys, and what they say. */
import * as z from "zod";
import {
  asDemanded,
  PIN_FORM,
  readPins,
  type TlsDemands,
  whyWrong,
} from "../../transport/net/tls/demands.ts";
import type { KeyPath, Problems } from "../problem.ts";
import { type ListenerSpec, placeOf, type Service } from "../service.ts";
import { flag, name, optional, preset } from "../values.ts";

const file = () => name("path of a file");

/** The key `ca`. @param place where its path begins */
export const authorities = (place: string) =>
  optional(
    file(),
    "those that the runtime trusts",
    "The file of the certificates in PEM of the authorities that are trusted. " +
      place,
  );

/** What a client demands of a server, and shows of itself. */
export const upstreamTlsKeys = {
  ca: authorities(
    "A path begins where the table is; a name without a slash is first " +
      "looked for among the credentials that systemd hands over.",
  ),
  cert: optional(
    file(),
    "none",
    "The file of our own certificate in PEM, for a server that demands one, " +
      "followed by those between it and the one that the server trusts. It " +
      "needs `key`.",
  ),
  key: optional(
    file(),
    "none",
    "The file of the private key of `cert` in PEM, without a password.",
  ),
  server_name: optional(
    z.string({ error: "a host name or an address" }).superRefine(
      (serverName, context) => {
        const own = { ca: undefined, cert: undefined, key: undefined };
        const message = whyWrong({ ...own, serverName });
        if (message !== undefined) context.addIssue(message);
      },
    ).meta({ value: "host name, or address" }),
    "the host that is connected to",
    "The name or the address that the server's certificate must have. A name " +
      "is also what the server is asked for (SNI).",
  ),
  pin: optional(
    z.string({ error: PIN_FORM }).refine(
      (text) => typeof readPins(text) !== "string",
      { error: PIN_FORM },
    ).meta({ value: '`"sha256//BASE64"`', form: PIN_FORM }),
    "none",
    "The hash of the server's public key, as curl's `--pinnedpubkey` has it, " +
      "or several with `;` between them, of which one must fit. Beside `ca` " +
      "it is one more demand; without `ca` it is the only one.",
  ),
  verify: preset(
    flag(),
    true,
    "Whether the server must have a certificate of an authority that is " +
      "trusted, for its name. With `false` anybody can be the server, unless " +
      "`pin` is given.",
  ),
};

type TlsKeys = z.output<z.ZodObject<typeof upstreamTlsKeys>>;

const PAIR = "the path of a file, as cert and key go together";

/** The issue of the one of both that is missing. */
export function checkPair(
  { cert, key }: Pick<TlsKeys, "cert" | "key">,
  context: z.core.$RefinementCtx,
): void {
  if ((cert === undefined) === (key === undefined)) return;
  const missing = cert === undefined ? "cert" : "key";
  context.addIssue({ code: "custom", message: PAIR, path: [missing] });
}

/** The key `tls` of services that lead to another server. */
export const upstreamTls = optional(
  z.union([
    z.boolean(),
    z.strictObject(upstreamTlsKeys).superRefine(checkPair)
      .meta({ description: "TLS with a server.", typeName: "UpstreamTls" }),
  ], { error: 'true, false, or a table such as { ca = "ca.crt" }' })
    .meta({ value: "`true`, or table" }),
  "`false`",
  "Whether TLS is spoken with the server, and whom it must be. The handshake " +
    "is within `connect_timeout`.",
);

/** What is demanded of a server. `ca`, `cert` and `key` are names of files. */
export type UpstreamTlsSettings = TlsDemands;

/** @param isUrl whether the address itself says that there is TLS */
export function resolveUpstreamTls(
  valid: boolean | TlsKeys | undefined,
  isUrl = false,
): UpstreamTlsSettings | undefined {
  if (valid === false || valid === undefined && !isUrl) return undefined;
  return asDemanded(
    demandsIn(typeof valid === "object" ? valid : { verify: true }),
  );
}

/** What the keys say, before a pin takes the place of other checks. */
export function demandsIn(
  { ca, cert, key, server_name: serverName, pin, verify }:
    & Partial<TlsKeys>
    & Pick<TlsKeys, "verify">,
): UpstreamTlsSettings {
  const pins = readPins(pin) as string[]; // the schema has seen that it is one
  return { ca, cert, key, serverName, pins, verify };
}

/** Where the table says that a service speaks TLS with its server. */
export function upstreamTlsPath(
  service: Service,
  listeners: readonly ListenerSpec[],
): KeyPath {
  const listener = listeners.find((one) =>
    one.protocol !== "tcpmux" && one.service === service
  );
  const place = listener === undefined
    ? ["services", service.name]
    : placeOf(listener);
  return [...place, "tls"];
}

/** Adds problems where nobody could tell who the server is. */
export function addUpstreamTlsProblems(
  { services, listeners }: {
    readonly services: readonly Service[];
    readonly listeners: readonly ListenerSpec[];
  },
  problems: Problems,
): void {
  for (const service of services) {
    if (service.kind !== "connect" && service.kind !== "tcpmux") continue;
    const { tls } = service;
    if (!tls?.verify || tls.serverName !== undefined) continue;
    const upstreams = service.kind === "connect"
      ? service.upstreams
      : [service.upstream];
    if (upstreams.every(({ transport }) => transport === "tcp")) continue;
    problems.add(
      upstreamTlsPath(service, listeners),
      "needs server_name, since a Unix socket has no host name that a " +
        "certificate could be for",
    );
  }
}
