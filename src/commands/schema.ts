// schema: the shape of users.yaml, or of servers.yaml, for editors and CI.
import { jsonSchema } from '../document/json-schema.ts';
import { serversSchema } from '../document/servers-shape.ts';
import { type Given, type Program, say, UsageError } from './verb.ts';

const SCHEMAS = new Map([
  ['users.yaml', jsonSchema],
  ['servers.yaml', serversSchema],
]);

/** Prints the JSON Schema. @returns 0 @throws UsageError for what has none. */
export async function schema({ operands: [name = 'users.yaml', ...more] }: Given, { stdout }: Program): Promise<number> {
  const made = more.length === 0 ? SCHEMAS.get(name) : undefined;
  if (made === undefined) throw new UsageError(`schema takes one name: ${[...SCHEMAS.keys()].join(' or ')}`);
  await say(stdout, `${JSON.stringify(made(), undefined, 2)}\n`);
  return 0;
}
