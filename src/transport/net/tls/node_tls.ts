/**
 * TLS on all three runtimes. An `import` of node:tls would stand at the top of
 * the bundle, and cost every start.
 */
export const { createServer } = process.getBuiltinModule("node:tls");
