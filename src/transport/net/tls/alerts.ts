/** What the errors of TLS mean, in words: each runtime has others. */
import { TcpmuxError } from "../../../errors.ts";
import { OWN_WAYS } from "./demands.ts";

/** Alerts (RFC 8446, section 6) by which a server refuses its client. */
const REFUSALS: Readonly<Record<string, string>> = {
  CERTIFICATE_REQUIRED: `it requires one, and there is none (${OWN_WAYS})`,
  BAD_CERTIFICATE: "it takes it for broken, or does not let it in",
  UNSUPPORTED_CERTIFICATE: "it is of a kind that the server does not take",
  CERTIFICATE_REVOKED: "it is revoked",
  CERTIFICATE_EXPIRED: "it has expired, or is not valid yet",
  CERTIFICATE_UNKNOWN: "it does not accept it",
  UNKNOWN_CA: "it does not trust the authority that has signed it",
  ACCESS_DENIED: "it does not let it in",
};

/** Alerts that say that both have nothing to agree on. */
const DISAGREEMENTS: Readonly<Record<string, string>> = {
  HANDSHAKE_FAILURE:
    "it finds nothing to agree on, or requires a certificate " +
    `of its client (${OWN_WAYS})`,
  NO_APPLICATION_PROTOCOL:
    "it does not speak the protocol that was asked for " +
    "(ALPN)",
  PROTOCOL_VERSION: "it speaks no version of TLS from 1.2 on",
  UNRECOGNIZED_NAME: "it does not know the name that it was asked for (SNI)",
  INSUFFICIENT_SECURITY: "it demands stronger ciphers",
};

/** What is no record of TLS at all. */
const NO_TLS =
  /WRONG_VERSION_NUMBER|PACKET_LENGTH_TOO_LONG|HTTP_REQUEST|HTTPS_PROXY_REQUEST|UNKNOWN_PROTOCOL|RECORD_LAYER_FAILURE|RECORD_OVERFLOW/;

/**
 * Undefined where a server has not refused its client by an alert.
 *
 * @param unfit what is known against our own certificate
 */
export function refusedOf(
  error: unknown,
  server: string,
  unfit?: string,
): TcpmuxError | undefined {
  const why = REFUSALS[alertIn(error)];
  return why === undefined ? undefined : new TcpmuxError(
    "untrusted",
    `${server} refused our certificate: ${why}` +
      (unfit === undefined ? "" : ` (${unfit})`),
    { cause: error, address: server },
  );
}

/** Why a handshake has failed. */
export function troubleOf(error: unknown, server: string): Error {
  if (error instanceof TcpmuxError && error.code !== "connection_reset") {
    return error;
  }
  const failed = (why: string) =>
    new TcpmuxError("protocol", `${server} ${why}`, {
      cause: error,
      address: server,
    });
  const code = codeOfTls(error);
  const why = DISAGREEMENTS[alertIn(error)];
  if (why !== undefined) return failed(`refuses TLS: ${why}`);
  if (NO_TLS.test(code)) {
    return failed(
      "does not speak TLS (connect without it, or to its TLS port)",
    );
  }
  if (/^(ECONNRESET|EPIPE|connection_reset)$/.test(code)) {
    return failed(
      "closed the connection during the TLS handshake (perhaps it does not " +
        "speak TLS)",
    );
  }
  const { reason, message } = error as { reason?: string; message?: string };
  return failed(`and TLS do not agree: ${reason ?? message ?? code}`);
}

/** The name of the alert that an error was made of; empty for none. */
function alertIn(error: unknown): string {
  // On Deno, the code of an alert may be that of another one.
  const { message } = (error ?? {}) as { message?: unknown };
  const name = /^received fatal alert: (\w+)/.exec(String(message))?.[1];
  return name?.replaceAll(/([a-z])(?=[A-Z])/g, "$1_").toUpperCase() ??
    /ALERT_([A-Z_]+)$/.exec(codeOfTls(error))?.[1] ?? "";
}

function codeOfTls(error: unknown): string {
  const { code } = (error ?? {}) as { code?: unknown };
  return typeof code === "string" ? code : "";
}
