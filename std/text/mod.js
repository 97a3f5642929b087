// @ts-self-types="./mod.d.ts"
export * from "deno-std/text/closest_string.js";
