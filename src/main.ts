// The process: its arguments, streams, environment, signals and exit code, which it hands to what it is asked to do. The only file that touches them.
import { program } from './commands/program.ts';

process.exit(await program(process.argv.slice(2), process));
