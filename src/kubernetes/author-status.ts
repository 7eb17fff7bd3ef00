// Conditions of one author → its key in the status ConfigMap of its namespace, in which each server, and each author, has its own.
import { digestOf } from '../model/digest.ts';
import type { Author } from '../model/fleet.ts';
import { asRecord } from '../model/as-record.ts';
import type { StatusPart } from './status-configmap.ts';
import { statusData } from './status-data.ts';

/** Of all that a ConfigMap holds, so that there is room for ten. */
const MOST_BYTES = 90_000;
/** Problems that are told, and the length of each. */
const PROBLEMS = 20;
const LONGEST = 300;

export function authorStatus(server: string, { name, may }: Pick<Author, 'name' | 'may'>): StatusPart {
  const key = `${server}.${name}.json`;
  return {
    manager: `pgsteward-${digestOf([server, name]).slice(0, 32)}`,
    data: (conditions, before, now) => {
      const text = before[key];
      const data = statusData({ ...conditions, applied: undefined }, text === undefined ? {} : { 'status.json': text }, now, MOST_BYTES);
      const { observedResourceVersion: _, documentHash: __, ...rest } = asRecord(JSON.parse(data['status.json'] ?? '{}')) ?? {};
      const problems = (conditions.problems ?? []).slice(0, PROBLEMS).map((problem) => problem.slice(0, LONGEST).toWellFormed());
      return {
        [key]: JSON.stringify({
          server,
          author: name,
          ...rest,
          problems,
          may: { ...may, names: may.names.slice(0, 100), databases: may.databases.slice(0, 100) },
        }),
      };
    },
  };
}
