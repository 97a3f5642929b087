/** What is done at once: one promise for all of it. */
export const DONE: Promise<void> = Promise.resolve();
