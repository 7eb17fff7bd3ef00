// who-can: everybody who has a privilege on an object.
import { whoCanData } from '../explain/as-data.ts';
import { secondWays, throughOf } from '../explain/definers.ts';
import { originDataOfMany, originLinesOfMany, stepsOfMany } from '../explain/origins.ts';
import { onColumns, whoCanLines } from '../explain/say-who.ts';
import { pathsIn, whoCan as everybody } from '../explain/who-can.ts';
import { readDefiners } from '../postgres/read-definers.ts';
import { readNamed } from '../postgres/read-named.ts';
import { readObject } from '../postgres/read-securable.ts';
import { answer, checkPrivilege, readObjectWords, readPrivilege } from './access.ts';
import { answerFromState, isIn } from './access-state.ts';
import { whoCanIn } from './explain-state.ts';
import { originsIn, originsOf } from './origins.ts';
import { type Given, type Program, UsageError } from './verb.ts';

/** Says it. @returns 0; 2 where it was asked for more than can be known. @throws UsageError */
export async function whoCan(given: Given, self: Program): Promise<number> {
  const [privilege, objectText] = readPrivilege(given.operands);
  if (objectText.length === 0) throw new UsageError('who-can needs a privilege and an object, as in: pgsteward who-can SELECT shop.public.payroll');
  const asked = readObjectWords(objectText);
  const follows = given.options.has('via-definer');
  const wish = { isWanted: isIn(asked), columns: asked.column !== undefined };
  const fromState = await answerFromState(given, self, wish, (states) => whoCanIn(states, privilege, asked, follows, originsIn(given, self, states, asked)), [
    'document',
  ]);
  if (fromState !== undefined) return fromState;
  return answer(given, self, async (ask) => {
    const { code, told, object, major } = await ask(asked, async (client, realm) => {
      const found = await readObject(client, asked.database ?? client.database ?? '', asked, realm.major);
      checkPrivilege(privilege, found.object.kind, realm.major);
      const who = everybody(realm, found.object, privilege, found.around);
      const definers = follows && found.isRelation ? await readDefiners(client, found.oid) : undefined;
      const ways = definers === undefined ? [] : secondWays(realm, found.object, privilege, definers).map((way) => throughOf(realm, way, who));
      const told = {
        privilege,
        object: found.object,
        database: found.around.database.name,
        who,
        ways,
        more: definers?.more === true,
        remarks: [...found.around.remarks, ...onColumns(found.object, privilege)],
      };
      const isUnsure = told.more || ways.some(({ way, people, everybody: all }) => !way.sure && (all || people.length > 0));
      return { code: isUnsure ? 2 : 0, told, object: await readNamed(client, asked, found), major: realm.major };
    });
    const { steps, more } = stepsOfMany(pathsIn(told.who), privilege);
    const origins = await originsOf(given, self, ask, steps, object, major);
    return {
      code,
      lines: [...whoCanLines(told), ...originLinesOfMany(origins, told.object.name, more)],
      data: { ...whoCanData(told), origins: originDataOfMany(origins, more) },
    };
  });
}
