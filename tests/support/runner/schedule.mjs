// How many test files are run at a time: as many as keep the machine busy.
import { availableParallelism, cpus } from "node:os";

const PROCESSORS = availableParallelism();

/** Most tests wait most of the time, so a loaded machine runs as many. */
const LEAST = 2 * PROCESSORS;

/** However idle the machine is. */
const MOST = 5 * PROCESSORS;

/** Processors that must be idle for one more file to begin. */
const IDLE = 0.3;

/** Milliseconds over which that is measured. */
const PERIOD = 100;

/**
 * Runs all jobs in their order, and then those that run alone one by one.
 *
 * @param perform what is done with each job
 */
export async function runAll(jobs, perform) {
  const together = jobs.filter(({ alone }) => !alone);
  await runTogether(together, perform);
  for (const job of jobs) if (job.alone) await perform(job);
}

function runTogether(jobs, perform) {
  const waiting = [...jobs];
  let running = 0;
  const idle = idleProcessors();
  return new Promise((resolve, reject) => {
    const begin = () => {
      const job = waiting.shift();
      running++;
      perform(job).then(() => {
        running--;
        fill();
      }).catch(reject);
    };
    const fill = () => {
      while (waiting.length > 0 && running < LEAST) begin();
      if (running > 0) return;
      clearInterval(timer);
      resolve();
    };
    const timer = setInterval(() => {
      const enough = idle() > IDLE;
      if (waiting.length > 0 && running < MOST && enough) begin();
    }, PERIOD);
    fill();
  });
}

/** Gives a function: how many processors nobody has used since the last call. */
function idleProcessors() {
  const now = () => {
    let [idle, all] = [0, 0];
    for (const { times } of cpus()) {
      idle += times.idle;
      all += Object.values(times).reduce((sum, time) => sum + time);
    }
    return { idle, all };
  };
  let last = now();
  return () => {
    const { idle, all } = now();
    const share = (idle - last.idle) / Math.max(1, all - last.all);
    last = { idle, all };
    return share * PROCESSORS;
  };
}
