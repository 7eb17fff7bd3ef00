// How the cost of a function grows with its input: by the processor's time and only ever against itself, so that a slow or busy machine changes nothing.

/** The processor's time comes in ticks; less than this measures only those. */
const WORTH_MEASURING_MS = 24;
/** A single run that takes this long is no linear one, whatever it is compared with. */
const HOPELESS_MS = 5000;

function processorMs(run: () => unknown): number {
  const began = process.threadCpuUsage();
  run();
  const { user, system } = process.threadCpuUsage(began);
  return (user + system) / 1000;
}

/** What one run costs, from as many as are worth measuring. */
function costOf(run: () => unknown): number {
  for (let times = 1; ; times *= 4) {
    const spent = processorMs(() => {
      for (let left = times; left > 0; left -= 1) run();
    });
    if (spent >= WORTH_MEASURING_MS) return spent / times;
  }
}

/**
 * How many times more an input of four times the size costs: 4 where the cost is linear, 16 where it is quadratic, thousands where it is exponential.
 * @param input of a size; it is made outside of the measurement.
 * @param run has to do something with every character: a run that costs nothing cannot be measured.
 */
export function costRatio<T>(input: (size: number) => T, run: (input: T) => unknown, size = 8000): number {
  const [once, fourfold] = [input(size), input(size * 4)];
  let least = Infinity;
  // What disturbs a measurement passes; what the code costs stays.
  for (let attempt = 0; attempt < 3 && least > 5; attempt += 1) {
    const before = costOf(() => run(once));
    if (before >= HOPELESS_MS) return Infinity;
    least = Math.min(least, costOf(() => run(fourfold)) / before);
  }
  return least;
}
