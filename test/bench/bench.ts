// The benchmarks. They print medians and ratios; never absolute claims, and never a verdict. BENCH_ONLY=users, privileges or triggers runs one of them.
import { benchPrivileges } from './privileges.ts';
import { benchTriggers } from './triggers.ts';
import { benchUsers } from './users.ts';

const only = process.env['BENCH_ONLY'];
for (const [name, bench] of Object.entries({ privileges: benchPrivileges, triggers: benchTriggers, users: benchUsers }))
  if (only === undefined || only === name) await bench();
process.exit(0);
