// Alerts and the dashboard ask for metrics and labels that exist, and every alert leads to a page that says what to do.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Registry } from 'prom-client';
import { parseDocument } from 'yaml';
import { expect, it } from 'vitest';
import { CHANGE_KINDS } from '../../src/changes/table.ts';
import { NOTICE_KINDS } from '../../src/changes/notice.ts';
import { OUTAGE_REASONS } from '../../src/model/outage.ts';
import { createFleetMetrics } from '../../src/observe/fleet-metrics.ts';
import { createFleetReport } from '../../src/observe/fleet-report.ts';
import { createMetrics } from '../../src/observe/metrics.ts';
import { CYCLE_RESULTS } from '../../src/steward/report.ts';
import { SPANS } from '../../src/steward/validity.ts';
import { ROOT } from '../support/daemon.ts';

interface Question {
  readonly from: string;
  readonly expr: string;
}
interface Family {
  readonly name: string;
  readonly type: string;
  readonly labelNames: readonly string[];
}

const read = (path: string): string => readFileSync(join(ROOT, path), 'utf8');

const { spec } = parseDocument(read('manifests/helm/files/alerts/prometheusrule.yaml')).toJS() as {
  spec: { groups: readonly { rules: readonly { alert: string; expr: string; annotations: Readonly<Record<string, string>> }[] }[] };
};
const RULES = spec.groups.flatMap(({ rules }) => rules);
const DASHBOARD = JSON.parse(read('manifests/helm/files/dashboard/pgsteward.json')) as {
  readonly panels: readonly {
    readonly id: number;
    readonly type: string;
    readonly title: string;
    readonly description?: string;
    readonly gridPos: { readonly x: number; readonly y: number; readonly w: number; readonly h: number };
    readonly targets?: readonly { readonly expr: string }[];
  }[];
  readonly templating: { readonly list: readonly { readonly name: string; readonly definition?: string }[] };
};
const QUESTIONS: readonly Question[] = [
  ...RULES.map(({ alert, expr }) => ({ from: alert, expr })),
  ...DASHBOARD.panels.flatMap(({ title, targets = [] }) => targets.map(({ expr }) => ({ from: title, expr }))),
];

/** Each metric that a process can show → its labels, of one server and of several. */
async function metricsThereAre(): Promise<ReadonlyMap<string, readonly string[]>> {
  const registry = createMetrics().registry;
  const own = new Registry();
  createFleetReport({ ports: {}, log: {} as never, registry: own, tells: () => true, dryRun: false, statusConfigMap: 'off' });
  const families = [...registry.getMetricsAsArray(), ...own.getMetricsAsArray()] as unknown as readonly Family[];
  const known = new Map<string, readonly string[]>();
  for (const { name, type, labelNames } of families)
    if (type === 'histogram') for (const end of ['bucket', 'sum', 'count']) known.set(`${name}_${end}`, [...labelNames, 'le']);
    else known.set(name, labelNames);
  const fleet = createFleetMetrics();
  fleet.add('orders', registry);
  for (const [, name = ''] of (await fleet.metrics()).matchAll(/^# TYPE (\w+)/gm)) if (!known.has(name)) known.set(name, []);
  return known;
}

/** Labels that Prometheus adds, and that everything has where there are several servers. */
const ALWAYS = ['namespace', 'pod', 'server'];
/** The closed sets of values that questions name. */
const VALUES: Readonly<Record<string, readonly string[]>> = {
  kind: [...NOTICE_KINDS, ...CHANGE_KINDS],
  result: CYCLE_RESULTS,
  reason: OUTAGE_REASONS,
  within: SPANS.map(([within]) => within),
};

it('alerts and the dashboard ask for metrics, labels and values that exist', async () => {
  const metrics = await metricsThereAre();
  expect(QUESTIONS.length).toBeGreaterThan(50);
  for (const { from, expr } of QUESTIONS) {
    const used = [...expr.matchAll(/postgres_controller_\w+/g)].map(([name]) => name);
    expect(used.length, from).toBeGreaterThan(0);
    for (const name of used) expect([...metrics.keys()], from).toContain(name);
    const labels = [...ALWAYS, ...used.flatMap((name) => metrics.get(name) ?? [])];
    const grouped = [...expr.matchAll(/\bby \(([^)]*)\)/g)].flatMap(([, list = '']) => list.split(', '));
    const matched = [...expr.matchAll(/[{ ](\w+)=~?"([^"]*)"/g)];
    for (const label of [...grouped, ...matched.map(([, label = '']) => label)]) expect(labels, `${from}: ${expr}`).toContain(label);
    for (const [, label = '', values = ''] of matched)
      if (!ALWAYS.includes(label)) for (const value of values.split('|')) expect(VALUES[label], `${from}: ${label}`).toContain(value);
  }
});

it('every alert leads to a heading of the page about alerts, which has no other', () => {
  const page = read('docs/alerts.md');
  const headings = [...page.matchAll(/^## (.+)$/gm)].map(([, heading = '']) => heading);
  expect(headings).toEqual(RULES.map(({ alert }) => alert));
  for (const { alert, annotations } of RULES) expect(annotations['runbook_url']).toBe(`docs/alerts.md#${alert.toLowerCase()}`);
});

it('every metric that says that something is wrong is asked for by the dashboard', async () => {
  const asked = DASHBOARD.panels.flatMap(({ targets = [] }) => targets.map(({ expr }) => expr)).join('\n');
  for (const { expr } of RULES)
    for (const [name] of expr.matchAll(/postgres_controller_\w+/g))
      // The sum of the cycles is in those by result, and drift in that by kind.
      if (!/_(reconciliations_total|drift_total|server_last_reconciliation_timestamp|unreadable_since_timestamp)$/.test(name)) expect(asked).toContain(name);
  expect([...(await metricsThereAre()).keys()].length).toBeGreaterThan(40);
});

it('the dashboard has a description for each panel, no panel over another, and its variables are used', () => {
  const { panels, templating } = DASHBOARD;
  expect(new Set(panels.map(({ id }) => id)).size).toBe(panels.length);
  const taken = new Map<string, string>();
  for (const { title, type, description = '', gridPos } of panels) {
    if (type !== 'row') expect(description.length, title).toBeGreaterThan(10);
    expect(gridPos.x + gridPos.w, title).toBeLessThanOrEqual(24);
    for (let x = gridPos.x; x < gridPos.x + gridPos.w; x += 1)
      for (let y = gridPos.y; y < gridPos.y + gridPos.h; y += 1) {
        expect(taken.get(`${x} ${y}`), title).toBeUndefined();
        taken.set(`${x} ${y}`, title);
      }
  }
  const text = JSON.stringify(panels);
  for (const { name } of templating.list) expect(text.includes(`$${name}`) || text.includes(`\${${name}}`), name).toBe(true);
});
