/** TLS with the servers that services lead to: its keys, and what they say. */
import * as v from "valibot";
import {
  asDemanded,
  isServerName,
  PIN_FORM,
  readPins,
  SERVER_NAME_FORM,
  type TlsDemands,
} from "../../transport/net/tls/demands.ts";
import { checked, optional, preset, table } from "../keys.ts";
import type { KeyPath, Problems } from "../problem.ts";
import { type ListenerSpec, type Service, servicePath } from "../service.ts";
import { flag, name, textThat } from "../values.ts";

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
    textThat(isServerName, SERVER_NAME_FORM, {
      value: "host name, or address",
    }),
    "the host that is connected to",
    "The name or the address that the server's certificate must have. A name " +
      "is also what the server is asked for (SNI).",
  ),
  pin: optional(
    textThat((text) => typeof readPins(text) !== "string", PIN_FORM, {
      value: '`"sha256//BASE64"`',
      form: PIN_FORM,
    }),
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

type TlsKeys = v.InferOutput<v.ObjectSchema<typeof upstreamTlsKeys, undefined>>;

const PAIR = "the path of a file, as cert and key go together";

/** The one of both that is missing, for {@linkcode checked}. */
export function unpaired({ cert, key }: Pick<TlsKeys, "cert" | "key">) {
  if ((cert === undefined) === (key === undefined)) return;
  return { key: cert === undefined ? "cert" : "key", allowed: PAIR };
}

/** The key `tls` of services that lead to another server. */
export const upstreamTls = optional(
  v.pipe(
    v.union([
      v.boolean(),
      v.pipe(
        table(upstreamTlsKeys),
        checked(unpaired),
        v.metadata({
          description: "TLS with a server.",
          typeName: "UpstreamTls",
        }),
      ),
    ], 'true, false, or a table such as { ca = "ca.crt" }'),
    v.metadata({ value: "`true`, or table" }),
  ),
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
  return servicePath(service, listeners, "tls");
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
