/** What is made of a table for other programs. */

export interface ExportedFile {
  readonly name: string;
  readonly text: string;
}

/** What the table itself does not say. */
export interface ExportTarget {
  /** The table's absolute path; undefined for the built-in one. */
  readonly file: string | undefined;
  /** One line that says what it is made from. */
  readonly about: string;
  /** The host by which clients reach the server. */
  readonly host: string;
  /** The address of the admin listener, as `HOST:PORT`. */
  readonly admin: string;
}
