/**
 * Modules of Node that few servers need. An `import` of one stands at the top of
 * the bundle and costs each start, even where nobody asks for it: node:http makes
 * Node load its fetch and HTTP/2 as well, 30 ms of processor time.
 */
export const nodeHttp = () => process.getBuiltinModule("node:http");
export const nodeTls = () => process.getBuiltinModule("node:tls");
export const nodeCrypto = () => process.getBuiltinModule("node:crypto");
