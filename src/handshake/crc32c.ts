/** The polynomial of CRC32C (Castagnoli), its bits reversed. */
const POLYNOMIAL = 0x82f63b78;

/**
 * The checksum of RFC 9260, appendix A, from 0 to 2^32 - 1. Bit by bit: headers
 * are short, and a table of 256 numbers would be there for them alone.
 */
export function crc32c(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) {
      crc = (crc >>> 1) ^ (crc & 1 ? POLYNOMIAL : 0);
    }
  }
  return (crc ^ 0xffffffff) >>> 0;
}
