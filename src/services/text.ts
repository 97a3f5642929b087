import type { TextService } from "../table/service.ts";
import type { Opening, RunningService } from "./service.ts";

const encoder = new TextEncoder();

/** Opens a fixed text, which is sent byte for byte as the table has it. */
export function openText(service: TextService): Opening {
  const text = encoder.encode(service.text);
  return Promise.resolve(new Answer(service.message, text));
}

/** A service that sends one answer, whatever the client sends. */
export class Answer implements RunningService {
  readonly kind = "opened";
  readonly message: string;
  readonly first: Uint8Array;
  readonly conn = undefined;

  constructor(message: string, first: Uint8Array) {
    this.message = message;
    this.first = first;
  }

  abort(): void {}
}
