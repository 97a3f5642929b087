import type { Service } from "../table/service.ts";
import { openBuiltin } from "./builtin.ts";
import { openConnect } from "./connect.ts";
import type { Identity } from "./exec/identity.ts";
import { openExec } from "./exec/open.ts";
import { openHandler } from "./handler.ts";
import type { Opening, SessionContext } from "./service.ts";
import { openTcpmux } from "./tcpmux.ts";
import { openText } from "./text.ts";

/**
 * Opens a service of any kind.
 *
 * @param identity whom a program runs as; undefined for the other kinds
 */
export function openService(
  service: Service,
  context: SessionContext,
  identity: Identity | undefined,
): Opening {
  switch (service.kind) {
    case "builtin":
      return openBuiltin(service, context);
    case "exec":
      // `identitiesOf` has given each enabled program one, or the table was
      // refused; a service that is not enabled is not opened.
      return openExec(service, context, identity!);
    case "connect":
      return openConnect(service, context);
    case "tcpmux":
      return openTcpmux(service, context);
    case "text":
      return openText(service);
    case "handler":
      return openHandler(service, context);
  }
}
