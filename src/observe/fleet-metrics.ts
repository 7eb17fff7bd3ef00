// Metrics of several servers: those of each with a label `server`, and the fixed names of the controller that this one replaces as what holds for all of them.
import { type MetricObjectWithValues, type MetricValue, Registry } from 'prom-client';

type Family = MetricObjectWithValues<MetricValue<string>>;

const PREFIX = 'postgres_controller_';
/** The fixed names, and how those of several servers are one. */
const FIXED: ReadonlyMap<string, 'sum' | 'latest'> = new Map([
  ['reconciliations_total', 'sum'],
  ['last_reconciliation_timestamp', 'latest'],
  ['drift_total', 'sum'],
  ['users_managed', 'sum'],
  ['roles_managed', 'sum'],
  ['errors_total', 'sum'],
  ['last_error_timestamp', 'latest'],
]);

export interface FleetMetrics {
  readonly contentType: Registry['contentType'];
  /** As Prometheus reads them. */
  metrics(): Promise<string>;
  /** The metrics of a server; those of one that is let go are shown no longer, and what it counted stays in the sums. */
  add(server: string, registry: Registry): void;
  remove(server: string): Promise<void>;
  /** Of the fleet itself. */
  readonly own: Registry;
}

export function createFleetMetrics(): FleetMetrics {
  const own = new Registry();
  const servers = new Map<string, Registry>();
  /** What servers counted that are let go. */
  const gone = new Map<string, number>();
  const familiesOf = (registry: Registry): Promise<readonly Family[]> => registry.getMetricsAsJSON();

  const collect = async (): Promise<Registry> => {
    const all = new Registry();
    const families = new Map<string, Family & { readonly values: Family['values'][number][] }>();
    const add = (family: Family, values: Family['values'], name = family.name): void => {
      const known = families.get(name);
      if (known === undefined) families.set(name, { ...family, name, values: [...values] });
      else for (const value of values) known.values.push(value);
    };
    const totals = new Map<string, { readonly family: Family; total: number }>();
    for (const [server, registry] of servers)
      for (const family of await familiesOf(registry)) {
        const short = family.name.slice(PREFIX.length);
        const values = family.values.map((value) => ({ ...value, labels: { server, ...value.labels } }));
        const fixed = FIXED.get(short);
        if (fixed === undefined) add(family, values);
        else {
          add(family, values, `${PREFIX}server_${short}`);
          const before = totals.get(family.name) ?? { family, total: gone.get(family.name) ?? 0 };
          totals.set(family.name, { family, total: joined(fixed, [before.total, ...family.values.map(({ value }) => value)]) });
        }
      }
    for (const { family, total } of totals.values()) add(family, [{ labels: {}, value: total }]);
    for (const family of await familiesOf(own)) add(family, family.values);
    for (const family of families.values())
      all.registerMetric({ name: family.name, get: () => Promise.resolve(family) } as unknown as Parameters<Registry['registerMetric']>[0]);
    return all;
  };

  return {
    own,
    contentType: own.contentType,
    metrics: async () => (await collect()).metrics(),
    add: (server, registry) => void servers.set(server, registry),
    remove: async (server) => {
      const registry = servers.get(server);
      servers.delete(server);
      for (const { name, type, values } of registry === undefined ? [] : await familiesOf(registry)) {
        const fixed = FIXED.get(name.slice(PREFIX.length));
        // Whom it manages nobody manages any longer; what happened has happened.
        if (fixed !== undefined && (String(type) === 'counter' || fixed === 'latest'))
          gone.set(name, joined(fixed, [gone.get(name) ?? 0, ...values.map(({ value }) => value)]));
      }
    },
  };
}

const joined = (how: 'sum' | 'latest', values: readonly number[]): number =>
  how === 'sum' ? values.reduce((sum, value) => sum + value, 0) : Math.max(...values);
