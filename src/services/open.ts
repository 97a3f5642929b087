import type { Service } from "../table/service.ts";
import { openBuiltin } from "./builtin.ts";
import { openChained } from "./tcpmux.ts";
import { openExec } from "./exec/open.ts";
import { openHandler } from "./handler.ts";
import type { Identity } from "./exec/identity.ts";
import type { Opening, ServiceContext } from "./opened.ts";
import { openText } from "./text.ts";
import { openUpstream } from "./connect.ts";

/** Opens a service of any kind. */
export function openService(
  service: Service,
  context: ServiceContext,
  identity: Identity | undefined,
): Opening {
  switch (service.kind) {
    case "builtin":
      return openBuiltin(service);
    case "exec":
      return openExec(service, context, identity!);
    case "connect":
      return openUpstream(service, context);
    case "tcpmux":
      return openChained(service, context);
    case "text":
      return openText(service);
    case "handler":
      return openHandler(service, context);
  }
}
