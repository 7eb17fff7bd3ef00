// explain: whether a role has a privilege on an object, and why.
import { explanationData } from '../explain/as-data.ts';
import { explain as explained } from '../explain/explain.ts';
import { originData, originLines, stepsOf } from '../explain/origins.ts';
import { explanationLines } from '../explain/say.ts';
import { readDefiners } from '../postgres/read-definers.ts';
import { readNamed } from '../postgres/read-named.ts';
import { askServer, readObject } from '../postgres/read-securable.ts';
import { answer, checkPrivilege, checkRole, readObjectWords, readPrivilege, readRole } from './access.ts';
import { answerFromState, isIn } from './access-state.ts';
import { explainIn } from './explain-state.ts';
import { originsIn, originsOf } from './origins.ts';
import { type Given, type Program, UsageError } from './verb.ts';

/** Says it. @returns 0 for yes, 2 for no and for unknown. @throws UsageError */
export async function explain(given: Given, self: Program): Promise<number> {
  const [roleText, ...words] = given.operands;
  const [privilege, objectText] = readPrivilege(words);
  if (roleText === undefined || objectText.length === 0)
    throw new UsageError('explain needs a role, a privilege and an object, as in: pgsteward explain alice SELECT shop.public.payroll');
  const role = readRole(roleText);
  const asked = readObjectWords(objectText);
  const wish = { isWanted: isIn(asked), columns: asked.column !== undefined };
  const fromState = await answerFromState(given, self, wish, (states) => explainIn(states, role, privilege, asked, originsIn(given, self, states, asked)), [
    'document',
  ]);
  if (fromState !== undefined) return fromState;
  return answer(given, self, async (ask) => {
    const { explanation, object, major } = await ask(asked, async (client, realm) => {
      checkRole(realm, role);
      const found = await readObject(client, asked.database ?? client.database ?? '', asked, realm.major);
      checkPrivilege(privilege, found.object.kind, realm.major);
      const server = await askServer(client, found, role, privilege, realm.major);
      const definers = found.isRelation ? await readDefiners(client, found.oid) : undefined;
      return {
        explanation: explained({ realm, role, privilege, ...found, server, definers }),
        object: await readNamed(client, asked, found),
        major: realm.major,
      };
    });
    const origins = await originsOf(given, self, ask, stepsOf(explanation), object, major);
    return {
      code: explanation.answer === 'yes' ? 0 : 2,
      lines: [...explanationLines(explanation), ...originLines(origins, explanation.object.name)],
      data: { ...explanationData(explanation), origins: originData(origins) },
    };
  });
}
