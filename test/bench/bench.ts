// The benchmarks. They print medians and ratios; never absolute claims, and never a verdict but that a busy machine gives no result. BENCH_ONLY names some of them.
import { benchChanges } from './changes.ts';
import { benchDatabases } from './databases.ts';
import { benchFleet } from './fleet.ts';
import { benchGuardrails } from './guardrails.ts';
import { benchIdle } from './idle.ts';
import { loadBefore } from './load.ts';
import { benchMemory } from './memory.ts';
import { benchPrivileges } from './privileges.ts';
import { benchStart } from './start.ts';
import { load, RUNS } from './support.ts';
import { benchTriggers } from './triggers.ts';
import { benchUsers } from './users.ts';
import { benchVerbs } from './verbs.ts';

const BENCHES: Readonly<Record<string, () => Promise<void>>> = {
  start: benchStart,
  changes: benchChanges,
  privileges: benchPrivileges,
  databases: benchDatabases,
  triggers: benchTriggers,
  users: benchUsers,
  verbs: benchVerbs,
  memory: benchMemory,
  guardrails: benchGuardrails,
  idle: benchIdle,
  fleet: benchFleet,
};
const only = process.env['BENCH_ONLY']?.split(',');
const unknown = only?.filter((name) => BENCHES[name] === undefined) ?? [];
if (unknown.length > 0) throw new Error(`there is no benchmark ${unknown.join(', ')}: there are ${Object.keys(BENCHES).join(', ')}`);
process.stdout.write(`Node ${process.version}, ${RUNS} runs, ${loadBefore()}\n`);
for (const [name, bench] of Object.entries(BENCHES)) {
  if (only !== undefined && !only.includes(name)) continue;
  load.restart();
  await bench();
}
process.exit(0);
