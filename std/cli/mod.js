// @ts-self-types="./mod.d.ts"
export * from "deno-std/cli/parse_args.js";
