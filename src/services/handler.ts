import type { HandlerService } from "../table/service.ts";
import type { Opening, ServiceContext } from "./opened.ts";

/** A function of the program that uses the library. */
export function openHandler(
  service: HandlerService,
  context: ServiceContext,
): Opening {
  return Promise.resolve({
    kind: "opened",
    message: service.message,
    serve: async (client) => {
      await service.handler(client, {
        id: context.id,
        service: service.name,
        signal: context.ending.signal,
      });
    },
    discard() {},
  });
}
