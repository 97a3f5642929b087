// The part of RESULTS.md that says which targets are met, and what the runtime
// itself allows where one is not.
import { listOf, table } from "./markdown.mjs";
import { targetsOf } from "./targets.mjs";

const VERDICTS = new Map([[true, "met"], [false, "**not met**"]]);

/** A scenario that is below a bound, beside the plain relay if there is one. */
function besidePlain({ id, figure, plain }) {
  const own = `\`${id}\` ${figure.toFixed(2)}`;
  if (plain === undefined) return own;
  const share = (figure / plain).toFixed(2);
  return `${own} (plain ${plain.toFixed(2)}: ${share} of it)`;
}

export function verdictsOf(results) {
  const targets = targetsOf(results);
  const met = targets.filter((each) => each.met).length;
  const rows = targets.map(({ target, measured, met, plain }) => [
    target,
    measured,
    VERDICTS.get(met) ?? "unknown",
    met === false ? plain ?? "" : "",
  ]);
  const parts = [`## Targets

${met} of ${targets.length} are met, in the machine's own network. Where one is
not, the last column has what the plain relay of the same runtime (\`plain/\`)
reaches in the same scenario, in the same terms, where it is measured: it does
nothing but relay. A figure nearer to its bound than its own lowest and highest
are apart may be on the other side of it the next time.

${table(["target", "measured", "", "plain relay of the same runtime"], rows)}
`];
  const lists = targets.filter(({ below = [] }) => below.length > 0)
    .map(({ target, below }) =>
      `_${target}_: ${below.map(besidePlain).join(", ")}`
    );
  if (lists.length > 0) {
    parts.push(`Every scenario that is below such a target, lowest first; in
brackets the plain relay, and tcpmux's share of that:

${listOf(lists)}`);
  }
  return parts.join("\n");
}
