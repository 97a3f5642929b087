// What tcpmux is meant to reach, and whether it has.
import { SCENARIOS } from "./scenarios.mjs";

const RELAYING = ["Round trips of 64 bytes", "Bytes through a relay"];
const idsOf = (groups) =>
  SCENARIOS.filter(({ group }) => groups.includes(group)).map(({ id }) => id);

/** What still counts as the same: the figures themselves vary as much. */
const FLAT = 0.85;

const plainOf = (peer) => `plain-${peer}`;
const finite = (value) => Number.isFinite(value) ? value : undefined;

/**
 * { target, measured, met } of each; `met` is undefined where it is unknown.
 * Of those that are missed also `plain`, what the plain relay of the same
 * runtime reaches there, if it is measured; and of those that hold for many
 * scenarios `below`, a list of { id, figure, plain } of each that is missed.
 */
export function targetsOf({ scenarios }) {
  const of = (id, peer) => scenarios[id]?.[peer];
  const unknown = (target) => ({ target, measured: "not measured" });

  /** The least of a peer's figures, and which one it is. */
  const least = (target, bound, peer, ids, figureOf) => {
    const known = ids.map((id) => ({
      id,
      figure: figureOf(id, peer),
      plain: finite(figureOf(id, plainOf(peer))),
    })).filter(({ figure }) => Number.isFinite(figure));
    if (known.length === 0) return unknown(target);
    known.sort((a, b) => a.figure - b.figure);
    const below = known.filter(({ figure }) => figure < bound);
    const [{ id, figure, plain }] = known;
    const measured = `${figure.toFixed(2)} (${id}) at least` +
      (below.length > 0 ? `; below in ${below.length} of ${known.length}` : "");
    return {
      target,
      measured,
      met: below.length === 0,
      plain: plain?.toFixed(2),
      below: known.length > 1 ? below : [],
    };
  };
  const ratioOf = (id, peer) => of(id, peer)?.ratio;
  const ratios = (target, bound, peer, ids) =>
    least(target, bound, peer, ids, ratioOf);

  const most = (target, bound, unit, id, peer) => {
    const median = of(id, peer)?.median;
    if (median === undefined) return unknown(target);
    const plain = of(id, plainOf(peer))?.median;
    return {
      target,
      measured: `${median} ${unit}`,
      met: median <= bound,
      plain: plain && `${plain} ${unit}`,
    };
  };

  /** One scenario beside another, of the same peer unless `theirs` names one. */
  const ahead = (target, peer, id, theirs, bound = 1) => {
    const beside = (runner) => {
      const one = of(id, runner)?.median;
      const other = of(theirs.id ?? id, theirs.peer ?? runner)?.median;
      return { one, other, figure: finite(one / other) };
    };
    const { one, other, figure } = beside(peer);
    if (figure === undefined) return unknown(target);
    return {
      target,
      measured: `${figure.toFixed(2)} (${one} to ${other})`,
      met: figure >= bound,
      plain: beside(plainOf(peer)).figure?.toFixed(2),
    };
  };

  /** Processor time: HAProxy's of that of a peer, which it is to reach. */
  const secured = (target, bound, peer, ids) =>
    least(
      target,
      bound,
      peer,
      ids,
      (id, peer) => of(id, "haproxy")?.cost / of(id, peer)?.cost,
    );

  const all = idsOf(["Handshakes", ...RELAYING]);
  const relaying = idsOf(RELAYING);
  const proxied = ["handshake-proxied"];
  const idle = "idle-10000";
  const ours = [["bun", "Bun"], ["deno", "Deno"], ["node", "Node"]];
  return [
    ratios("Bun: 0.9 of the limit, handshakes and relaying", 0.9, "bun", all),
    least(
      "Bun: ahead of HAProxy in all of them",
      1,
      "bun",
      all,
      (id, peer) => of(id, peer)?.median / of(id, "haproxy")?.median,
    ),
    secured("Bun: bytes by TLS for HAProxy's processor time, 0.9", 0.9, "bun", [
      ...["up", "down"].flatMap((way) => [`tls-${way}-1`, `tls-${way}-4`]),
    ]),
    secured(
      "Bun: handshakes of TLS for HAProxy's processor time, 0.7",
      0.7,
      "bun",
      ["tls-handshake"],
    ),
    most("Bun: 3 KiB an idle connection", 3, "KiB", idle, "bun"),
    ratios("Deno: 0.85 of the limit, relaying", 0.85, "deno", relaying),
    ratios("Deno: 0.7, proxied handshakes", 0.7, "deno", proxied),
    most("Deno: 12 KiB an idle connection", 12, "KiB", idle, "deno"),
    ratios(
      "Node: 0.6 of the limit, relaying and proxied handshakes",
      0.6,
      "node",
      [...relaying, ...proxied],
    ),
    most("Node: 9 KiB an idle connection", 9, "KiB", idle, "node"),
    ...[["bun", "Bun"], ["node", "Node"]].flatMap(([peer, name]) => [
      ahead(
        `${name}: more programs a second than xinetd, over the socket`,
        peer,
        "exec-socket",
        { peer: "xinetd" },
      ),
      ...["down", "up"].map((way) =>
        ahead(
          `${name}: bytes ${way} through a program with the socket, as no relay`,
          peer,
          `exec-socket-${way}`,
          { id: `${way}-1`, peer: "direct" },
          FLAT,
        )
      ),
    ]),
    ...ours.flatMap(([peer, name]) =>
      ["down", "up"].map((way) =>
        ahead(
          `${name}: bytes ${way} through a program, 0.7 of no relay`,
          peer,
          `exec-${way}`,
          { id: `${way}-1`, peer: "direct" },
          0.7,
        )
      )
    ),
    ...ours.flatMap(([peer, name]) => [
      ahead(
        `${name}: handshakes beside 10,000 idle, as beside none`,
        peer,
        "crowd-10000",
        { id: "crowd-0" },
        FLAT,
      ),
      ahead(
        `${name}: memory each of 10,000, as of 1,000`,
        peer,
        "idle-1000",
        { id: "idle-10000" },
        FLAT,
      ),
      ahead(
        `${name}: handshakes with 10,000 services, as with one`,
        peer,
        "names-10000",
        { id: "names-1" },
        FLAT,
      ),
    ]),
    ...ours.flatMap(([peer, name]) =>
      ["up", "down"].map((way) =>
        ahead(
          `${name}: ${way} through tcpmux connect in a pipe, 0.8 of nc`,
          peer,
          `client-${way}`,
          { peer: "nc" },
          0.8,
        )
      )
    ),
    most(
      "Bun: the bundle answers within 100 ms",
      100,
      "ms",
      "start-time",
      "bun-bundle",
    ),
  ];
}
