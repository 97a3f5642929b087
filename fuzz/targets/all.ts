import type { Target } from "../target.ts";
import { certificates, rules } from "./certificates.ts";
import { connecting, listing } from "./client.ts";
import { clientHello } from "./client_hello.ts";
import { HANDSHAKES } from "./handshake.ts";
import { http } from "./http.ts";
import { importing } from "./importing.ts";
import { FORMS } from "./policy.ts";
import { header } from "./proxy_header.ts";
import { reply } from "./reply.ts";
import { request } from "./request.ts";
import { socks } from "./socks.ts";
import { forwards, locating, table } from "./table.ts";

export const TARGETS: readonly Target[] = [
  request,
  reply,
  connecting,
  listing,
  http,
  socks,
  header,
  clientHello,
  ...HANDSHAKES,
  table,
  forwards,
  locating,
  importing,
  certificates,
  rules,
  ...FORMS,
];
