/** Who reads one piece of a connection, without a promise for it. */
export interface Reader {
  /** @param bytes the reader's to keep; null at the end of the stream */
  took(bytes: Uint8Array | null): void;
  failed(error: unknown): void;
}

/** Tells a reader what becomes of a read. */
export function tell(
  reading: Promise<Uint8Array | null>,
  reader: Reader,
): void {
  reading.then(
    (bytes) => reader.took(bytes),
    (error) => reader.failed(error),
  );
}
