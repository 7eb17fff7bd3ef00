// The program: from its arguments to its exit code.
import { styleText } from 'node:util';
import { oneLine } from '../document/show.ts';
import { type Asked, readArguments } from './arguments.ts';
import { helpOfProgram, helpOfVerb, version } from './help.ts';
import { type Program, say, UsageError } from './verb.ts';
import { RUN, VERBS } from './verbs.ts';

/** Does what the arguments ask for. @returns the exit code. */
export async function program(args: readonly string[], self: Program): Promise<number> {
  try {
    return await answer(readArguments(args, VERBS, RUN), self);
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    await say(self.stderr, `pgsteward: ${oneLine(error.message)}\n`);
    return 1;
  }
}

async function answer(asked: Asked, self: Program): Promise<number> {
  if (asked.kind === 'run') {
    const { verb, given } = asked;
    // Loaded only where it is needed: it is most of the program.
    if (!given.options.has('server') && (self.env['SERVERS_CONFIGMAP'] ?? '') === '') return verb.run(given, self);
    const { onServer } = await import('./one-server.ts');
    const { everyServer } = await import('./every-server.ts');
    return onServer(verb, given, self, (declared) => everyServer(verb, given, self, declared));
  }
  const bold = (text: string): string => styleText('bold', text, { stream: self.stdout });
  const help = asked.kind === 'help' && (asked.verb === undefined ? helpOfProgram(VERBS, bold) : helpOfVerb(asked.verb, bold));
  await say(self.stdout, help === false ? `pgsteward ${version()}\n` : help);
  return 0;
}
