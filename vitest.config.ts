// Test suites: the quick one of `npm test`, and those that take longer, each with a script of its own.
import { defineConfig } from 'vitest/config';

/** Project → what it runs. */
const SLOW = {
  clients: 'test/clients/**/*.test.ts',
  convergence: 'test/convergence/**/*.test.ts',
  crash: 'test/crash/**/*.test.ts',
  kubernetes: 'test/kubernetes/**/*.test.ts',
  pooler: 'test/pooler/**/*.test.ts',
  privileges: 'test/privileges/round-trip-*.test.ts',
  triggers: 'test/{triggers/hostile,triggers/listener,triggers/restore,daemon/drift}.test.ts',
};
const project = (name: string, include: string[], exclude: string[] = []) => ({
  test: { name, include, exclude, testTimeout: 120_000, hookTimeout: 120_000, pool: 'forks' as const },
});

export default defineConfig({
  test: {
    maxWorkers: 2,
    projects: [
      project('quick', ['test/**/*.test.ts'], [...Object.values(SLOW), '**/node_modules/**']),
      ...Object.entries(SLOW).map(([name, files]) => project(name, [files])),
    ],
  },
});
