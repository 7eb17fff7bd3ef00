// The answer of /status where there are several servers: a line for each, and what is wrong with the file that declares them.
import * as z from 'zod';
import { oneLine } from '../document/show.ts';
import { ANSWER, type Verdict, verdictOf } from './status-answer.ts';
import type { StatusPaint } from './status-text.ts';

const FLEET = z.object({
  fleet: z.object({
    source: z.object({ description: z.string(), failure: z.string().nullish() }),
    alive: z.boolean(),
    invalid: z.array(z.string()),
    problems: z.array(z.object({ severity: z.string(), message: z.string() })),
  }),
  servers: z.record(z.string(), ANSWER),
});
const REFUSAL = z.object({ error: z.string(), servers: z.array(z.string()) });

export type FleetAnswer = z.infer<typeof FLEET>;

/** undefined where it is none of several servers. */
export const readFleetAnswer = (body: unknown): FleetAnswer | undefined => FLEET.safeParse(body).data;

/** What the daemon says where it is asked for a server that it does not keep. */
export function refusalIn(body: unknown): string | undefined {
  const { data } = REFUSAL.safeParse(body);
  return data === undefined ? undefined : `${data.error}; there are: ${data.servers.join(', ') || 'none'}`;
}

export interface FleetVerdict extends Verdict {
  /** The server, or servers.yaml. */
  readonly of: string;
}

export function fleetVerdicts({ fleet, servers }: FleetAnswer): readonly FleetVerdict[] {
  const { failure } = fleet.source;
  const wrong = fleet.problems.filter(({ severity }) => severity === 'error').length;
  const file: readonly FleetVerdict[] =
    failure != null
      ? [{ of: 'servers.yaml', code: 1, says: `it cannot be read, and every server is kept as it was: ${failure}` }]
      : wrong > 0
        ? [{ of: 'servers.yaml', code: 1, says: `${wrong} error(s); what is wrong stays as it was` }]
        : [];
  return [...file, ...Object.entries(servers).map(([of, answer]) => ({ of, ...verdictOf(answer) }))];
}

const PAINTS = { 0: 'good', 1: 'bad', 2: 'warning' } as const;

export function fleetText({ fleet, servers }: FleetAnswer, verdicts: readonly FleetVerdict[], paint: StatusPaint): string {
  const width = Math.max(0, ...verdicts.map(({ of }) => of.length));
  return [
    oneLine(`${Object.keys(servers).length} server(s), declared by ${fleet.source.description}`),
    ...verdicts.map(({ of, code, says }) => paint(PAINTS[code], oneLine(`  ${of.padEnd(width)}  ${says}`))),
    ...fleet.problems.map(({ severity, message }) => paint(severity === 'error' ? 'bad' : 'warning', oneLine(`${severity}: ${message}`))),
    '',
  ].join('\n');
}
