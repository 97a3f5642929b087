// @ts-self-types="./mod.d.ts"
export * from "deno-std/toml/mod.js";
