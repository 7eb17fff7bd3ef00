// Test suites: the quick one of `npm test`, and those that take longer, each with a script of its own.
import { defineConfig } from 'vitest/config';

const SLOW = ['convergence', 'crash', 'kubernetes', 'pooler'];
const project = (name: string, include: string[], exclude: string[] = []) => ({
  test: { name, include, exclude, testTimeout: 120_000, hookTimeout: 120_000, pool: 'forks' as const },
});

export default defineConfig({
  test: {
    maxWorkers: 2,
    projects: [
      project('quick', ['test/**/*.test.ts'], [...SLOW.map((name) => `test/${name}/**`), '**/node_modules/**']),
      ...SLOW.map((name) => project(name, [`test/${name}/**/*.test.ts`])),
    ],
  },
});
