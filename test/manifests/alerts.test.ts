// Each alert fires when what it is about holds for its time, not before, is over when that is over, and is about nobody else: asked of promtool.
import { execFileSync, spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseDocument, stringify } from 'yaml';
import { describe, expect, it } from 'vitest';
import { ROOT } from '../support/daemon.ts';
import { scratch } from '../support/scratch.ts';

interface Rule {
  readonly alert: string;
  readonly expr: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
}
interface PrometheusRule {
  readonly spec: { readonly groups: readonly { readonly name: string; readonly rules: readonly Rule[] }[] };
}

interface Case {
  /** Without the prefix; with a label of its own. */
  readonly metric: string;
  readonly labels?: Readonly<Record<string, string>>;
  /** A sample each minute, in promtool's words: well, then not, then well again. */
  readonly values: string;
  /** The same of somebody with whom all is well. */
  readonly well: string;
  /** Minutes: it does not fire yet, it fires, it is over. */
  readonly at: readonly [quiet: number, fires: number, over: number];
  /** Which of its labels the alert tells. */
  readonly tells: readonly string[];
  /** It is about the whole installation, not about a server. */
  readonly isOfAll?: boolean;
}

const gauge = (metric: string, minutes: number, at: Case['at'], labels?: Case['labels'], bad = '1'): Case => ({
  metric,
  ...(labels === undefined ? {} : { labels }),
  values: `0x5 ${bad}x${minutes} 0x20`,
  well: `0x${at[2]}`,
  at,
  tells: ['namespace', 'server', ...Object.keys(labels ?? {}).filter((name) => ['reason', 'guardrail', 'author'].includes(name))],
});
const ofAll = (one: Case): Case => ({ ...one, isOfAll: true, tells: ['namespace'] });
/** A time that stands still for forty minutes. */
const stands = (metric: string, at: Case['at']): Case => ({
  metric,
  values: '0+60x10 600x40 3120+60x20',
  well: `0+60x${at[2]}`,
  at,
  tells: ['namespace', 'server'],
});

const CASES: Readonly<Record<string, readonly Case[]>> = {
  PgstewardDown: [{ metric: 'reconciliations_total', values: '1x5 _x30 5x20', well: '', at: [15, 30, 40], tells: [], isOfAll: true }],
  PgstewardNoWriter: [{ metric: 'is_writer', values: '1x5 0x20 1x20', well: '1x40', at: [10, 15, 30], tells: ['namespace', 'server'] }],
  PgstewardOutage: [gauge('outage', 20, [10, 15, 30], { reason: 'unreachable' })],
  PgstewardNotReconciling: [
    ofAll(stands('last_reconciliation_timestamp', [24, 30, 60])),
    // Of one server among others.
    { ...stands('server_last_reconciliation_timestamp', [24, 30, 60]), labels: { server: 'orders' }, isOfAll: true },
  ],
  PgstewardCyclesFail: [
    {
      metric: 'cycles_total',
      labels: { result: 'converged' },
      values: '0+1x20 20x30 20+1x30',
      well: '0+1x70',
      at: [30, 45, 60],
      tells: ['namespace', 'server'],
    },
  ],
  PgstewardCannotReadDocument: [{ ...stands('source_last_success_timestamp', [28, 40, 60]), labels: { source: 'document' } }],
  PgstewardDocumentInvalid: [gauge('document_errors', 30, [15, 20, 40], undefined, '2')],
  PgstewardServersFile: [ofAll(gauge('servers_errors', 30, [15, 20, 40])), ofAll(gauge('servers_unreadable', 30, [15, 20, 40]))],
  PgstewardBreakerTripped: [gauge('breaker_tripped', 20, [5, 7, 30])],
  PgstewardGuardrailBroken: [gauge('guardrail_broken', 20, [5, 7, 30], { guardrail: 'payroll' }, '3')],
  PgstewardGuardrailRefused: [gauge('guardrail_refused', 30, [15, 20, 40], { guardrail: 'payroll' }, '3')],
  PgstewardDrift: [ofAll({ metric: 'drift_total', values: '0x30 0+1x20 20x100', well: '0+1x9 9x130', at: [35, 60, 130], tells: [] })],
  PgstewardCannot: ['cannot', 'failed', 'not_converging'].map((kind) => gauge('notices', 40, [20, 30, 50], { kind })),
  PgstewardStatusStale: [gauge('status_stale', 40, [20, 30, 50])],
  PgstewardPaused: [gauge('paused', 800, [720, 730, 815])],
  PgstewardValidityEnds: [gauge('users_validity_ending', 100, [60, 70, 110], { within: '7d' })],
  PgstewardRotationOverdue: [gauge('rotations_overdue', 400, [360, 370, 415])],
  PgstewardUsersWithoutSecret: [gauge('users_without_secret', 40, [20, 30, 50])],
  PgstewardAuthorUnreadable: [gauge('author_unreadable_since_timestamp', 60, [25, 40, 70], { author: 'team-shop' }, '300')],
  PgstewardAuthorInvalid: [gauge('author_errors', 100, [60, 70, 110], { author: 'team-shop' })],
  PgstewardAuthorRefused: [gauge('author_refused', 60, [30, 40, 70], { author: 'team-shop' })],
  PgstewardAuthorBreakerTripped: [gauge('author_breaker_tripped', 20, [5, 7, 30], { author: 'team-shop' })],
};

const { spec } = parseDocument(readFileSync(join(ROOT, 'manifests/helm/files/alerts/prometheusrule.yaml'), 'utf8')).toJS() as PrometheusRule;
const RULES = spec.groups.flatMap(({ rules }) => rules);

/** The test of promtool for one case; with several servers everything has a label more. */
function testOf({ alert, labels: own, annotations }: Rule, one: Case, server: string | undefined): object {
  const labels: Readonly<Record<string, string>> = { namespace: 'db', pod: 'pgsteward-1', ...(server === undefined ? {} : { server }), ...one.labels };
  const series = (all: Readonly<Record<string, string>>): string =>
    `postgres_controller_${one.metric}{${Object.entries(all)
      .map(([name, value]) => `${name}=${JSON.stringify(value)}`)
      .join(',')}}`;
  const told = Object.fromEntries(one.tells.flatMap((name) => (labels[name] === undefined ? [] : [[name, labels[name]]])));
  const said = Object.fromEntries(
    Object.entries(annotations).map(([name, text]) => [name, text.replaceAll(/\{\{ \$labels\.(\w+) \}\}/g, (_, label: string) => labels[label] ?? '')]),
  );
  const fires = [{ exp_labels: { ...own, ...told }, exp_annotations: said }];
  return {
    name: `${alert} ${one.metric} ${JSON.stringify(labels)}`,
    interval: '1m',
    input_series: [
      { series: series(labels), values: one.values },
      ...(one.well === '' ? [] : [{ series: series({ ...labels, namespace: 'elsewhere' }), values: one.well }]),
    ],
    alert_rule_test: one.at.map((minute, index) => ({ eval_time: `${minute}m`, alertname: alert, exp_alerts: index === 1 ? fires : [] })),
  };
}

/** What promtool says of each alert alone, judged by these expressions: with all of them at once it would judge each a hundred thousand times. */
function promtool(expr: (rule: Rule) => string = (rule) => rule.expr): { readonly status: number | null; readonly said: string } {
  const folder = scratch('alerts');
  const files = RULES.map((rule) => {
    const tests = (CASES[rule.alert] ?? []).flatMap((one) => [testOf(rule, one, undefined), ...(one.isOfAll === true ? [] : [testOf(rule, one, 'orders')])]);
    const rules = `${rule.alert}.rules.yaml`;
    writeFileSync(join(folder, rules), stringify({ groups: [{ name: 'pgsteward', rules: [{ ...rule, expr: expr(rule) }] }] }));
    writeFileSync(join(folder, `${rule.alert}.yaml`), stringify({ rule_files: [rules], evaluation_interval: '1m', tests }));
    return `${rule.alert}.yaml`;
  });
  const { status, stdout, stderr } = spawnSync('promtool', ['test', 'rules', ...files], { cwd: folder, encoding: 'utf8' });
  return { status, said: stdout + stderr };
}

const hasPromtool = spawnSync('promtool', ['--version']).status === 0;
if (!hasPromtool) console.log("skipped: there is no promtool, which Debian's package prometheus has");

it('each alert has a case here, and each case an alert', () => {
  expect(Object.keys(CASES)).toEqual(RULES.map(({ alert }) => alert));
});

describe.skipIf(!hasPromtool)('promtool', () => {
  it('sees each alert fire in its time, be over, and be about nobody else', () => {
    const { status, said } = promtool();
    expect(said).not.toContain('FAILED');
    expect(said.split('SUCCESS')).toHaveLength(RULES.length + 1);
    expect(status).toBe(0);
  });

  it('would see one that never fires, and one that fires always', () => {
    for (const expr of [(rule: Rule) => `(${rule.expr}) and on() vector(1) == 2`, () => 'vector(1)']) {
      const { status, said } = promtool(expr);
      expect(status).not.toBe(0);
      for (const { alert } of RULES) expect(said, alert).toContain(`alertname: ${alert}, `);
    }
  });

  it('reads every question of the dashboard', () => {
    const text = readFileSync(join(ROOT, 'manifests/helm/files/dashboard/pgsteward.json'), 'utf8');
    const { panels } = JSON.parse(text) as { readonly panels: readonly { readonly targets?: readonly { readonly expr: string }[] }[] };
    const rules = panels
      .flatMap(({ targets = [] }) => targets)
      .map(({ expr }, index) => ({
        record: `question:${index}`,
        expr: expr.replaceAll('$__rate_interval', '5m').replaceAll(/\$(namespace|server)/g, '.*'),
      }));
    expect(rules.length).toBeGreaterThan(30);
    const folder = scratch('dashboard');
    writeFileSync(join(folder, 'rules.yaml'), stringify({ groups: [{ name: 'dashboard', rules }] }));
    expect(execFileSync('promtool', ['check', 'rules', 'rules.yaml'], { cwd: folder, encoding: 'utf8' })).toContain(`${rules.length} rules found`);
  });
});
