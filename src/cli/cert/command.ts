/** `tcpmux cert`: a small certificate authority. */
import { TcpmuxError } from "../../errors.ts";
import { visible } from "../../log.ts";
import { getEnv, permitted } from "../../transport/permission.ts";
import { pickTransport } from "../../transport/pick.ts";
import { columns } from "../control/status_text.ts";
import { EXIT, plural } from "../exit.ts";
import { readCommandLine, usage } from "../flags.ts";
import { CERT, type CertAction } from "../spec/makers.ts";
import { endBy, printOut } from "../system.ts";
import { Authority, type ListedCertificate } from "./authority.ts";
import { CaFolder } from "./folder.ts";
import { openSslOf } from "./openssl.ts";
import type { OwnCertificate } from "./certificates.ts";

const HAVE_NO_NAME: readonly CertAction[] = ["init", "list"];

/** `tcpmux cert`: makes, renews, revokes and lists certificates. */
export async function certCommand(args: readonly string[]): Promise<number> {
  endBy("SIGINT", "SIGTERM", "SIGHUP");
  const { flags, positionals } = readCommandLine(args, CERT, getEnv);
  const [action, name = ""] = positionals;
  if (HAVE_NO_NAME.includes(action) && name !== "") {
    throw usage(`unexpected argument ${JSON.stringify(name)}`);
  }
  if (!HAVE_NO_NAME.includes(action) && name === "") {
    throw usage(`cert ${action} needs NAME: tcpmux cert ${action} NAME`);
  }
  const transport = await pickTransport();
  if (!transport.abilities.programs || !permitted("write")) {
    throw new TcpmuxError(
      "unsupported",
      "cert runs openssl(1), and reads and writes files; Deno was started " +
        "without that permission (start it with deno run -A)",
    );
  }
  const folder = new CaFolder(flags.dir ?? "pki");
  const authority = new Authority(folder);
  if (action === "list") {
    const lines = flags.json
      ? [listJson(await authority.list())]
      : listText(await authority.list());
    printOut(lines.map((line) => `${line}\n`).join(""));
    return EXIT.done;
  }
  const openSsl = await openSslOf(transport);
  const say = (files: readonly string[], what: string) =>
    printOut(
      `${files.map((file) => visible(folder.at(file))).join(", ")}: ${what}\n`,
    );
  const sayMade = (made: OwnCertificate, file = made.name) =>
    say([`${file}.key`, `${file}.crt`], madeText(made));
  switch (action) {
    case "init":
      sayMade(await authority.init(openSsl, flags.days), "ca");
      break;
    case "issue": {
      const { server: isServer, san: altNames, days } = flags;
      const wish = { isServer, altNames, days };
      sayMade(await authority.issue(openSsl, name, wish));
      break;
    }
    case "renew":
      sayMade(await authority.renew(openSsl, name, flags.days));
      break;
    case "revoke": {
      const reason = flags.reason ?? "unspecified";
      const count = await authority.revoke(openSsl, name, reason);
      say(["crl.pem"], `revokes ${plural(count, "certificate")} of ${name}`);
      break;
    }
  }
  return EXIT.done;
}

/** What it is, whose, and until when. */
function madeText({ kind, name, altNames, until }: OwnCertificate): string {
  const others = altNames.length === 0
    ? ""
    : ` (${altNames.map(visible).join(", ")})`;
  return `${kind} ${name}${others}, until ${until.toISOString().slice(0, 10)}`;
}

/** Milliseconds before its end from which a certificate is due in the list. */
const SOON = 30 * 86_400_000;

interface Listing {
  readonly ca: OwnCertificate;
  readonly all: readonly ListedCertificate[];
}

/** What `tcpmux cert list` prints, in the columns of a table. */
function listText(listing: Listing): string[] {
  return columns(
    ["NAME", "KIND", "STATE", "UNTIL", "SERIAL", "SAN"],
    shown(listing).map((one) => [
      one.name,
      one.kind,
      stateOf(one),
      one.until.toISOString().slice(0, 10),
      one.serial,
      one.altNames.join(" ") || "-",
    ]),
  );
}

/** The same for programs. */
function listJson(listing: Listing): string {
  return JSON.stringify(
    shown(listing).map((one) => ({
      name: one.name,
      kind: one.kind,
      san: one.altNames,
      serial: one.serial,
      until: one.until,
      state: stateOf(one),
      revoked: one.revoked?.time ?? null,
      reason: one.revoked?.reason ?? null,
    })),
  );
}

/** The CA, the newest of each name, and older ones that are still valid. */
function shown({ ca, all }: Listing): ListedCertificate[] {
  const own = { ...ca, revoked: undefined, isRenewed: false };
  const now = Date.now();
  return [
    own,
    ...all.filter(({ isRenewed, revoked, until }) =>
      !isRenewed || (revoked === undefined && until.getTime() > now)
    ),
  ];
}

function stateOf({ revoked, isRenewed, until }: ListedCertificate): string {
  const left = until.getTime() - Date.now();
  if (revoked !== undefined) return "revoked";
  if (left <= 0) return "expired";
  if (isRenewed) return "renewed";
  return left < SOON ? "expiring" : "valid";
}
