/**
 * HTTP for the control socket and the admin listener. An `import` of node:http
 * makes Node load its fetch and HTTP/2 as well, 50 ms of processor time, and in
 * the bundle even where nobody asks for HTTP.
 */
export const { createServer, request } = process.getBuiltinModule("node:http");
