// Tables and lists as Markdown has them.

const cell = (text) => ` ${text} `;
const row = (cells) => `|${cells.map(cell).join("|")}|`;

export function table(heads, rows) {
  const rule = heads.map((_, i) => i === 0 ? "---" : "--:");
  return [row(heads), row(rule), ...rows.map(row)].join("\n");
}

export const listOf = (texts) => texts.map((text) => `- ${text}\n`).join("");
