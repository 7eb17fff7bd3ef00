// explain: whether a role has a privilege on an object, and why.
import { explanationData } from '../explain/as-data.ts';
import { explain as explained } from '../explain/explain.ts';
import { explanationLines } from '../explain/say.ts';
import { readDefiners } from '../postgres/read-definers.ts';
import { askServer, readObject } from '../postgres/read-securable.ts';
import { answer, checkPrivilege, checkRole, readObjectWords, readPrivilege, readRole } from './access.ts';
import { type Given, type Program, UsageError } from './verb.ts';

/** Says it. @returns 0 for yes, 2 for no and for unknown. @throws UsageError */
export async function explain(given: Given, self: Program): Promise<number> {
  const [roleText, ...words] = given.operands;
  const [privilege, objectText] = readPrivilege(words);
  if (roleText === undefined || objectText.length === 0)
    throw new UsageError('explain needs a role, a privilege and an object, as in: pgsteward explain alice SELECT shop.public.payroll');
  const role = readRole(roleText);
  const asked = readObjectWords(objectText);
  return answer(given, self, (ask) =>
    ask(asked, async (client, realm) => {
      checkRole(realm, role);
      const found = await readObject(client, asked.database ?? client.database ?? '', asked, realm.major);
      checkPrivilege(privilege, found.object.kind, realm.major);
      const server = await askServer(client, found, role, privilege, realm.major);
      const definers = found.isRelation ? await readDefiners(client, found.oid) : undefined;
      const explanation = explained({ realm, role, privilege, ...found, server, definers });
      return { code: explanation.answer === 'yes' ? 0 : 2, lines: explanationLines(explanation), data: explanationData(explanation) };
    }),
  );
}
