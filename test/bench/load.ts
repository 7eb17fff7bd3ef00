// Who else works on the machine while something is measured: beside others nothing is a result.
import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { loadavg } from 'node:os';

/** As many processors others may keep busy meanwhile. */
const QUIET = 0.5;
const TOGETHER_MS = 250;
const TICKS_A_SECOND = Number(execFileSync('getconf', ['CLK_TCK'], { encoding: 'utf8' }));

interface Process {
  readonly parent: number;
  readonly ticks: number;
}

/** The CPU time of a process, with that of its children that have ended. */
function processOf(pid: number): Process | undefined {
  try {
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').at(-1)?.split(' ').map(Number) ?? [];
    return { parent: fields[1] ?? 0, ticks: fields.slice(11, 15).reduce((sum, ticks) => sum + ticks, 0) };
  } catch {
    return undefined;
  }
}

/** Seconds of CPU that a process and all below it have used until now. */
export function cpuOf(pid: number): number {
  const all = new Map(
    readdirSync('/proc')
      .filter((entry) => /^\d+$/.test(entry))
      .flatMap((entry) => {
        const found = processOf(Number(entry));
        return found === undefined ? [] : [[Number(entry), found] as const];
      }),
  );
  const isBelow = (one: number): boolean => one === pid || (one > 1 && isBelow(all.get(one)?.parent ?? 0));
  return [...all].reduce((sum, [one, { ticks }]) => sum + (isBelow(one) ? ticks : 0), 0) / TICKS_A_SECOND;
}

/** Seconds that all processors of the machine were busy until now. */
function busy(): number {
  const [user = 0, nice = 0, system = 0, , , irq = 0, softirq = 0] = (readFileSync('/proc/stat', 'utf8').split('\n')[0] ?? '').split(/ +/).slice(1).map(Number);
  return (user + nice + system + irq + softirq) / TICKS_A_SECOND;
}

const now = (): { readonly at: number; readonly others: number } => ({ at: performance.now(), others: busy() - cpuOf(process.pid) });

export interface LoadWatch {
  /** Begins anew: a server that has ended takes what it used with it, which would seem to be that of others. */
  restart(): void;
  /** How many processors others kept busy since it was last asked. */
  others(): number;
}

export function watchLoad(): LoadWatch {
  let since = now();
  let last = 0;
  return {
    restart: () => {
      since = now();
    },
    others: () => {
      // What is told together was measured together.
      if (performance.now() - since.at < TOGETHER_MS) return last;
      const then = since;
      since = now();
      last = Math.max(0, (since.others - then.others) / ((since.at - then.at) / 1000));
      return last;
    },
  };
}

/** What stands before a figure that is none, and behind one that is. */
export const judged = (figure: string, others: number): string =>
  others > QUIET ? `NO RESULT, others kept ${others.toFixed(1)} processors busy: ${figure}` : `${figure} [others: ${others.toFixed(2)}]`;

/** The load of the machine before anything is measured, which is that of others alone. */
export const loadBefore = (): string => {
  const [minute = 0] = loadavg();
  return `load before: ${minute.toFixed(2)}${minute > QUIET ? `, which is above ${QUIET}: wait until the machine is idle` : ''}`;
};
