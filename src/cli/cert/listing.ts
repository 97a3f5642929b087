/** What `tcpmux cert list` prints. */
import { columns } from "../control/status_text.ts";
import type { ListedCertificate } from "./authority.ts";
import type { OwnCertificate } from "./own_certificate.ts";

/** Milliseconds before its end from which a certificate is due. */
const SOON = 30 * 86_400_000;

interface Listing {
  readonly ca: OwnCertificate;
  readonly all: readonly ListedCertificate[];
}

/** In the columns of a table. */
export function listText(listing: Listing): string[] {
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
export function listJson(listing: Listing): string {
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
