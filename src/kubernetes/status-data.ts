// Conditions → the data of the status ConfigMap: what stays the same is said in the same bytes, and it never outgrows a ConfigMap.
import type { Condition, Conditions } from '../model/announced.ts';
import { asRecord } from '../model/as-record.ts';

type Data = Readonly<Record<string, string>>;
interface Stamped {
  readonly type: 'Ready';
  readonly status: 'True' | 'False';
  readonly reason: string;
  readonly message: string;
  readonly lastTransitionTime: string;
}
type Named = Readonly<Record<string, readonly Stamped[]>>;

/** A ConfigMap holds 1 MiB; what is beside status.json is a few lines. */
const MOST_BYTES = 900_000;
/** With more users and roles than this only those are named that are not ready; and where these are too many, fewer of them. */
const LIMITS = [1000, 300, 100, 0] as const;
const LONGEST_MESSAGE = 300;

/**
 * @param before the data as they are, whose times are kept for what has not changed.
 * @param now the time of whatever changes its status.
 * @param most bytes of it.
 */
export function statusData({ overall, applied, entities, audit }: Conditions, before: Data, now: Date, most: number = MOST_BYTES): Data {
  const last = parse(before['status.json']);
  const time = `${now.toISOString().slice(0, 19)}Z`;
  const stamp = ({ ready, reason, message }: Condition, previous: Stamped | undefined): Stamped => {
    const status = ready ? 'True' : 'False';
    return { type: 'Ready', status, reason, message: cut(message), lastTransitionTime: previous?.status === status ? previous.lastTransitionTime : time };
  };
  const [whole] = conditionsIn(last['conditions']);
  const version = applied?.version.split('/').at(-1) ?? before['observedResourceVersion'] ?? '';
  const hash = applied?.hash ?? before['documentHash'] ?? '';
  const auditHead = audit?.head ?? before['auditHead'];
  const condition = stamp(overall, whole);
  const head = { ready: overall.ready, reason: condition.reason, message: condition.message, observedResourceVersion: version, documentHash: hash };
  const data = (rest: object): Data => ({
    ready: String(head.ready),
    reason: head.reason,
    message: head.message,
    observedResourceVersion: version,
    documentHash: hash,
    ...(auditHead === undefined ? {} : { auditHead, revision: audit?.revision ?? before['revision'] ?? '' }),
    'status.json': JSON.stringify({ ...head, conditions: [condition], ...rest }),
  });
  if (entities === undefined) {
    const { counts, complete, users, roles } = last;
    return data({ counts: asRecord(counts) ?? {}, complete: complete === true, users: namedIn(users), roles: namedIn(roles) });
  }

  const { users, roles } = entities;
  const ready = (conditions: ReadonlyMap<string, Condition>): number => [...conditions.values()].filter((one) => one.ready).length;
  const counts = { users: users.size, usersReady: ready(users), roles: roles.size, rolesReady: ready(roles) };
  const everything = (limit: number): Data => {
    const complete = users.size + roles.size <= limit;
    let room = limit;
    const list = (conditions: ReadonlyMap<string, Condition>, previous: Named): Named => {
      const wanted = [...conditions].filter(([, one]) => complete || !one.ready).toSorted(([a], [b]) => (a < b ? -1 : 1));
      const named = wanted.slice(0, room);
      room -= named.length;
      return Object.fromEntries(named.map(([name, one]) => [name, [stamp(one, previous[name]?.[0])]]));
    };
    return data({ counts, complete, users: list(users, namedIn(last['users'])), roles: list(roles, namedIn(last['roles'])) });
  };
  for (const limit of LIMITS) {
    const result = everything(limit);
    if (Buffer.byteLength(result['status.json'] ?? '') <= most) return result;
  }
  return data({ counts, complete: false, users: {}, roles: {} });
}

const cut = (message: string): string => (message.length <= LONGEST_MESSAGE ? message : `${message.slice(0, LONGEST_MESSAGE - 1).toWellFormed()}…`);

/** What stands there may have been written by anybody. */
function parse(text: string | undefined): Record<string, unknown> {
  try {
    return asRecord(JSON.parse(text ?? '{}')) ?? {};
  } catch {
    return {};
  }
}

const conditionsIn = (value: unknown): Stamped[] =>
  (Array.isArray(value) ? (value as unknown[]) : []).flatMap((item): Stamped[] => {
    const { type, status, reason, message, lastTransitionTime } = asRecord(item) ?? {};
    if (type !== 'Ready' || (status !== 'True' && status !== 'False')) return [];
    if (typeof reason !== 'string' || typeof message !== 'string' || typeof lastTransitionTime !== 'string') return [];
    return [{ type, status, reason, message, lastTransitionTime }];
  });

const namedIn = (value: unknown): Named =>
  Object.fromEntries(Object.entries(asRecord(value) ?? {}).map(([name, conditions]) => [name, conditionsIn(conditions).slice(0, 1)]));
