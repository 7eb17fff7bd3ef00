// The pipelines of docs/pull-requests.md: their form, and each of their scripts run in a checkout against a real server, with stand-ins for the services around.
import { spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseAllDocuments } from 'yaml';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { ROOT } from '../support/daemon.ts';
import { type Postgres, startPostgres } from '../support/postgres.ts';
import { scratch } from '../support/scratch.ts';
import { expectNoSecrets } from '../support/secrets.ts';

const page = readFileSync(join(ROOT, 'docs/pull-requests.md'), 'utf8');
const blocks = [...page.matchAll(/^```yaml\n([\s\S]*?)^```$/gm)].map(([, text = '']) => text);

interface Step {
  readonly name?: string;
  readonly uses?: string;
  readonly run?: string;
  readonly with?: object;
  readonly if?: string;
}
interface Workflow {
  readonly name: string;
  readonly on: object;
  readonly permissions: object;
  readonly jobs: Readonly<Record<string, { readonly 'runs-on': unknown; readonly env?: Readonly<Record<string, string>>; readonly steps: readonly Step[] }>>;
}
interface GitlabJob {
  readonly stage?: string;
  readonly script?: readonly string[];
  readonly extends?: string;
  readonly needs?: readonly string[];
  readonly variables?: Readonly<Record<string, string>>;
}

const parsed = blocks.map((text) => parseAllDocuments(text, { uniqueKeys: true }));
const values = parsed.flat().map((document) => document.toJS() as Record<string, unknown>);
const workflows = values.filter((value) => 'jobs' in value) as unknown as Workflow[];
const gitlab = (values.find((value) => 'stages' in value) ?? {}) as unknown as { readonly stages: readonly string[] } & Readonly<Record<string, GitlabJob>>;
const gitlabJobs = Object.entries(gitlab).filter(([name]) => name !== 'stages') as [string, GitlabJob][];

describe('the form', () => {
  it('is YAML without a word of doubt', () => {
    expect(blocks.length).toBeGreaterThan(3);
    for (const document of parsed.flat()) expect([...document.errors, ...document.warnings]).toEqual([]);
    expect([workflows.length, gitlabJobs.length]).toEqual([2, 5]);
  });

  it.each(workflows.map((workflow) => [workflow.name, workflow] as const))(
    'of «%s»: steps that do one thing, and rights that are named',
    (_, { on, permissions, jobs }) => {
      expect(Object.keys(on).every((event) => ['schedule', 'workflow_dispatch', 'pull_request'].includes(event))).toBe(true);
      expect(Object.values(permissions).every((right) => right === 'read' || right === 'write')).toBe(true);
      for (const job of Object.values(jobs)) {
        expect(job['runs-on']).toBeDefined();
        for (const step of job.steps) {
          expect(
            [step.run, step.uses].filter((one) => one !== undefined),
            step.name,
          ).toHaveLength(1);
          expect(Object.keys(step).filter((key) => !['name', 'run', 'uses', 'with', 'if'].includes(key))).toEqual([]);
          // What somebody else wrote is never pasted into a script.
          expect(step.run ?? '').not.toContain('${{');
          if (step.uses !== undefined) expect(step.uses).toMatch(/^actions\/[a-z-]+@v\d+$/);
        }
      }
    },
  );

  it('of GitLab: every stage and every job that is named exists', () => {
    for (const [name, job] of gitlabJobs) {
      if (!name.startsWith('.')) expect(gitlab.stages, name).toContain(job.stage);
      if (!name.startsWith('.')) expect(job.script, name).toBeDefined();
      if (job.extends !== undefined) expect(gitlab, name).toHaveProperty([job.extends]);
      for (const need of job.needs ?? []) {
        expect(gitlab, name).toHaveProperty([need]);
        expect(gitlab.stages.indexOf(gitlab[need]?.stage ?? ''), name).toBeLessThan(gitlab.stages.indexOf(job.stage ?? ''));
      }
    }
  });
});

/** What stands in for each service: it asks of its arguments what the real one would need, and keeps what it is given in $STORE. */
const STAND_INS: Readonly<Record<string, string>> = {
  kubectl: `[ "$1 $2 $3 $4 $5" = '-n postgres exec deploy/pgsteward --' ] || { echo "kubectl $*" >&2; exit 64; }
shift 5; exec env -i PATH="$PATH" DB_HOST="$TEST_HOST" DB_PORT="$TEST_PORT" DB_USER="$TEST_USER" DB_PASS="$TEST_PASS" DB_SSLMODE=disable STATE_FILE="$STORE/state.json" "$@"`,
  // Without a network and without any variable but those that are named.
  docker: `[ "$1" = run ] || exit 64; shift; named=() network= mount=
while [ "$1" != "$IMAGE" ]; do case $1 in
  --rm) shift;; --network) network=$2; shift 2;; --user|-w) shift 2;; -v) mount=$2; shift 2;; -e) named+=("$2=\${!2}"); shift 2;; *) echo "docker $1" >&2; exit 64;;
esac; done
[ "$network" = none ] && [ "\${mount#*:}" = /work:ro ] && [ "$2" = /app/dist/main.js ] || exit 64
cd "\${mount%%:*}" && shift 2 && exec env -i PATH="$PATH" "\${named[@]}" pgsteward "$@"`,
  node: `[ "$1" = /app/dist/main.js ] || { exec "$TEST_NODE" "$@"; }; shift; exec env -i PATH="$PATH" REVOKES="$REVOKES" pgsteward "$@"`,
  gh: `case "$1 $2" in
  'run list') [ "$4" = pgsteward-snapshot.yaml ] && echo 42;;
  'run download') [ "$3 $4 $5" = '42 --name pgsteward-snapshot' ] && cp "$STORE/server.json" .;;
  'pr comment') [ "$3" = 7 ] && [ "$6" = --body-file ] && cp "$7" "$STORE/comment.md";;
  *) exit 64;; esac`,
  curl: `while [ $# -gt 0 ]; do case $1 in --output) out=$2; shift 2;; --data-urlencode) body=\${2#*@}; shift 2;; --header) shift 2;; --*) shift;; *) url=$1; shift;; esac; done
case $url in *'/jobs/artifacts/main/raw/server.json?job=snapshot') cp "$STORE/server.json" "$out";; */merge_requests/7/notes) cp "$body" "$STORE/comment.md";; *) exit 22;; esac`,
};

let server: Postgres;
let store: string;
let shims: string;
let checkout: string;

beforeAll(async () => {
  server = await startPostgres();
  await server.query('CREATE DATABASE shop');
  await server.query('CREATE TABLE goods (id int)', 'shop');
  shims = scratch('stand-ins');
  for (const [name, script] of Object.entries(STAND_INS)) {
    writeFileSync(join(shims, name), `#!/bin/bash\n${script}\n`);
    chmodSync(join(shims, name), 0o755);
  }
  writeFileSync(join(shims, 'pgsteward'), `#!/bin/sh\nexec '${process.execPath}' '${join(ROOT, 'src/main.ts')}' "$@"\n`);
  chmodSync(join(shims, 'pgsteward'), 0o755);
});
afterAll(() => server.stop());
beforeEach(() => {
  store = scratch('store');
  checkout = scratch('checkout');
  mkdirSync(join(checkout, 'postgres'));
});

const GOOD = "users:\n  - username: alice\n    database: shop\n    grants: [{database: shop, schemas: [public], tables: {'*': [SELECT]}}]\n";
const BROKEN = 'users:\n  - {username: alice, rols: [x]}\n';
const REFUSED = 'users:\n  - {username: alice, roles: [postgres]}\n';
const propose = (text: string): void => writeFileSync(join(checkout, 'postgres/users.yaml'), text);

interface Ended {
  readonly code: number | null;
  readonly output: string;
}

/** Runs a script as a runner does. @param shell how it is begun. */
function run(script: string, shell: readonly string[], env: Readonly<Record<string, string>>): Ended {
  const { status, stdout, stderr } = spawnSync(shell[0] ?? '', [...shell.slice(1), script], {
    cwd: checkout,
    encoding: 'utf8',
    env: {
      PATH: `${shims}:${process.env['PATH'] ?? ''}`,
      TEST_NODE: process.execPath,
      STORE: store,
      TEST_HOST: server.host,
      TEST_PORT: String(server.port),
      TEST_USER: server.user,
      TEST_PASS: server.password,
      ...env,
    },
  });
  expectNoSecrets(stdout + stderr, 'a pipeline');
  return { code: status, output: stdout + stderr };
}

/** The steps of a job, one after the other until one fails. What stands in $GITHUB_ENV holds for the next. */
function runGithub({ jobs }: Workflow): Ended {
  const [job] = Object.values(jobs);
  let output = '';
  for (const step of job?.steps ?? []) {
    if (step.run === undefined) continue;
    const [envFile, summary] = [join(store, 'env'), join(store, 'summary.md')];
    const set = existsSync(envFile)
      ? readFileSync(envFile, 'utf8')
          .trim()
          .split('\n')
          .map((line) => line.split('=') as [string, string])
      : [];
    const named = Object.entries(job?.env ?? {}).map(([name, value]) => [
      name,
      value.replace('${{ github.event.pull_request.number }}', '7').replace(/\$\{\{.*\}\}/, 'token'),
    ]);
    const { code, output: said } = run(step.run, ['bash', '-e', '-c'], {
      ...Object.fromEntries(named),
      ...Object.fromEntries(set),
      GITHUB_ENV: envFile,
      GITHUB_STEP_SUMMARY: summary,
    });
    output += said;
    if (code !== 0) return { code, output: `${output}\nin the step ${step.name}` };
  }
  return { code: 0, output };
}

/** The jobs of a pipeline, in the order of their stages. */
function runGitlab(names: readonly string[]): Ended {
  let output = '';
  for (const name of names) {
    const { script = [], variables = {} } = gitlab[name] ?? {};
    const { code, output: said } = run(script.join('\n'), ['bash', '-e', '-o', 'pipefail', '-c'], {
      ...variables,
      CI_API_V4_URL: 'https://gitlab.example/api/v4',
      CI_PROJECT_ID: '1',
      CI_DEFAULT_BRANCH: 'main',
      CI_MERGE_REQUEST_IID: '7',
      CI_JOB_TOKEN: 'x',
      REVIEW_TOKEN: 'x',
    });
    output += said;
    if (code !== 0) return { code, output: `${output}\nin the job ${name}` };
  }
  return { code: 0, output };
}

/** The pipeline that takes the snapshot, and where the other one finds it. */
const SYSTEMS = [
  ['GitHub', () => runGithub(workflows[0] as Workflow), () => runGithub(workflows[1] as Workflow)],
  ['GitLab', () => runGitlab(['snapshot']), () => runGitlab(['fetch', 'review', 'comment'])],
] as const;

describe.each(SYSTEMS)('in %s', (system, takeSnapshot, review) => {
  beforeEach(() => {
    expect(takeSnapshot()).toEqual({ code: 0, output: expect.stringContaining('a snapshot with') as string });
    writeFileSync(join(store, 'server.json'), readFileSync(join(checkout, 'server.json')));
    writeFileSync(join(checkout, 'server.json'), '');
  });

  it('what a pull request would change is a comment', () => {
    propose(GOOD);
    const { code, output } = review();
    expect({ code, output }).toMatchObject({ code: 0 });
    const comment = readFileSync(join(store, 'comment.md'), 'utf8');
    expect(comment).toContain('### pgsteward plan: the server differs');
    expect(comment).toContain('grant SELECT on table public.goods in database shop to: alice');
    if (system === 'GitHub') expect(readFileSync(join(store, 'summary.md'), 'utf8')).toBe(comment);
  });

  it.each([
    ['has an error', BROKEN, 'unknown key `rols`'],
    ['wants what is refused', REFUSED, ''],
  ])('one that %s fails', (_, document, said) => {
    propose(document);
    const { code, output } = review();
    expect(code, output).not.toBe(0);
    expect(output).toContain(said);
    if (document === REFUSED) expect(readFileSync(join(checkout, 'plan.md'), 'utf8')).toContain('membership in postgres is refused');
  });
});

it('by hand it is one line as well', () => {
  propose(GOOD);
  const [, line = ''] = /^`(kubectl [^`]* \| pgsteward plan [^`]*)`/m.exec(page) ?? [];
  expect(line).not.toBe('');
  expect(run(line, ['bash', '-c'], {})).toEqual({ code: 2, output: expect.stringContaining('grant SELECT on table public.goods') as string });
});
