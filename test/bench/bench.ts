// The benchmarks. They print medians and ratios; never absolute claims, and never a verdict. BENCH_ONLY names one of them.
import { benchIdle } from './idle.ts';
import { benchPrivileges } from './privileges.ts';
import { benchTriggers } from './triggers.ts';
import { benchUsers } from './users.ts';

const BENCHES: Readonly<Record<string, () => Promise<void>>> = { privileges: benchPrivileges, triggers: benchTriggers, users: benchUsers, idle: benchIdle };
const only = process.env['BENCH_ONLY'];
for (const [name, bench] of Object.entries(BENCHES)) if (only === undefined || only === name) await bench();
process.exit(0);
