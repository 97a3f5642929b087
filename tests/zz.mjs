const t0 = performance.now();
await import("zod");
const t1 = performance.now();
const { parseTable } = await import("../src/table/parse.ts");
const t2 = performance.now();
const text = (await import("node:fs")).readFileSync("services.toml", "utf8");
const t3 = performance.now();
parseTable(text, "x");
const t4 = performance.now();
parseTable(text, "x");
const t5 = performance.now();
console.log(
  "zod",
  (t1 - t0).toFixed(1),
  "modules",
  (t2 - t1).toFixed(1),
  "first",
  (t4 - t3).toFixed(1),
  "second",
  (t5 - t4).toFixed(1),
);
