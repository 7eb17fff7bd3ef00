// Test suites: the quick one of `npm test`, and those that take longer, each with a script of its own.
import { defineConfig } from 'vitest/config';

/** Project → what it runs. */
const SLOW = {
  attacks:
    'test/{authors/{attacks,hostile},cycle/{alone,blockers,bounds,dodging,locks,secret-faults,secret-races},sessions/*,daemon/notified,http/bounds,triggers/guest,{core,document}/{aside,cost,fuzz-cost,limits,plan-cost}}.test.ts',
  bounds: 'test/bounds/**/*.test.ts',
  clients: 'test/clients/**/*.test.ts',
  convergence: 'test/convergence/**/*.test.ts',
  crash: 'test/crash/**/*.test.ts',
  drift: 'test/drift/**/*.test.ts',
  fleet: 'test/fleet/**/*.test.ts',
  hostile: 'test/hostile/**/*.test.ts',
  imports: 'test/import/public/*.test.ts',
  kubernetes: 'test/{kubernetes,manifests}/**/*.test.ts',
  moved: 'test/moved/**/*.test.ts',
  pooler: 'test/pooler/**/*.test.ts',
  privileges: 'test/{privileges/round-trip-*,guard/random}.test.ts',
  thorough:
    'test/{authors/cycle,history/{chain,revisions,rows},cycle/{admin-rotation,adopted-roles,kept-rows,advice,audit-log,cycle-end,drain,dry-run-order,encodings,heirs,glance,missed-drift,moment,narrow,opening,own-rights,passed-on,platforms,probes,renaming,renaming-refused,said-sql,server-log,turns},privileges/{admins,extensions,hostile,inherent,kinds,lapsed,names,objects-to-come,rules,unmodelled,values},daemon/{daemon,outages},access/{after-changes,answers,each-kind,difference},commands/{apply,pipelines,snapshot},import/import,convert/convert,guard/{definers,hostile,operator,refused,shared,to-come},explain/{has-privilege,origins}}.test.ts',
  year: 'test/year/**/*.test.ts',
  triggers: 'test/{triggers/{admins,held,hostile,listener,objects,restore,settled,settled-random},daemon/{drift,making-way}}.test.ts',
};
/** A machine that does much else at the same time can miss what a test waits for; what fails twice fails. */
const RETRIES = Number(process.env['RETRIES'] ?? 0);

/** How many files of tests run side by side. Their servers work beside them, so that more than the processors are of little use. */
const WORKERS = Number(process.env['WORKERS'] ?? 2);

/** What is about event triggers, or counts what they do, says nothing without them. */
const WITHOUT_ACCELERATORS = process.env['ACCELERATORS'] === 'off' ? ['test/cycle/{advice,audit-log}.test.ts'] : [];

const project = (name: string, include: string[], exclude: string[] = []) => ({
  test: {
    name,
    include,
    exclude: [...exclude, ...WITHOUT_ACCELERATORS],
    testTimeout: 600_000,
    hookTimeout: 600_000,
    retry: RETRIES,
    pool: 'forks' as const,
    setupFiles: ['test/support/setup.ts'],
  },
});

export default defineConfig({
  test: {
    maxWorkers: WORKERS,
    projects: [
      project('quick', ['test/**/*.test.ts'], [...Object.values(SLOW), '**/node_modules/**']),
      ...Object.entries(SLOW).map(([name, files]) => project(name, [files])),
    ],
  },
});
