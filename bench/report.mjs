// RESULTS.md, from what was measured.
import { listOf, table } from "./markdown.mjs";
import { pairsReport } from "./pairs.mjs";
import { PEERS, titleOf } from "./peers/index.mjs";
import { figure } from "./print.mjs";
import { SCENARIOS } from "./scenarios.mjs";
import { isUnpaced } from "./unpaced.mjs";
import { verdictsOf } from "./verdicts.mjs";

const HOW_TO = `# Benchmark

Written by \`npm run bench\`: do not edit. Run it again on a machine that has
nothing else to do (about 40 minutes, Linux, gcc, and for all of it root);
\`npm run bench -- --help\` tells the rest, \`npm run bench -- --short\` takes
two minutes, and \`npm run bench -- --check\` fails when a ratio to the
limit has fallen by more than 30 % against the one that the short form has in
results.json. Other servers that are not installed are left out, and said below.

![Ratios to the limit, memory and start](results.svg)
`;

const METHOD = `## How it is measured

- Everything runs on this machine and talks over loopback: the load, the peer
  and the servers behind it share its cores. So read the ratios, not the
  figures: to the **limit**, a TCPMUX server in one thread of C with epoll and
  splice (\`relay.c\`), measured in the same round.
- _No relay_ is the load straight at the backend: it shows what load and
  backend can do at most.
- In each round all peers take their turn, each round beginning with another
  one. A figure is the median of all rounds, with the lowest and the highest
  below it; a ratio is the median of the ratios within each round. Handshakes
  and round trips have a longer load before the first round: in the first second
  it is mostly measured how fast a runtime compiles.
- Handshakes: 32 connections at a time (programs: 8), each to its end. The
  server ends them, so that TIME_WAIT is with its port and the load never runs
  out of ports. Every reply, every byte in bulk by a pattern, and every end is
  checked; a failure makes the run fail.
- Bytes are counted where they arrive.
- All is measured in the machine's own network, with the congestion control that
  this has; but the groups that are called _unpaced_ in a network namespace with
  TCP Reno. Some congestion controls, as BBR, pace what is sent, on loopback
  too, and now and then settle for a while on a part of what there is. A median
  over the rounds leaves out what happens in a few of them; the lowest shows it.
  \`--short\` and \`--check\` measure in such a namespace too, to be steady.
- tcpmux runs as it comes, with its line in the log for each connection, to
  /dev/null. Nothing else that is measured logs connections.
- HAProxy (without splicing: it was no faster with it) has as many threads, nginx as many workers, as there are cores, at
  most 2; the C relay, and tcpmux, serve in one thread. socat takes a process
  for each connection. xinetd has no limits on rates. inetutils inetd may sleep
  for up to a second when it has no other client waiting: its low figures are
  that.
- Round trips on one connection have all processes on one core: else they
  measure how long a core takes to wake up.
- TLS is version 1.3, with a key on P-256; each handshake is a whole one. The
  ratios are to HAProxy, as the C relay speaks no TLS. HAProxy and nginx may use
  both cores, tcpmux one: processor time says more there than the rates do.
- Programs are tiny and static, so that it is the server that is measured.
- Memory is what the server's processes share with nobody, each connection's
  part of it after one byte has gone there and back, in a server that has done
  nothing else (\`idle-worked\`: in one that has made handshakes for some
  seconds). A runtime takes some MiB once, while it warms up: of 1,000
  connections that is some KiB each.
`;

/** Beside next to nothing, as the limit's memory is, a ratio tells nothing. */
function shown({ better }, summary) {
  if (summary === undefined) return "";
  const { median, min, max, ratio } = summary;
  const lines = [`${figure(median)}`, `${figure(min)}–${figure(max)}`];
  if (ratio !== undefined && better === "more") {
    lines.push(`**${ratio.toFixed(2)}**`);
  }
  return lines.join("<br>");
}

/** The form of a peer that is measured at its start only, as it is. */
const nameOf = (id) => titleOf(id) ?? id.replace("-", ", ");

const placeOf = (id) => PEERS.findIndex((peer) => peer.id === id);

function groupTable(group, scenarios, cellOf) {
  const members = SCENARIOS.filter((each) =>
    each.group === group && scenarios[each.id]
  );
  const peers = [...new Set(members.flatMap((each) => each.peers))]
    .filter((id) => members.some((each) => scenarios[each.id][id]))
    .sort((a, b) => placeOf(a) - placeOf(b));
  const rows = members.map((each) => [
    `${each.title}, ${each.unit}<br>\`${each.id}\``,
    ...peers.map((id) => cellOf(each, scenarios[each.id][id])),
  ]);
  return table(["", ...peers.map(nameOf)], rows);
}

/** Where bytes are counted, a cost of one is one of a megabyte. */
const costOf = ({ unit }, summary) =>
  summary?.cost === undefined
    ? ""
    : `${figure(summary.cost)} µs${unit === "MB/s" ? "/MB" : ""}`;

const COPYING = ["haproxy", "nginx"];

/** What has to be known to read a group that is measured where nothing paces. */
function aboutUnpaced(group, scenarios) {
  const ranges = COPYING.flatMap((peer) => {
    const ratios = SCENARIOS.filter((each) => each.group === group)
      .map(({ id }) => scenarios[id]?.[peer]?.ratio)
      .filter((ratio) => ratio !== undefined);
    if (ratios.length === 0) return [];
    const [low, high] = [Math.min(...ratios), Math.max(...ratios)];
    return [`${titleOf(peer)} moves ${low.toFixed(2)} to ${high.toFixed(2)}`];
  });
  const where = `The same in a network namespace with TCP Reno, which does not
pace. No target is meant for these.`;
  // The other groups have no relay beside the C relay.
  return ranges.length === 0
    ? where
    : `${where} Where nothing paces, the C relay,
which splices and so copies nothing, is mostly far ahead of all that copy: of
what it moves, ${ranges.join(", ")}.`;
}

export function reportOf(results) {
  const { machine, versions, settings, skipped, scenarios } = results;
  const { failures, hiccups, unpaced, beside } = results;
  const groups = [...new Set(SCENARIOS.map(({ group }) => group))]
    .filter((group) =>
      SCENARIOS.some((each) => each.group === group && scenarios[each.id])
    );
  const costly = groups.filter((group) =>
    SCENARIOS.some((each) =>
      each.group === group &&
      Object.values(scenarios[each.id] ?? {}).some(({ cost }) => cost)
    )
  );
  const parts = [HOW_TO, verdictsOf(results), METHOD];
  parts.push(`## The machine and the programs

${machine.processor}, ${machine.cores} cores, ${machine.memory}, ${machine.kernel},
TCP ${machine.congestion}${
    unpaced?.congestion ? `; unpaced, TCP ${unpaced.congestion}` : ""
  }.
${settings.repeat} rounds of ${settings.seconds} s for each figure${
    unpaced?.repeat ? `, ${unpaced.repeat} where unpaced` : ""
  }. The limit of open files
is ${machine.openFiles}: "10,000" idle connections are ${settings.idleCount}.

${
    table(
      ["peer", "version"],
      Object.entries(versions).map(([id, version]) => [titleOf(id), version]),
    )
  }
`);
  const left = Object.entries(skipped)
    .map(([id, why]) => `${titleOf(id)}: ${why}`);
  if (unpaced?.missing) left.push(`all that is unpaced: ${unpaced.missing}`);
  if (left.length > 0) parts.push(`Left out:\n\n${listOf(left)}`);
  if (failures.length > 0) {
    parts.push(`These measurements failed:\n\n${listOf(failures)}`);
  }
  if (hiccups.length > 0) {
    parts.push(
      `These failed, and went well when the server had been started again:

${listOf(hiccups)}`,
    );
  }
  if (beside) parts.push(pairsReport(beside));
  parts.push(`## Figures

Median, lowest–highest, and in bold the ratio to the limit.
`);
  for (const group of groups) {
    const cells = groupTable(group, scenarios, shown);
    const about = isUnpaced(group)
      ? `${aboutUnpaced(group, scenarios)}\n\n`
      : "";
    parts.push(`### ${group}\n\n${about}${cells}\n`);
  }
  parts.push(`## What it costs the peer itself

Processor time of the peer's own processes for each of what is counted, user
and system together: what is left when load and backend have their own cores.
`);
  for (const group of costly) {
    parts.push(`### ${group}\n\n${groupTable(group, scenarios, costOf)}\n`);
  }
  return parts.join("\n");
}
