// The benchmarks. They print medians and ratios; never absolute claims, and never a verdict. BENCH_ONLY=users or privileges runs one of them.
import { benchPrivileges } from './privileges.ts';
import { benchUsers } from './users.ts';

const only = process.env['BENCH_ONLY'];
if (only !== 'users') await benchPrivileges();
if (only !== 'privileges') await benchUsers();
process.exit(0);
