// What tcpmux is meant to reach, and whether it has.
import { SCENARIOS } from "./scenarios.mjs";

const RELAYING = ["Round trips of 64 bytes", "Bytes through a relay"];
const idsOf = (groups) =>
  SCENARIOS.filter(({ group }) => groups.includes(group)).map(({ id }) => id);

/** What still counts as the same: the figures themselves vary as much. */
const FLAT = 0.85;

/** { target, measured, met } of each; `met` is undefined where it is unknown. */
export function targetsOf({ scenarios }) {
  const of = (id, peer) => scenarios[id]?.[peer];

  /** The least of these figures, and which one it is. */
  const least = (target, bound, ids, figureOf) => {
    const known = ids.map((id) => ({ id, figure: figureOf(id) }))
      .filter(({ figure }) => Number.isFinite(figure));
    if (known.length === 0) return unknown(target);
    known.sort((a, b) => a.figure - b.figure);
    const low = known.filter(({ figure }) => figure < bound).length;
    const [{ id, figure }] = known;
    const measured = `${figure.toFixed(2)} (${id}) at least` +
      (low > 0 ? `; below in ${low} of ${known.length}` : "");
    return { target, measured, met: low === 0 };
  };
  const ratios = (target, bound, peer, ids) =>
    least(target, bound, ids, (id) => of(id, peer)?.ratio);
  const most = (target, bound, unit, summary) =>
    summary === undefined ? unknown(target) : {
      target,
      measured: `${summary.median} ${unit}`,
      met: summary.median <= bound,
    };
  const ahead = (target, mine, theirs, bound = 1) => {
    if (mine === undefined || theirs === undefined) return unknown(target);
    const figure = mine.median / theirs.median;
    const measured = `${
      figure.toFixed(2)
    } (${mine.median} to ${theirs.median})`;
    return { target, measured, met: figure >= bound };
  };
  const unknown = (target) => ({ target, measured: "not measured" });

  const all = idsOf(["Handshakes", ...RELAYING]);
  const relaying = idsOf(RELAYING);
  const proxied = ["handshake-proxied"];
  const idle = (peer) => of("idle-10000", peer);
  const ours = [["bun", "Bun"], ["deno", "Deno"], ["node", "Node"]];
  return [
    ratios("Bun: 0.9 of the limit, handshakes and relaying", 0.9, "bun", all),
    least(
      "Bun: ahead of HAProxy in all of them",
      1,
      all,
      (id) => of(id, "bun")?.median / of(id, "haproxy")?.median,
    ),
    most("Bun: 3 KiB an idle connection", 3, "KiB", idle("bun")),
    ratios("Deno: 0.85 of the limit, relaying", 0.85, "deno", relaying),
    ratios("Deno: 0.7, proxied handshakes", 0.7, "deno", proxied),
    most("Deno: 12 KiB an idle connection", 12, "KiB", idle("deno")),
    ratios(
      "Node: 0.6 of the limit, relaying and proxied handshakes",
      0.6,
      "node",
      [...relaying, ...proxied],
    ),
    most("Node: 9 KiB an idle connection", 9, "KiB", idle("node")),
    ...[["bun", "Bun"], ["node", "Node"]].flatMap(([peer, name]) => [
      ahead(
        `${name}: more programs a second than xinetd, over the socket`,
        of("exec-socket", peer),
        of("exec-socket", "xinetd"),
      ),
      ...["down", "up"].map((way) =>
        ahead(
          `${name}: bytes ${way} through a program with the socket, as no relay`,
          of(`exec-socket-${way}`, peer),
          of(`${way}-1`, "direct"),
          FLAT,
        )
      ),
    ]),
    ...ours.flatMap(([peer, name]) =>
      ["down", "up"].map((way) =>
        ahead(
          `${name}: bytes ${way} through a program, 0.7 of no relay`,
          of(`exec-${way}`, peer),
          of(`${way}-1`, "direct"),
          0.7,
        )
      )
    ),
    ...ours.flatMap(([peer, name]) => [
      ahead(
        `${name}: handshakes beside 10,000 idle, as beside none`,
        of("crowd-10000", peer),
        of("crowd-0", peer),
        FLAT,
      ),
      ahead(
        `${name}: memory each of 10,000, as of 1,000`,
        of("idle-1000", peer),
        of("idle-10000", peer),
        FLAT,
      ),
      ahead(
        `${name}: handshakes with 10,000 services, as with one`,
        of("names-10000", peer),
        of("names-1", peer),
        FLAT,
      ),
    ]),
    ...ours.flatMap(([peer, name]) =>
      ["up", "down"].map((way) =>
        ahead(
          `${name}: ${way} through tcpmux connect in a pipe, 0.8 of nc`,
          of(`client-${way}`, peer),
          of(`client-${way}`, "nc"),
          0.8,
        )
      )
    ),
    most(
      "Bun: the bundle answers within 100 ms",
      100,
      "ms",
      of(
        "start-time",
        "bun-bundle",
      ),
    ),
  ];
}
