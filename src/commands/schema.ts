// schema: the shape of users.yaml for editors and CI.
import { jsonSchema } from '../document/json-schema.ts';
import { type Program, say } from './verb.ts';

/** Prints the JSON Schema. @returns 0 */
export async function schema({ stdout }: Program): Promise<number> {
  await say(stdout, `${JSON.stringify(jsonSchema(), undefined, 2)}\n`);
  return 0;
}
